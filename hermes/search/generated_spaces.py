"""Search spaces for tests: a small one, and any number drawn by Hypothesis; for ``contract``."""

from __future__ import annotations

from hypothesis import strategies as st

from hermes.search.space import Space, parse_space

_SMALL: dict[str, object] = {
    "layers": {"type": "int", "low": 1, "high": 3},
    "rate": {"type": "float", "low": 0.1, "high": 0.3, "step": 0.1, "log": True},
    "warm": {"type": "bool", "when": {"layers": 2}},
}
SMALL_SIZE = 12
_Json = dict[str, object]


def small_space() -> Space:
    """Return a space of 12 points with a condition, a grid and a logarithm."""
    return parsed(_SMALL)


def parsed(raw: _Json) -> Space:
    """Return the space that ``raw`` declares."""
    return parse_space(raw, source="search_space.json")


@st.composite
def declarations(draw: st.DrawFn, *, finite: bool = False) -> _Json:
    """Draw a valid search space as it stands in its file, with one to five parameters."""
    space: _Json = {}
    for place in range(draw(st.integers(1, 5))):
        parameter = dict(draw(_parameters(finite)))
        condition = draw(_conditions(space))
        space[f"p{place}"] = {**parameter, "when": condition} if condition else parameter
    return space


def _parameters(finite: bool) -> st.SearchStrategy[_Json]:
    truth: _Json = {"type": "bool"}
    kinds = [_ints(), _floats(stepped=True), _choices(), st.just(truth)]
    return st.one_of(kinds if finite else [*kinds, _floats(stepped=False)])


@st.composite
def _ints(draw: st.DrawFn) -> _Json:
    log = draw(st.booleans())
    low = draw(st.integers(1, 50) if log else st.integers(-50, 50))
    span = draw(st.integers(0, 40))
    step = draw(st.integers(1, max(1, span)))
    return {"type": "int", "low": low, "high": low + span, "log": log, "step": step}


@st.composite
def _floats(draw: st.DrawFn, *, stepped: bool) -> _Json:
    log = draw(st.booleans())
    low = draw(st.floats(1e-6, 1e3) if log else st.floats(-1e3, 1e3))
    span = draw(st.floats(1e-3, 1e3))
    raw: _Json = {"type": "float", "low": low, "high": low + span, "log": log}
    if stepped:
        raw["step"] = span * draw(st.floats(0.02, 0.9))
    return raw


@st.composite
def _choices(draw: st.DrawFn) -> _Json:
    scalars = st.one_of(st.integers(-3, 3), st.booleans(), st.text(max_size=4).filter(_fits))
    unique = st.lists(scalars, min_size=1, max_size=5, unique_by=lambda item: (type(item), item))
    return {"type": "categorical", "choices": draw(unique)}


def _fits(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _conditions(space: _Json) -> st.SearchStrategy[_Json]:
    """Draw conditions on a parameter of ``space`` whose values are countable; often none."""
    before = parsed(space) if space else Space(())
    parents = [item for item in before.dimensions if item.count is not None]
    none: st.SearchStrategy[_Json] = st.just({})
    if not parents:
        return none
    one = st.sampled_from(parents).flatmap(
        lambda parent: st.integers(0, (parent.count or 1) - 1).map(
            lambda index: {parent.name: parent.at(index)}
        )
    )
    return st.one_of(none, one)
