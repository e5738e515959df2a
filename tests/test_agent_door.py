"""The two commands of an agent, as it calls them: one JSON document each, and an exit code."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from agent_cases import VALUE, a_lab_with_a_loop, ask, sent
from doors import installed, run_doit
from forked import begin, command, done
from labs import an_experiment, burst, lines

from hermes.lab import Lab
from hermes.model import Origin, Phase
from hermes.rules import plan
from hermes.steps.lifecycle import set_phase

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def lab(tmp_path):
    return a_lab_with_a_loop(tmp_path / "lab", tmp_path)


def asked(lab, *words: str) -> dict:
    return json.loads(done(lab.layout.root, "agent_next", *words).out)


def written(lab, data: bytes, name: str = "answer.json") -> str:
    path = lab.layout.root.parent / name
    path.write_bytes(data)
    return f"file={name}"


def answered(lab, data: bytes, *words: str):
    """Submit, and return the exit code and the one document that was printed."""
    answer = command(lab.layout.root, "agent_submit", written(lab, data), *words)
    return answer.code, json.loads(answer.out)


def refused(lab, data: bytes, *words: str) -> tuple[int, str]:
    code, document = answered(lab, data, *words)
    assert set(document) == {"error"}
    assert set(document["error"]) == {"code", "message", "next"}
    assert all(document["error"].values())
    return code, document["error"]["code"]


def test_two_commands_make_a_loop(lab):
    for value in (7, 5):
        work = asked(lab, "worker=ada")
        code, verdict = answered(lab, sent(work["dispatch_id"], value), "worker=ada")
        assert (code, verdict["outcome"], verdict["accepted"]) == (0, "success", True)
        assert verdict["value"] == verdict["best"]["value"] == value
        assert verdict["best"]["run_id"] == verdict["run_id"]
    assert verdict["compared_with"] == lines(lab)[1].run_id
    assert "`hermes-lab agent_next exp=exp worker=ada`" in verdict["next"]
    gone = command(
        lab.layout.root, "agent_submit", written(lab, sent("exp-item-0", 1)), "worker=ada"
    )
    assert "`hermes-lab agent_next worker=ada`" in json.loads(gone.out)["error"]["next"]


def test_the_work_says_all_that_an_agent_needs(lab):
    burst(lab, "exp", 1)
    work = asked(lab)
    assert work["experiment"] == "exp"
    assert work["files"] == {VALUE: "10\n"}
    assert work["left_out"] == [{"path": "src/logo.bin", "bytes": 3, "why": "not text"}]
    assert work["mutable_paths"] == ["src/**"]
    assert work["read_only_paths"] == ["bench.sh", "src/kept/*"]
    assert (work["metric"], work["metric_direction"]) == ("loss", "minimize")
    assert work["best"] == {"run_id": lines(lab)[0].run_id, "value": 10.0}
    assert set(work["summaries"]) == {"SUMMARY.md", "NEXT.md", "context.md"}
    assert all(work["summaries"].values())
    assert "agent_submit file=FILE worker=agent" in work["answer"]["command"]
    keys = {"role", "goal", "fidelity_tier", "time_budget_minutes", "deadline", "instructions"}
    assert keys <= set(work)


def test_the_instruction_file_comes_along(tmp_path):
    notes = tmp_path / "notes.md"
    notes.write_text("think first\n")
    lab = a_lab_with_a_loop(tmp_path / "lab", tmp_path, agent_instruction_file=str(notes))
    assert asked(lab)["instructions"] == {"path": str(notes), "text": "think first\n"}


def test_a_large_file_is_named_and_left_out(lab, tmp_path):
    (tmp_path / "workspace" / "src" / "big.txt").write_text("x" * 300_000)
    work = asked(lab)
    assert {"path": "src/big.txt", "bytes": 300_000, "why": "too large"} in work["left_out"]
    assert VALUE in work["files"]


def test_without_work_there_are_two_braces_and_exit_code_6(lab):
    set_phase(lab, "exp", Phase.PAUSED, "enough")
    for words in ((), ("exp=exp",), ("executor_class=gpu",)):
        answer = command(lab.layout.root, "agent_next", *words)
        assert (answer.code, answer.out) == (6, "{}\n")
        assert answer.err


def test_why_an_experiment_that_was_named_has_no_work_is_said(lab):
    answer = command(lab.layout.root, "agent_next", "exp=exp", "executor_class=gpu")
    assert (answer.code, answer.out) == (6, "{}\n")
    assert "exp has no work for the executor class 'gpu'." in answer.err
    set_phase(lab, "exp", Phase.PAUSED, "too hot here.")
    answer = command(lab.layout.root, "agent_next", "exp=exp")
    assert (answer.code, answer.out) == (6, "{}\n")
    assert "exp has no work now: it is paused: too hot here.\n" in answer.err


def test_the_agents_page_says_what_the_spec_needs():
    page = (REPOSITORY / "AGENTS.md").read_text()
    assert "`agent_provider: dispatch` keeps the lab from asking anybody itself" in page


def test_what_has_no_code_is_one_json_error(lab, tmp_path):
    an_experiment(lab, tmp_path, "search")
    answer = command(lab.layout.root, "agent_next", "exp=search")
    assert answer.code == 3
    assert json.loads(answer.out)["error"]["code"] == "no-code-loop"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda data: b"{", "malformed"),
        (lambda data: b"", "malformed"),
        (lambda data: data.replace(b"exp-item", b"gone-item"), "unknown-item"),
        (lambda data: data.replace(b"src/value.txt", b"../value.txt"), "outside"),
        (lambda data: data.replace(b"src/value.txt", b"bench.sh"), "outside"),
        (lambda data: data.replace(b'"7\\n"', b"7"), "not-text"),
    ],
)
def test_what_is_refused_is_one_json_error_and_exit_code_3(lab, change, expected):
    data = sent(asked(lab)["dispatch_id"], 7)
    assert refused(lab, change(data)) == (3, expected)
    assert answered(lab, data)[1]["accepted"] is True


def test_another_worker_and_a_missing_file_are_refused(lab):
    data = sent(asked(lab, "worker=ada")["dispatch_id"], 7)
    assert refused(lab, data, "worker=bob") == (3, "not-yours")
    answer = command(lab.layout.root, "agent_submit", "file=nowhere.json")
    assert (answer.code, json.loads(answer.out)["error"]["code"]) == (3, "no-file")


def test_what_comes_too_late_is_refused_and_kept(tmp_path):
    lab = a_lab_with_a_loop(tmp_path / "lab", tmp_path, time_budget_minutes=1)
    item = ask(lab, "agent").item
    path = lab.layout.item(item.dispatch_id).folder
    old = item.__class__(**{**vars(item), "deadline": "2026-01-31T09:30:00.000000Z"})
    lab.items.remove(item.dispatch_id)
    lab.items.publish(old)
    assert refused(lab, sent(item.dispatch_id, 7)) == (3, "late")
    assert not path.exists()
    assert lab.layout.set_aside(item.dispatch_id, 1).is_dir()


def test_a_run_that_failed_is_a_verdict_and_exit_code_1(lab):
    code, verdict = answered(lab, sent(asked(lab)["dispatch_id"], None))
    assert (code, verdict["outcome"], verdict["value"]) == (1, "failed", None)
    assert verdict["reason"]


def test_a_rejection_is_a_verdict_and_exit_code_0(lab):
    code, verdict = answered(lab, sent(asked(lab)["dispatch_id"], 11))
    assert (code, verdict["outcome"], verdict["measured"]) == (0, "rejected", 11.0)


def test_the_same_file_again_gives_the_same_verdict(lab):
    data = sent(asked(lab)["dispatch_id"], 7)
    assert answered(lab, data) == answered(lab, data)
    assert [line.origin for line in lines(lab)] == [Origin.BASELINE, Origin.AGENT]


def test_while_another_works_what_was_sent_is_kept_and_exit_code_5_says_so(lab, monkeypatch):
    monkeypatch.setattr(plan, "WAIT_SECONDS", 0.0)
    data = sent(asked(lab)["dispatch_id"], 7)
    lease = lab.leases.acquire("exp")
    assert refused(lab, data) == (5, "busy")
    lab.leases.release(lease)
    assert answered(lab, data)[1]["value"] == 7.0


def test_what_a_person_holds_back_is_kept_and_told(lab):
    data = sent(asked(lab)["dispatch_id"], 7)
    set_phase(lab, "exp", Phase.PAUSED, "wait")
    assert refused(lab, data) == (3, "held-back")
    set_phase(lab, "exp", Phase.ACTIVE, "go on")
    assert answered(lab, data)[1]["value"] == 7.0


def test_a_cycle_measures_what_an_agent_left_behind_and_nothing_else(lab, monkeypatch):
    done(lab.layout.root, "run_once")
    assert [line.origin for line in lines(lab)] == [Origin.BASELINE]
    quiet = done(lab.layout.root, "run_once")
    assert (quiet.out, len(lines(lab))) == ("", 1)
    monkeypatch.setattr(plan, "WAIT_SECONDS", 0.0)
    data = sent(asked(lab)["dispatch_id"], 7)
    lease = lab.leases.acquire("exp")
    answered(lab, data)
    lab.leases.release(lease)
    done(lab.layout.root, "run_once")
    assert [line.origin for line in lines(lab)] == [Origin.BASELINE, Origin.AGENT]
    assert lab.items.held() == []


def test_a_pipe_is_read_as_a_file_is(lab):
    item = asked(lab)["dispatch_id"]
    pipe = lab.layout.root.parent / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(sent(item, 7)))
    writer.start()
    answer = command(lab.layout.root, "agent_submit", "file=pipe")
    writer.join()
    assert json.loads(answer.out)["value"] == 7.0


def test_several_agents_at_once_each_get_their_own_and_nothing_is_measured_twice(lab):
    root, names = lab.layout.root, ("ada", "bob", "cyd", "dan")
    begun = [begin(root, "agent_next", f"worker={name}") for name in names]
    works = [json.loads(running.end().out) for running in begun]
    assert len({work["dispatch_id"] for work in works}) == len(names)
    begun = []
    for name, work, value in zip(names, works, (9, 8, 7, 6), strict=True):
        file = written(lab, sent(work["dispatch_id"], value), f"{name}.json")
        begun.append(begin(root, "agent_submit", file, f"worker={name}"))
    answers = [json.loads(running.end().out) for running in begun]
    assert {answer["dispatch_id"] for answer in answers} == {work["dispatch_id"] for work in works}
    runs = [line for line in lines(Lab(root)) if line.origin is Origin.AGENT]
    assert len({line.request for line in runs}) == len(runs) == len(names)
    assert sum(line.origin is Origin.BASELINE for line in lines(lab)) == 1
    assert lines(lab)[-1].seq == len(names) + 1
    assert min(line.code.measured for line in runs) == 6.0
    assert lab.items.held() == []


def test_one_worker_that_asks_from_several_processes_gets_one_item(lab):
    begun = [begin(lab.layout.root, "agent_next", "worker=ada") for _ in range(4)]
    answers = [json.loads(running.end().out)["dispatch_id"] for running in begun]
    assert len(set(answers)) == 1
    assert len(lab.items.held()) == 1


def test_the_same_answer_from_several_processes_is_measured_once(lab):
    file = written(lab, sent(asked(lab)["dispatch_id"], 7))
    begun = [begin(lab.layout.root, "agent_submit", file) for _ in range(3)]
    verdicts = [json.loads(running.end().out) for running in begun]
    assert len({verdict["run_id"] for verdict in verdicts}) == 1
    assert sum(line.origin is Origin.AGENT for line in lines(lab)) == 1


def test_the_agents_page_names_both_commands_and_every_code_of_an_error(lab):
    page = (REPOSITORY / "AGENTS.md").read_text()
    for word in ("agent_next worker=NAME", "agent_submit file=FILE worker=NAME", '"error"'):
        assert word in page


# Refused before the command's own task could answer


@pytest.mark.parametrize(
    ("words", "told", "then"),
    [
        ("agent_submit worker=w2", "agent_submit needs file=.", "Usage: agent_submit file=PATH"),
        ("agent_next exp=nope", "No experiment is called 'nope'.", "experiments"),
        ("agent_next exp=exq", "No experiment is called 'exq'.", "'exp'"),
        ("agent_next wrker=w2", "agent_next takes no variable 'wrker'.", "worker="),
        ("agent_next format=text", "No format is called 'text'.", "json"),
        ("agent_next worker=a worker=b", "worker= is given twice.", "once"),
        ("agent_next exp", "exp is an experiment, and not a task.", "Write exp=exp."),
        ("run agent_next exp=nope", "No experiment is called 'nope'.", "experiments"),
    ],
)
def test_a_request_that_is_wrong_is_one_json_error_too(lab, words, told, then):
    answer = command(lab.layout.root, *words.split())
    assert (answer.code, answer.err) == (3, "")
    error = json.loads(answer.out)["error"]
    assert error["code"] == "request"
    assert told in error["message"]
    assert then in error["next"]


def test_a_fault_of_the_lab_is_one_json_error_too(lab, monkeypatch):
    def broken(*_):
        raise ValueError("broken")

    monkeypatch.setattr("hermes.steps.agent_next.next_work", broken)
    answer = command(lab.layout.root, "agent_next")
    assert (answer.code, answer.err) == (2, "")
    error = json.loads(answer.out)["error"]
    assert error["code"] == "fault"
    assert "ValueError: broken" in error["message"]
    assert "traceback" in error["next"]


def test_the_other_door_speaks_json_of_a_wrong_request_too(lab, tmp_path):
    environ = {**installed(tmp_path), "HERMES_LAB_DATA_ROOT": str(lab.layout.root)}
    for words in (("agent_submit", "worker=w2"), ("agent_next", "exp=nope")):
        answer = run_doit("-f", str(REPOSITORY / "dodo.py"), *words, cwd=tmp_path, environ=environ)
        assert answer.returncode == 3
        assert json.loads(answer.stdout)["error"]["code"] == "request"


def test_the_same_fault_of_another_command_is_told_to_a_person(lab):
    answer = command(lab.layout.root, "burst", "exp=nope")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err.startswith("ERROR: No experiment is called 'nope'.\n")
    answer = command(lab.layout.root, "list", "agent_next", "exp=nope")
    assert answer.out == ""
