"""What commands take in a lab of 1,000 experiments with 100 runs each, beside an empty graph's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import crowd
import measuring
from measuring import MS, Options, Section, Target, note, ratios, seconds, spread
from subjects import a_lab, doit_list, hermes

from hermes.model import Phase

MOST_IDLE = 3.0
MOST_DUE = 4.0


def run(options: Options) -> Section:
    """Make the crowd, then measure commands in turns with ``doit list``."""
    experiments, runs = options.pick(1_000, 200, 5), options.pick(100, 20, 3)
    section = Section(f"A lab of {experiments:,} experiments with {runs:,} runs each")
    with options.workplace() as place:
        lab = a_lab(place)
        note(f"scale: making {experiments} experiments of {runs} runs")
        names = crowd.make(lab, experiments, runs, cadence="daily")
'''
