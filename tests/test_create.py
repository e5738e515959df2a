"""What ``create`` refuses before anything is registered, and what it says to do next."""

from __future__ import annotations

import pytest
from labs import a_lab, write_spec

from hermes.errors import RequestError
from hermes.steps.create import create


@pytest.fixture
def lab(tmp_path):
    return a_lab(tmp_path / "lab")


@pytest.fixture
def refused(lab, tmp_path):
    """Return a function that has a SPEC refused and returns what was said."""

    def call(**fields) -> str:
        with pytest.raises(RequestError) as caught:
            create(lab, write_spec(tmp_path, **fields))
        assert lab.experiments() == []
        assert caught.value.message
        assert caught.value.remedy
        return str(caught.value)

    return call


@pytest.mark.parametrize(
    ("strategy", "options", "told"),
    [
        ("tree", {"exploratio": 2}, "no option 'exploratio'.\nDid you mean 'exploration'?"),
        ("tree", {"exploration": 20}, "from 0 to 10"),
        ("perturb", {"steps": 0.2}, "Did you mean 'step'?"),
        ("perturb", {"draws": 1.5}, "a whole number from 1"),
        ("random", {"foo": 1}, "takes no options"),
        ("grid", {"foo": 1}, "takes no options"),
        ("swarm", {"strategies": ["tree"], "options": {"tree": {"draft": 2}}}, "'drafts'"),
    ],
)
@pytest.mark.parametrize("space", [{"x": {"type": "int", "low": 1, "high": 3}}, None])
def test_an_option_that_a_strategy_does_not_take_is_refused(
    refused, strategy, options, told, space
):
    assert told in refused(strategy=strategy, strategy_options=options, search_space=space)
