"""Libraries are imported without what they can do without, and nobody else notices."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest

from hermes.search.importing import later, parts_of, without


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


def test_parts_of_a_package_are_there_without_it(tmp_path, monkeypatch):
    folder = tmp_path / "costly_whole"
    folder.mkdir()
    (folder / "__init__.py").write_text("loaded = 1\ndef half(x): return x / 2")
    (folder / "a_part.py").write_text(
        "import costly_whole as whole\n"
        "from importlib.resources import files\n"
        "def read(): return (files('costly_whole') / 'data').read_text()\n"
    )
    (folder / "data").write_text("told")
    monkeypatch.syspath_prepend(tmp_path)
    with parts_of("costly_whole"):
        import costly_whole.a_part as a_part

        assert a_part.read() == "told"
    assert "costly_whole" not in sys.modules
    assert a_part.whole.half(6) == 3
    assert sys.modules["costly_whole"].loaded == 1
    import costly_whole.a_part as again

    assert again is a_part
    with parts_of("costly_whole"):
        import costly_whole

        assert costly_whole.loaded == 1
    for name in ("costly_whole", "costly_whole.a_part"):
        del sys.modules[name]


def test_of_a_package_that_is_missing_there_are_no_parts():
    with pytest.raises(ImportError), parts_of("no_such_package"):
        import no_such_package.a_part  # noqa: F401


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
    ("name", "options"),
    [
        ("evolution", {}),
        ("bayesian", {"sampler": "cmaes"}),
        ("bayesian", {"sampler": "qmc"}),
        ("bayesian", {"sampler": "qmc", "qmc_type": "halton"}),
    ],
)
def test_a_search_does_without_what_costs_most_and_proposes_the_same(name, options, tmp_path):
    pytest.importorskip("nevergrad" if name == "evolution" else "optuna")
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
