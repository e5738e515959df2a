from __future__ import annotations

from hermes.search.base import SearchContext, Strategy
from hermes.search.contract import StrategyContract
from hermes.search.perturb import Perturb


class TestPerturb(StrategyContract):
    length = 60

    def make(self, context: SearchContext) -> Strategy:
        return Perturb(context)
