"""Holds ``hermes.executing.metric``: what counts as a measurement, and what never does."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.codec import to_json
from hermes.executing.metric import MAX_BYTES, MAX_SECONDARY, Reading, read_metric
from hermes.model import Outcome

NOT_FINITE = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5000, "-" + "9" * 5000)


def document(text: str | bytes, *outputs: str) -> Reading:
    content = text.encode() if isinstance(text, str) else text
    printed = [output.encode() for output in outputs]
    return read_metric("loss", documents=[("metrics.json", content)], outputs=printed)


def printed(*outputs: str | bytes) -> Reading:
    encoded = [output.encode() if isinstance(output, str) else output for output in outputs]
    return read_metric("loss", documents=[], outputs=encoded)


def test_the_value_of_a_document_is_the_metric_and_other_numbers_are_secondary() -> None:
    reading = document('{"value": 2, "acc": 0.5, "n": 3, "flag": true, "note": "x", "bad": NaN}')
    assert reading == Reading(Outcome.SUCCESS, 2.0, {"acc": 0.5, "n": 3.0})


def test_a_key_named_like_the_metric_serves_when_there_is_no_value() -> None:
    assert document('{"loss": 0.25}').value == 0.25
    assert document('{"loss": 0.25, "value": 0.5}').value == 0.5


def test_a_document_goes_before_what_is_printed() -> None:
    assert document('{"loss": 1}', "loss: 2\n3\n").value == 1.0


def test_a_document_without_the_metric_leaves_it_to_standard_output_and_adds_its_numbers() -> None:
    reading = document('{"epochs": 3}', "0.5\n")
    assert reading == Reading(Outcome.SUCCESS, 0.5, {"epochs": 3.0})


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "0.5", '{"value": 1', b"\xff\xfe{}", "[" * 100_000]
)
def test_a_malformed_document_is_an_invalid_metric_whatever_is_printed(text: str | bytes) -> None:
    reading = document(text, "0.5\n")
    assert reading.outcome is Outcome.INVALID_METRIC
    assert reading.value is None
    assert "metrics.json" in reading.reason


def test_a_document_that_is_too_large_is_an_invalid_metric() -> None:
    assert document(b" " * (MAX_BYTES + 1)).outcome is Outcome.INVALID_METRIC


@pytest.mark.parametrize("raw", [*NOT_FINITE, "true", "false", '"0.5"', "[1]", '{"a": 1}'])
def test_what_is_no_finite_number_is_an_invalid_metric(raw: str) -> None:
    for reading in (
        document(f'{{"value": {raw}, "acc": 1}}'),
        document(f'{{"loss": {raw}, "acc": 1}}', "0.5\n"),
        printed(f'loss: 0.5\n{{"loss": {raw}, "acc": 1}}\n'),
    ):
        assert reading.outcome is Outcome.INVALID_METRIC
        assert reading.value is None
        assert reading.secondary == {}
        assert len(reading.reason) < 200


def test_an_explicit_null_means_that_there_is_no_value() -> None:
    assert document('{"value": null}', "0.5\n").outcome is Outcome.NO_METRIC


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-Infinity", "+inf", "1e999"])
def test_a_printed_number_that_is_not_finite_is_an_invalid_metric(text: str) -> None:
    assert printed(f"loss: 0.5\n{text}\n").outcome is Outcome.INVALID_METRIC
    assert printed(f"loss: 0.5\nloss: {text}\ndone\n").outcome is Outcome.INVALID_METRIC


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ("0.5", 0.5),
        ("training\n-1e-3\n\n  \n", -0.001),
        ("+.5\n", 0.5),
        ("5.\n", 5.0),
        ("10%\r50%\r7\n", 7.0),
        ("a\r\n8\r\n", 8.0),
        ('x\n{"loss": 3, "acc": 1}\n', 3.0),
        ('{"value": 4}', 4.0),
        ("loss: 1\nloss: 2\ndone\n", 2.0),
        ("  loss :\t6  \nfinished", 6.0),
        ('loss: 1\n{"status": "ok"}\n', 1.0),
        ("loss: 1\n{broken\n", 1.0),
        ("loss: 1\n[2]\n", 1.0),
        ("loss: 1\ntrue\n", 1.0),
        ("loss: 1\n1_000\n", 1.0),
        ("\u2028loss: 1\nloss: 2", 2.0),
    ],
)
def test_standard_output_is_read_from_its_end(output: str, value: float) -> None:
    assert printed(output).value == value


@pytest.mark.parametrize(
    "output",
    [
        "",
        "\n \n",
        "hello\n",
        "my_loss: 1\n",
        "loss: high\n",
        "loss: 1 (best)\n",
        "Loss: 1\n",
        '"3"\n',
    ],
)
def test_no_metric_is_said_to_be_none(output: str) -> None:
    reading = printed(output)
    assert reading.outcome is Outcome.NO_METRIC
    assert "loss" in reading.reason


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        (['x\n{"val_loss": 0.25, "epoch": 3}\n'], ["no key 'loss'", "it has 'val_loss', 'epoch'"]),
        (["{}"], ["no key 'loss'", "it is empty"]),
        ([json.dumps({f"k{n}": n for n in range(9)})], ["'k4' and 4 more"]),
        ([json.dumps({"k" * 500: 1})], ["'" + "k" * 29 + "..."]),
        (['{"loss": null}'], ["says that there is no value"]),
        (["epoch 1\n{'loss': 0.25}\n \n"], ["\"{'loss': 0.25}\"", "`loss: <number>`"]),
        (["Loss = 0.25 \x1b[0m\n"], ["'Loss = 0.25 \\x1b[0m'"]),
        (["long " * 500], ["long long..."]),
        (["", "saved\n"], ["'saved'"]),
        (["tests passed", "saved\n"], ["'tests passed'"]),
        (["", "\n "], ["nothing on standard output", "'loss'"]),
        ([], ["nothing on standard output"]),
    ],
)
def test_a_missing_metric_is_told_with_what_stood_in_its_place(
    outputs: list[str], told: list[str]
) -> None:
    reading = printed(*outputs)
    assert reading.outcome is Outcome.NO_METRIC
    assert reading.reason.startswith("no metrics.json, and ")
    assert len(reading.reason) < 350
    assert reading.reason.isprintable()
    for words in told:
        assert words in reading.reason


def test_a_document_without_the_metric_is_told_with_its_keys() -> None:
    reading = document('{"val_loss": 0.25}', "done\n")
    assert "metrics.json has neither 'value' nor 'loss' (it has 'val_loss')" in reading.reason


def test_the_last_command_is_asked_before_the_ones_before_it() -> None:
    assert printed("2\n", "1\n").value == 2.0
    assert printed("tests passed\n", "1\n").value == 1.0
    assert printed("loss: 2\n", "1\n").value == 2.0


def test_a_metric_whose_name_is_an_expression_is_taken_literally() -> None:
    line = b"f1(x)+: 3\nok\n"
    assert read_metric("f1(x)+", documents=[], outputs=[line]).value == 3.0
    assert read_metric("f1.x..", documents=[], outputs=[line]).value is None


def test_secondary_metrics_are_bounded_and_their_names_are_text() -> None:
    many = {"value": 1.0, "\ud800": 2.0, **{f"m{n}": n for n in range(MAX_SECONDARY + 10)}}
    reading = document(json.dumps(many))
    assert len(reading.secondary) == MAX_SECONDARY
    assert all(name.encode() for name in reading.secondary)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMED = st.dictionaries(st.sampled_from(["value", "loss", "acc", "n"]) | st.text(), ANY_JSON)
TEXT = st.text(max_size=40) | NAMED.map(json.dumps) | st.floats().map(repr)
LINES = st.lists(TEXT | st.floats().map("loss: {!r}".format), max_size=5).map("\n".join)


@given(
    documents=st.lists(st.binary(max_size=60) | NAMED.map(json.dumps).map(str.encode), max_size=2),
    outputs=st.lists(LINES.map(lambda text: text.encode("utf-8", "replace")), max_size=2),
)
def test_whatever_a_command_leaves_there_is_a_finite_value_or_no_number_at_all(
    documents: list[bytes], outputs: list[bytes]
) -> None:
    named = [("metrics.json", content) for content in documents]
    reading = read_metric("loss", documents=named, outputs=outputs)
    if reading.outcome is Outcome.SUCCESS:
        assert reading.value is not None
        assert math.isfinite(reading.value)
        assert not reading.reason
    else:
        assert reading.outcome in (Outcome.NO_METRIC, Outcome.INVALID_METRIC)
        assert reading.value is None
        assert reading.secondary == {}
        assert reading.reason
    assert all(math.isfinite(number) for number in reading.secondary.values())
    to_json(reading)  # strict: raises for NaN


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_survives_each_way(number: float) -> None:
    text = json.dumps(number)
    assert document(f'{{"value": {text}}}').value == number
    assert printed(f"noise\n{text}\n").value == number
    assert printed(f"loss: {number!r}\nnoise\n").value == number


@given(st.sampled_from(NOT_FINITE), st.text(max_size=20).filter(lambda text: "\n" not in text))
def test_a_number_that_is_not_finite_is_never_hidden_by_one_before_it(raw: str, noise: str) -> None:
    before = f"loss: 1\n2\n{noise.encode('utf-8', 'replace').decode()}\n"
    assert printed(f'{before}{{"value": {raw}}}\n').outcome is Outcome.INVALID_METRIC


# In the code loop


@pytest.mark.parametrize(
    ("printed", "documents", "said"),
    [
        (b'{"loss": 1}\n{"loss": 2}\n', [], "two metrics contradict each other"),
        (b'0.001\n{"loss": 2}\n', [], "two metrics contradict each other"),
        (b"loss: 1\n2\n", [], "two metrics contradict each other"),
        (b'{"loss": 2}\n', [("metrics.json", b'{"value": 1}')], "two metrics contradict"),
        (b"loss: nan\n2\n", [], "two metrics contradict each other"),
        (b"", [("metrics.json", b'{"value": 1}'), ("artifacts/metrics.json", b'{"value": 2}')], ""),
    ],
)
def test_where_it_is_strict_two_metrics_that_contradict_each_other_are_none(
    printed, documents, said
):
    reading = read_metric("loss", documents=documents, outputs=[printed], strict=True)
    assert (reading.outcome, reading.value) == (Outcome.INVALID_METRIC, None)
    assert said in reading.reason
    assert read_metric("loss", documents=documents, outputs=[printed]).value is not None


def test_where_it_is_strict_the_same_metric_twice_is_one():
    documents = [("metrics.json", b'{"value": 2.0, "other": 7}')]
    printed = b'loading 3 files\n{"loss": 2}\nloss: 2\n'
    assert read_metric("loss", documents=documents, outputs=[printed], strict=True).value == 2.0
