"""Holds ``audit``: what is wrong with an evaluator is said before the first run."""

from __future__ import annotations

import json
import sys

import pytest
from gaming import make_gamed
from labs import a_lab, an_experiment, hermes, lines

from hermes.acceptance.audit import (
    Audit,
    Kind,
    Noise,
    Probe,
    Severity,
    Traces,
    judge,
    noise_of,
    suggest,
)
from hermes.errors import RequestError
from hermes.model import Outcome
from hermes.spec import Acceptance
from hermes.steps.audit import audit

PYTHON = sys.executable


@pytest.fixture
def lab(tmp_path):
    return a_lab(tmp_path / "lab-data")


@pytest.fixture
def workspace(tmp_path):
    return make_gamed(tmp_path / "ws")


def audited(lab, tmp_path, repeats=3, **fields):
    """Register a loop over the workspace and audit it."""
    given = {
        **dict.fromkeys(("strategy", "search_space")),
        "workspace_root": "ws",
        "workspace_mode": "copy",
        "mutable_paths": ["src/**"],
        "read_only_paths": ["eval/**"],
        "executor_command": f"{PYTHON} bench.py",
        "mutation_command": "true",
        **fields,
    }
    an_experiment(lab, tmp_path, **given)
    return audit(lab, "exp", repeats=repeats)


def told(report):
    return [(finding.severity.value, finding.what) for finding in report.audit.findings]


def says(report, severity, words):
    return any(found == severity and words in what for found, what in told(report))


def test_an_honest_evaluator_has_notes_at_most_and_leaves_no_trace(lab, tmp_path, workspace):
    before = {path for path in lab.layout.root.rglob("*") if path.is_file()}
    report = audited(lab, tmp_path)
    assert report.audit.is_fine
    assert {finding.severity for finding in report.audit.findings} == {Severity.NOTE}
    assert [(probe.kind.value, probe.value) for probe in report.probes] == [
        *[("as-is", 100.0)] * 3,
        ("garbage", None),
        ("empty", None),
        ("broken", None),
        ("printing", None),
    ]
    assert report.audit.noise.is_none
    assert report.audit.suggestion.repeats == 1
    assert lines(lab) == ()
    after = {path for path in lab.layout.root.rglob("*") if path.is_file()}
    new = {str(path.relative_to(lab.layout.root)) for path in after - before}
    assert {name for name in new if not name.startswith(("registry/", "experiments/"))} == set()
    assert not lab.leases.read("exp").held


def test_an_evaluator_that_measures_the_users_own_tree_is_found(lab, tmp_path, workspace):
    bench = (workspace / "bench.py").read_text().replace('"src"', f'"{workspace}/src"')
    (workspace / "bench.py").write_text(bench)
    report = audited(lab, tmp_path)
    assert says(report, "error", "what is measured is no candidate")
    assert says(report, "error", "stands in bench.py")
    assert "relative paths" in report.audit.findings[0].next_step


def test_an_evaluator_that_ignores_the_candidate_is_found(lab, tmp_path, workspace):
    report = audited(lab, tmp_path, executor_command="echo 7")
    assert says(report, "error", "what is measured is no candidate")
    assert "cached" in report.audit.findings[0].next_step


def test_an_evaluator_that_forgives_errors_is_found(lab, tmp_path, workspace):
    forgiving = (
        "try:\n    import fast\n    value = 100 - fast.answer()\nexcept Exception:\n    value = 0\n"
    )
    (workspace / "bench.py").write_text(
        f"import sys\nsys.path[1:1] = ['src']\n{forgiving}print(value)\n"
    )
    report = audited(lab, tmp_path)
    assert says(
        report, "warning", "nonsense in the place of every mutable file is given a number: 0"
    )
    assert not report.audit.is_fine


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("echo x >> bench.py; echo 1", "touches the evaluator itself: changed while"),
        ("echo loss: 1; echo loss: 2", "no valid metric: two metrics contradict"),
        ("echo nan", "no valid metric"),
        ("echo nothing to see", "has no metric"),
        ("exit 3", "cannot be measured: executor_command: exit status 3"),
    ],
)
def test_an_evaluator_that_gives_no_number_is_told_why(lab, tmp_path, workspace, command, words):
    report = audited(lab, tmp_path, executor_command=command)
    assert says(report, "error", words)
    assert report.audit.noise is None
    assert all(finding.next_step for finding in report.audit.findings)


