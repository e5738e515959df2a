"""What ``reproduce`` prints at a terminal."""

from __future__ import annotations

import pytest

from hermes.measured import Sample
from hermes.model import Usage
from hermes.render.reproduction import reproduction_text, verdict
from hermes.render.tables import cells
from hermes.reproduction.comparing import cannot, compare
from hermes.reproduction.records import Account, Condition, Reproduction

HOSTILE = "\x1b[31mred\n| né名前" * 30
CONDITIONS = (
    Condition("spec", "0" * 64, "1" * 64, same=False, note="edited since: goal"),
    Condition("workspace", "copy of /ws", "copy of /ws", same=None, note="it may have changed"),
    Condition("cpu_count", "2", "2", same=True),
)


def account(*measured, files, usage=None, beside="t"):
    samples = tuple(Sample(value, {beside: value}) for value in measured)
    return Account("measured", "", 0, samples, files, usage)


def shown(findings, **fields):
    return Reproduction(
        **vars(findings),
        **{
            "schema_version": 1,
            "experiment": "exp",
            "run_id": "RUN-1",
            "seq": 1,
            "fidelity_tier": "default",
            "params": {"x": 0.5},
            "seed": 7,
            "metric": "loss",
            "conditions": CONDITIONS,
            **fields,
        },
    )


def test_the_answer_names_what_was_compared_and_under_what_conditions():
    then = account(1.0, 2.0, files={"a": "1", "b": "2"})
    now = account(1.5, 1.75, files={"a": "1", "b": "3"}, usage=Usage(1.0, 0.5, 2048))
    found = compare(then, now, confidence=0.95, root="/lab", conditions=CONDITIONS)
    text = reproduction_text(shown(found), width=100)
    for line in (
        "Verdict     reproduced within noise",
        "loss         1.5 (mean of 2)  1.625 (mean of 2)  within noise",
        "wall time    -                1 s",
        "Files       1 the same, 1 different (b)",
        "spec        another (edited since: goal): 0000000000000000, now 1111111111111111",
        "workspace   unknown whether as it was (it may have changed): copy of /ws, now copy of /ws",
        "cpu count   as it was: 2",
    ):
        assert line in text.splitlines(), text


def test_what_cannot_be_reproduced_has_no_table():
    found = shown(cannot("the commit is gone.", "Fetch it."))
    assert "THEN" not in reproduction_text(found, width=80)
    assert verdict(found) == "Cannot be reproduced: the commit is gone"


@pytest.mark.parametrize("width", [40, 80])
def test_hostile_names_stay_on_their_lines(width):
    names = {f"{HOSTILE}{number}": "1" for number in range(30)}
    then, now = account(1.0, files=names, beside=HOSTILE), account(2.0, files={}, beside=HOSTILE)
    conditions = (Condition(HOSTILE, HOSTILE, HOSTILE, same=False, note=HOSTILE),)
    found = compare(then, now, confidence=0.95, root="/lab", conditions=conditions)
    text = reproduction_text(
        shown(found, metric=HOSTILE, params={HOSTILE: HOSTILE}, fidelity_tier=HOSTILE), width=width
    )
    assert "\x1b" not in text
    assert max(map(cells, text.splitlines())) <= width
