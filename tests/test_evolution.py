from hermes.search.evolution import EvolutionSearch
from hermes.search.contract import StrategyContract
from dataclasses import replace


class TestCma(StrategyContract):
    examples = 3
    length = 14

    def make(self, context):
        return EvolutionSearch(context)


class TestOne(TestCma):
    def make(self, context):
        return EvolutionSearch(replace(context, options={"optimizer": "OnePlusOne"}))


class TestDE(TestCma):
    def make(self, context):
        return EvolutionSearch(replace(context, options={"optimizer": "TwoPointsDE"}))


class TestNGOpt(TestCma):
    def make(self, context):
        return EvolutionSearch(replace(context, options={"optimizer": "PSO"}))
