"""Libraries are imported without what they can do without, and nobody else notices."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest

from hermes.search.importing import later, without


@pytest.fixture
def part(tmp_path, monkeypatch):
    """Return the name of a module that nobody has imported: it counts, and doubles."""
    (tmp_path / "costly_part.py").write_text(
        "class sums:\n    twice = staticmethod(lambda x: 2 * x)"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "costly_part"
    sys.modules.pop("costly_part", None)


def test_what_seems_not_to_be_installed_is_there_again_afterwards(part):
    with without(part), pytest.raises(ImportError):
        import costly_part
    import costly_part

    assert costly_part.sums.twice(3) == 6


def test_what_was_imported_before_stays_as_it_is(part):
    import costly_part as before

    with without(part), later(part):
        import costly_part

        assert costly_part is before
    assert sys.modules[part] is before


def test_a_stand_in_imports_what_it_stands_for_when_it_is_called(part):
    with later(part):
        import costly_part
        from costly_part import sums
    assert part not in sys.modules
    twice = copy.deepcopy(costly_part.sums.twice)
    assert part not in sys.modules
    assert (twice(2), sums.twice(3)) == (4, 6)
    assert sys.modules[part] is not costly_part


def test_an_error_leaves_the_modules_as_they_were(part):
    with pytest.raises(ZeroDivisionError), later(part), without("another_part"):
        raise ZeroDivisionError
    assert not {part, "another_part"} & sys.modules.keys()


SEARCH = """
import json, sys
{before}
from played_searches import made, bowl, search, PLANE
strategy = made({name!r}, PLANE, **{options!r})
trials = search(strategy, bowl, range(1, 31))
print(json.dumps([[dict(trial.params) for trial in trials], "scipy.stats" in sys.modules]))
"""


@pytest.mark.parametrize(
    ("name", "options"), [("evolution", {}), ("bayesian", {"sampler": "cmaes"})]
)
def test_a_search_does_without_what_costs_most_and_proposes_the_same(name, options, tmp_path):
    pytest.importorskip("nevergrad" if name == "evolution" else "cmaes")
    whole = "import scipy.stats, scipy.signal"
    (light, costly), (heavy, _) = (
        _printed(SEARCH.format(before=before, name=name, options=options)) for before in ("", whole)
    )
    assert not costly
    assert light == heavy


def _printed(code: str) -> list:
    paths = f"import sys; sys.path[:0] = {sys.path!r}\n"
    ran = subprocess.run(
        [sys.executable, "-c", paths + code], capture_output=True, check=True, text=True
    )
    assert ran.stderr == ""
    return json.loads(ran.stdout)