def test_writing_into_the_users_workspace_is_found(lab, tmp_path, workspace):
    report = audited(
        lab, tmp_path, executor_command=f"echo x >> {workspace}/log; {PYTHON} bench.py"
    )
    assert says(report, "error", "measuring writes into your own workspace: ")
    assert says(report, "error", "ws/log")


def test_noise_is_told_and_a_rule_suggested(lab, tmp_path, workspace):
    noisy = "import random; n = random.gauss(0, 1)\n"
    bench = noisy + (workspace / "bench.py").read_text().replace(
        "fast.answer()", "fast.answer() + n"
    )
    (workspace / "bench.py").write_text(bench)
    report = audited(lab, tmp_path, repeats=4)
    assert says(report, "warning", "the same code differs from measurement to measurement")
    assert (report.audit.noise.count, report.audit.suggestion.repeats) == (4, 5)
    assert report.audit.suggestion.min_improvement > report.audit.noise.standard_deviation


def test_what_is_no_code_loop_is_refused(lab, tmp_path):
    an_experiment(lab, tmp_path)
    with pytest.raises(RequestError, match="changes no code"):
        audit(lab, "exp", repeats=2)


def test_while_somebody_works_on_the_experiment_nothing_is_measured(lab, tmp_path, workspace):
    audited(lab, tmp_path, repeats=2)
    lease = lab.leases.acquire("exp")
    assert audit(lab, "exp", repeats=2) is None
    lab.leases.release(lease)


def test_the_command_prints_a_table_or_one_document_and_exits_by_what_it_found(
    lab, tmp_path, workspace
):
    audited(lab, tmp_path, repeats=2)
    fine = hermes(lab.layout.root, "audit", "exp=exp", "repeats=2")
    assert (fine.returncode, fine.stderr) == (0, "")
    assert "the code as it is" in fine.stdout
    (workspace / "bench.py").write_text("print(1)\n")
    found = hermes(lab.layout.root, "audit", "exp=exp", "repeats=2", "format=json")
    assert found.returncode == 1
    document = json.loads(found.stdout)
    assert document["audit"]["findings"][0]["severity"] == "error"
    assert "not to be trusted" in found.stderr


# Judging


def probes(*values, kind=Kind.AS_IS, seconds=1.0):
    return [Probe(kind, Outcome.SUCCESS, value=value, seconds=seconds) for value in values]


def verdicts(found: Audit) -> list[str]:
    return [finding.severity.value for finding in found.findings]


def test_the_noise_is_that_of_the_code_as_it_is_alone():
    noise = noise_of([*probes(1, 2, 3), *probes(99, kind=Kind.GARBAGE)])
    assert noise == Noise(3, 2.0, 1.0, 1, 3, 1.0)
    assert noise_of(probes(1)) is None


def test_the_suggested_improvement_is_beaten_by_luck_in_one_case_of_twenty():
    """5 measurements of standard deviation 1: t(0.05; 4) = 2.132, times the root of 2."""
    noise = Noise(5, 0.0, 1.0, -1.0, 1.0, 1.0)
    assert suggest(noise).min_improvement == 3.0


def test_a_rule_that_is_stricter_than_the_noise_is_let_be():
    noisy = [*probes(1, 2, 3), Probe(Kind.GARBAGE, Outcome.FAILED)]
    assert verdicts(judge(noisy, Traces(), Acceptance(min_improvement=9), 60)) == []
    assert verdicts(judge(noisy, Traces(), Acceptance(repeats=3), 60)) == []
    relative = Acceptance(min_improvement=2.0, relative=True)
    assert verdicts(judge(noisy, Traces(), relative, 60)) == ["warning"]


def test_a_measurement_that_needs_most_of_its_time_is_told():
    slow = [*probes(1, 1, seconds=40), Probe(Kind.GARBAGE, Outcome.FAILED)]
    assert verdicts(judge(slow, Traces(), Acceptance(), 60)) == ["warning"]
    assert verdicts(judge(slow, Traces(), Acceptance(), 100)) == []
