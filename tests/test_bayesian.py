from hermes.search.bayesian import BayesianSearch
from hermes.search.contract import StrategyContract


class TestTpe(StrategyContract):
    examples = 8
    length = 16

    def make(self, context):
        return BayesianSearch(context)


from dataclasses import replace


class TestCma(TestTpe):
    def make(self, context):
        return BayesianSearch(replace(context, options={"sampler": "cmaes", "popsize": 4}))


class TestQmc(TestTpe):
    def make(self, context):
        return BayesianSearch(replace(context, options={"sampler": "qmc"}))


class TestNsga(TestTpe):
    def make(self, context):
        return BayesianSearch(replace(context, options={"sampler": "nsga2", "population_size": 4}))


class TestGroup(TestTpe):
    def make(self, context):
        return BayesianSearch(replace(context, options={"group": True}))
