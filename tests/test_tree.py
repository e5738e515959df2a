from __future__ import annotations

from hermes.search.base import SearchContext, Strategy
from hermes.search.contract import StrategyContract
from hermes.search.tree import Tree


class TestTree(StrategyContract):
    length = 60

    def make(self, context: SearchContext) -> Strategy:
        return Tree(context)
