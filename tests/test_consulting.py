"""Agents that propose, as real commands through whole labs: each kind, and what is kept of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from fake_agents import SAMPLES, Tools, adapter_of
from labs import ENVIRON, a_lab, an_experiment, burst, hermes, lines, write_spec
from render_reading import outside_fences

from hermes.errors import RequestError
from hermes.executing import local
from hermes.executing.environment import ANY_PARAMETER, CONTRACT_KEYS
from hermes.lab import Lab
from hermes.model import Origin, Outcome
from hermes.render.text import prose
from hermes.search.llm_options import MOST_RETRIES
from hermes.steps.approving import question
from hermes.steps.create import create
from hermes.steps.opening import opened
from hermes.steps.plan import FENCED, HALTED, Planned, Stop, plan
from hermes.steps.session import Order
from hermes.steps.verify import verify

ATTENDED = Order(attended=True)
NUMBER = """n=$(sed -n '1s/.*trial \\([0-9]*\\).*/\\1/p' "$LAB_PROMPT_PATH")\n"""
ANSWER = """printf '{"params": {"x": %s}, "hypothesis": "try %s"}' "$n" "$n"\n"""
GOOD = NUMBER + ANSWER
SPACE = {"x": {"type": "float", "low": 0, "high": 100}}
NO_SUCH_TOOL = """
from hermes.agents.adapter import Adapter, Line, Reply

ADAPTER = Adapter("mine", lambda r: Line(("no-such",)), lambda o: Reply(o.stdout), "no-such")
"""
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")


@pytest.fixture
def lab(tmp_path) -> Lab:
    return a_lab(tmp_path / "lab-data")


@pytest.fixture
def asks(tmp_path):
    """Return where the agents note that they were asked, a line each time."""
    return tmp_path / "asks"


@pytest.fixture
def experiment(lab, tmp_path, asks):
    """Return what registers an experiment whose agent is a shell script."""

    def register(script: str, *, name: str = "exp", options: dict | None = None, **fields) -> str:
        path = tmp_path / f"{name}-agent.sh"
        path.write_text(f"echo asked >> '{asks}'\n{script}")
        given = {"command": f"sh '{path}'", **(options or {})}
        fields = {"search_space": SPACE, "strategy": "llm", "strategy_options": given, **fields}
        return an_experiment(lab, tmp_path, name, **fields)

    return register


def count(asks) -> int:
    return len(asks.read_text().splitlines()) if asks.exists() else 0


def plan_of(lab: Lab, run: str) -> str:
    return lab.layout.experiment("exp").run(run).plan.read_text()


def note_of(lab: Lab, run: str) -> str:
    return lab.bundles.read("exp", run).manifest.note


def fallen_back(lab: Lab, experiment: str, **order) -> str:
    """Make one run, which the fallback must have proposed; return its note."""
    assert burst(lab, experiment, 1, **order).successes == 1
    (line,) = lines(lab)
    assert line.strategy == "llm"
    assert 0 <= line.params["x"] <= 100
    note = note_of(lab, line.run_id)
    assert note.startswith("random chose it, for the agent proposed nothing usable ")
    assert prose(note) in plan_of(lab, line.run_id)
    assert verify(lab).problems == ()
    return note


# Each kind of agent


def test_a_good_agent_proposes_every_run_and_its_exchange_is_sealed(lab, experiment, asks):
    experiment(GOOD)
    assert burst(lab, "exp", 3).successes == 3
    found = lines(lab)
    assert [(line.params["x"], line.strategy) for line in found] == [
        (1.0, "llm"),
        (2.0, "llm"),
        (3.0, "llm"),
    ]
    assert count(asks) == 3
    text = plan_of(lab, found[2].run_id)
    assert note_of(lab, found[2].run_id) == "try 3"
    assert "# Propose the parameters of trial 3" in text
    assert '{"trial":2,"value":2.0,"params":{"x":2.0}}' in text
    assert '{"params": {"x": 3}, "hypothesis": "try 3"}' in text
    assert "### The prompt" in outside_fences(text)
    assert verify(lab).problems == ()
    assert not list(lab.layout.calls("exp").iterdir())


def test_an_agent_may_take_its_time_and_talk_around_its_answer(lab, experiment):
    experiment(
        NUMBER
        + "sleep 0.3; echo 'Let me see: {\"params\": {\"x\": 99}} is too large.'; echo '```json'\n"
        + ANSWER
        + "echo; echo '```'; echo 'Good luck {friend}!'; echo grumble >&2"
    )
    burst(lab, "exp", 2)
    assert [line.params["x"] for line in lines(lab)] == [1.0, 2.0]
    assert "grumble" not in plan_of(lab, lines(lab)[0].run_id)


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("echo 'I would try x = 3'", "the answer has no JSON object with `params`"),
        ("""echo '{"params": {"x": 3}'""", "the answer has no JSON object with `params`"),
        ("""echo '{"params": {"x": NaN}}'""", "not strict JSON: NaN is not JSON"),
        ("""echo '{"params": {"x": 101}}'""", "x: 101 is not a number from 0.0 to 100.0"),
        ("true", "the answer is empty"),
        ("echo '{}'; echo 'no credit' >&2; exit 3", "exit status 3: no credit"),
        ("kill -KILL $$", "exit status 137"),
    ],
)
def test_what_cannot_be_used_is_told_thrice_and_the_fallback_proposes(
    lab, experiment, asks, script, fault
):
    note = fallen_back(lab, experiment(script))
    assert "in 3 answers: " in note
    assert fault in note
    assert count(asks) == 3
    text = plan_of(lab, lines(lab)[0].run_id)
    assert text.count("It could not be used:") == 3
    assert fault in text


def test_a_command_that_is_not_there_is_told_as_it_is(lab, experiment):
    options = {"command": ["no-such-agent", "{prompt}"], "retries": 0}
    note = fallen_back(lab, experiment("", options=options))
    assert "in its answer: the agent's command failed: cannot start 'no-such-agent'" in note


def test_an_agent_that_never_ends_is_killed_and_asked_once_a_trial(lab, experiment, asks):
    mark = f"sleep 64{os.getpid()}"
    note = fallen_back(lab, experiment(f"{mark}; {mark}", options={"timeout_minutes": 0.005}))
    assert note.endswith("in its answer: there was no answer within 0.005 minutes")
    assert count(asks) == 1
    assert mark not in running()


def test_an_agent_that_prints_without_end_leaves_a_small_record(lab, experiment):
    note = fallen_back(lab, experiment("yes '{\"params\":'", options={"timeout_minutes": 0.005}))
    assert "there was no answer within" in note
    run = lab.layout.experiment("exp").run(lines(lab)[0].run_id)
    assert run.plan.stat().st_size < 100_000
    assert "bytes that it printed before were not read" in run.plan.read_text()
    assert not list(lab.layout.calls("exp").iterdir())


def test_a_point_that_was_tried_is_refused_until_another_comes(lab, experiment, asks):
    stubborn = """grep -q -- '- answer 1: the point was tried already' "$LAB_PROMPT_PATH" """
    experiment(f"n=5; {stubborn} && n=6\n{ANSWER}")
    burst(lab, "exp", 2)
    assert [line.params["x"] for line in lines(lab)] == [5.0, 6.0]
    assert [line.duplicates_avoided for line in lines(lab)] == [0, 1]
    assert count(asks) == 3


def test_an_agent_that_reads_its_faults_recovers(lab, experiment, asks):
    experiment(
        """if grep -q 'answer 1: x: 500 is not a number from 0.0 to 100.0' {prompt}; then n=50
        else n=500; fi\n""".replace("{prompt}", '"$LAB_PROMPT_PATH"')
        + ANSWER
    )
    burst(lab, "exp", 1)
    (line,) = lines(lab)
    assert (dict(line.params), count(asks)) == ({"x": 50.0}, 2)
    assert note_of(lab, line.run_id) == "try 50"


def test_a_proposal_that_waits_is_a_line_of_bounded_size_whatever_the_agent_says(lab, experiment):
    control_characters = "head -c 100000 /dev/zero"
    experiment(control_characters, options={"retries": MOST_RETRIES})
    with opened(lab, "exp", ATTENDED) as session:
        asked = question(session).asked
    assert len(asked.proposal.exchange.attempts) == MOST_RETRIES + 1
    line = lab.layout.experiment("exp").journal.read_bytes().splitlines()[-1]
    assert 2 * 2**20 < len(line) < 2.5 * 2**20
    assert lab.journal("exp").read().records[-1].asked == asked
    assert burst(lab, "exp", 1).successes == 1


def test_the_fallback_may_be_another_strategy(lab, experiment):
    grid = {"x": {"type": "int", "low": 3, "high": 5}}
    experiment("true", search_space=grid, options={"fallback": "grid", "retries": 0})
    assert burst(lab, "exp", 9).runs == 3
    assert [line.params["x"] for line in lines(lab)] == [3, 4, 5]
    assert note_of(lab, lines(lab)[0].run_id).startswith("grid chose it")


def test_an_agent_is_one_of_a_swarm(lab, experiment, tmp_path, asks):
    experiment(GOOD, name="other")
    own = {"command": f"sh '{tmp_path}/other-agent.sh'"}
    swarm = {"strategies": ["llm", "random"], "options": {"llm": own}}
    an_experiment(lab, tmp_path, strategy="swarm", strategy_options=swarm, search_space=SPACE)
    burst(lab, "exp", 4)
    by_agent = [line.params["x"] for line in lines(lab) if line.strategy == "llm"]
    assert len(by_agent) == count(asks) == 2
    assert all(x == int(x) for x in by_agent)


def test_with_several_runs_in_flight_an_agent_is_told_of_them(lab, experiment):
    experiment(GOOD)
    burst(lab, "exp", 4, parallel=2)
    by_trial = {line.trial: line for line in lines(lab)}
    assert {number: line.params["x"] for number, line in by_trial.items()} == {
        1: 1.0,
        2: 2.0,
        3: 3.0,
        4: 4.0,
    }
    assert '## In flight\n\n{"x":1.0}\n' in plan_of(lab, by_trial[2].run_id)
    assert "## In flight" not in plan_of(lab, by_trial[1].run_id)


# What an agent gets to see


def test_an_agent_sees_no_secret_and_works_in_an_empty_folder(tmp_path):
    secrets = {"OPENAI_API_KEY": "s1", "GITHUB_TOKEN": "s2", "MY_OWN": "s3", "DB_PASSWORD": "s4"}
    lab = Lab(tmp_path / "lab-data", environ={**ENVIRON, **secrets})
    a_lab(lab.layout.root)
    workspace = tmp_path / "code"
    workspace.mkdir()
    out = tmp_path / "seen"
    seen = f"(pwd; ls -A; cat; env) > '{out}'; touch here; echo '{{\"params\": {{\"x\": 1}}}}'"
    an_experiment(
        lab,
        tmp_path,
        strategy="llm",
        strategy_options={"command": seen},
        search_space=SPACE,
        workspace_root="code",
        workspace_mode="in-place",
        agent_model="big",
    )
    burst(lab, "exp", 1)
    folder, *variables = out.read_text().splitlines()
    assert folder.startswith(str(lab.layout.calls("exp")))
    assert list(workspace.iterdir()) == []
    shown = dict(item.partition("=")[::2] for item in variables if "=" in item)
    assert not set(secrets) & set(shown)
    assert not set(secrets.values()) & set(shown.values())
    assert set(CONTRACT_KEYS) - {ANY_PARAMETER} <= set(shown)
    assert shown["LAB_EXPERIMENT_ID"] == "exp"
    assert shown["LAB_AGENT_MODEL"] == "big"
    assert shown["LAB_ORIGINAL_WORKSPACE_ROOT"] == str(workspace)
    assert shown["LAB_PARAMS_JSON"] == "{}"
    assert re.fullmatch(r"CALL-\d{8}T\d{6}\.\d{6}Z-exp", shown["LAB_RUN_ID"])
    assert folder.endswith(f"{shown['LAB_RUN_ID']}/work")


def test_an_agent_reads_what_people_wrote_as_it_stands_now(lab, experiment):
    experiment(GOOD)
    lab.layout.program.write_text("Look below ten first.\n")
    burst(lab, "exp", 1)
    lab.layout.program.unlink()
    lab.layout.program.mkdir()
    with lab.layout.changelog.open("a") as stream:
        stream.write("2026-03-01, ann: nothing above 50\n")
    burst(lab, "exp", 1)
    first, second = (plan_of(lab, line.run_id) for line in lines(lab))
    assert "> Look below ten first." in first
    assert "Look below ten" not in second
    assert "> 2026-03-01, ann: nothing above 50" in second


def test_the_run_before_is_history_while_the_agent_thinks(lab, experiment):
    wait = """
    tries=0
    while test "$(ls "$LAB_DATA_ROOT/experiments/exp/runs" | wc -l)" -lt $((n - 1)); do
        tries=$((tries + 1)); test $tries -gt 400 && exit 1; sleep 0.01
    done
    """
    experiment(NUMBER + wait + ANSWER, options={"retries": 0})
    burst(lab, "exp", 3)
    assert [line.params["x"] for line in lines(lab)] == [1.0, 2.0, 3.0]


# Refused before anything is created


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"strategy_options": {}}, "names no command"),
        ({"strategy_options": {"command": "a", "retries": 9}}, "is 9"),
        ({"strategy_options": {"command": "a"}, "agent_provider": "codez"}, "'codez'"),
        ({"strategy_options": {}, "agent_provider": "dispatch"}, "asked by nobody"),
        ({"strategy_options": {}, "agent_provider": "mine"}, "'mine' needs the command 'no-such'"),
    ],
)
def test_a_spec_whose_agent_cannot_be_asked_creates_nothing(lab, tmp_path, fields, fault):
    (lab.layout.root / "adapters").mkdir()
    (lab.layout.root / "adapters" / "mine.py").write_text(NO_SUCH_TOOL)
    with pytest.raises(RequestError, match=fault) as caught:
        create(lab, write_spec(tmp_path, strategy="llm", **fields))
    assert len(str(caught.value).splitlines()) == 2
    assert lab.experiments() == []


def test_a_provider_that_is_a_command_may_be_named(lab, experiment):
    experiment(GOOD, agent_provider="command")
    assert burst(lab, "exp", 1).successes == 1


def test_a_burst_that_asks_for_an_agent_where_none_is_named_plans_nothing(lab, tmp_path):
    an_experiment(lab, tmp_path)
    with pytest.raises(RequestError, match="names no command"):
        burst(lab, "exp", 1, strategy="llm")
    assert lab.packages.running() == []


def test_another_strategy_may_be_ordered_without_the_agent(lab, experiment, asks):
    experiment(GOOD)
    assert burst(lab, "exp", 2, strategy="random").successes == 2
    assert count(asks) == 0


# Other providers than a command


@pytest.fixture
def tools(tmp_path) -> Tools:
    return Tools(tmp_path / "tools")


@pytest.mark.parametrize("provider", sorted(SAMPLES))
def test_every_provider_that_answers_text_proposes(tmp_path, tools, provider):
    program, sample = str(adapter_of(provider).program), SAMPLES[provider]
    tools.install(program, sample.body())
    lab = Lab(tmp_path / "lab-data", environ={**ENVIRON, "PATH": tools.path, "MY_TOKEN": "s1"})
    a_lab(lab.layout.root)
    fields = {"strategy": "llm", "search_space": SPACE, "agent_model": "small/one"}
    an_experiment(lab, tmp_path, agent_provider=provider, **fields)
    assert burst(lab, "exp", 1).successes == 1
    (line,) = lines(lab)
    assert (dict(line.params), line.strategy) == ({"x": 2.5}, "llm")
    assert note_of(lab, line.run_id) == "half way"
    (seen,) = tools.calls(program)
    assert "small/one" in " ".join(seen.arguments)
    assert "MY_TOKEN" not in seen.environment
    assert not list(lab.layout.calls("exp").iterdir())
    assert verify(lab).problems == ()


def test_the_stub_proposes_nothing_usable_and_the_fallback_does(lab, tmp_path):
    fields = {"strategy": "llm", "search_space": SPACE, "agent_provider": "stub"}
    note = fallen_back(lab, an_experiment(lab, tmp_path, **fields))
    assert "in 3 answers: x: is missing" in note


def test_a_tool_that_is_removed_after_the_experiment_began_is_missed_before_planning(
    tmp_path, tools
):
    tools.install("no-such", "print('x')")
    lab = Lab(tmp_path / "lab-data", environ={**ENVIRON, "PATH": tools.path})
    a_lab(lab.layout.root)
    (lab.layout.root / "adapters").mkdir()
    (lab.layout.root / "adapters" / "mine.py").write_text(NO_SUCH_TOOL)
    an_experiment(lab, tmp_path, strategy="llm", search_space=SPACE, agent_provider="mine")
    (tools.folder / "no-such").unlink()
    with pytest.raises(RequestError, match="not on the PATH"):
        burst(lab, "exp", 1)
    assert lab.packages.running() == []


def test_instructions_reach_the_agent_as_they_stand_now(lab, experiment, tmp_path):
    (tmp_path / "HOW.md").write_text("Prefer small numbers.\n")
    experiment(GOOD, agent_instruction_file="HOW.md")
    burst(lab, "exp", 1)
    (tmp_path / "HOW.md").unlink()
    burst(lab, "exp", 1)
    first, second = (plan_of(lab, line.run_id) for line in lines(lab))
    assert "> Prefer small numbers." in first
    assert "## Instructions for you" not in second


# Interruptions


def test_a_planned_run_is_taken_up_and_a_run_cut_off_is_tried_again_without_asking(
    lab, experiment, asks
):
    experiment(GOOD)
    with opened(lab, "exp", ATTENDED) as session:
        first = plan(session)
    with opened(lab, "exp", ATTENDED) as session:
        again = plan(session)
        assert again.manifest.run_id == first.manifest.run_id
        again.folder.run.stdout.touch()  # the command was started, and nothing more is known
    burst(lab, "exp", 2)
    cut_off, repeated, further = lines(lab)
    assert (cut_off.outcome, repeated.origin) == (Outcome.INTERRUPTED, Origin.RETRY)
    assert repeated.parent_run == cut_off.run_id
    assert cut_off.params == repeated.params == {"x": 1.0}
    assert "# Propose the parameters of trial 1" in plan_of(lab, cut_off.run_id)
    assert (further.trial, dict(further.params)) == (2, {"x": 2.0})
    assert count(asks) == 2


def running() -> str:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def stopped(lab: Lab, order: Order, prepare) -> Stop | Planned:
    with opened(lab, "exp", order) as session:
        prepare(session)
        return plan(session)


@pytest.fixture
def quick_ticks(monkeypatch):
    monkeypatch.setattr(local, "_TICK_SECONDS", 0.05)


@linux
@pytest.mark.usefixtures("quick_ticks")
def test_who_lost_the_lease_stops_the_agent_and_plans_nothing(lab, experiment, asks, monkeypatch):
    mark = f"sleep 5.65{os.getpid()}"
    experiment(f"{mark}; touch '{asks}-late'; {GOOD}")

    def rob(session) -> None:
        monkeypatch.setattr(session.lab.leases, "renew", lambda lease: not asks.exists())

    assert stopped(lab, ATTENDED, rob) == Stop(FENCED)
    assert not asks.with_name("asks-late").exists()
    assert mark not in running()
    assert lab.packages.running() == []


def test_an_answer_that_came_after_the_lease_was_lost_is_not_planned(
    lab, experiment, asks, monkeypatch
):
    experiment(GOOD)

    def rob(session) -> None:
        monkeypatch.setattr(session.lab.leases, "renew", lambda lease: not asks.exists())

    assert stopped(lab, ATTENDED, rob) == Stop(FENCED)
    assert count(asks) == 1
    assert lab.packages.running() == []


@linux
@pytest.mark.usefixtures("quick_ticks")
def test_who_asks_for_no_further_run_waits_for_no_agent(lab, experiment, asks):
    mark = f"sleep 5.66{os.getpid()}"
    experiment(f"{mark}; touch '{asks}-late'; {GOOD}")
    order = replace(ATTENDED, halt=asks.exists)
    assert stopped(lab, order, lambda session: None) == Stop(HALTED)
    assert not asks.with_name("asks-late").exists()
    assert mark not in running()
    tally = burst(lab, "exp", 2, halt=asks.exists)
    assert (tally.runs, tally.stopped) == (0, HALTED)


@linux
@pytest.mark.usefixtures("quick_ticks")
def test_the_lease_is_kept_alive_while_an_agent_thinks(lab, experiment, monkeypatch):
    experiment("sleep 0.4\n" + GOOD)
    beats = []
    with opened(lab, "exp", ATTENDED) as session:
        renew = session.lab.leases.renew
        monkeypatch.setattr(
            session.lab.leases, "renew", lambda lease: beats.append(1) or renew(lease)
        )
        assert isinstance(plan(session), Planned)
    assert len(beats) >= 4


@linux
def test_an_agent_that_a_killed_lab_left_at_work_is_ended_by_the_next_session(lab, experiment):
    experiment(GOOD)
    name = "CALL-20260301T120000.000000Z-exp"
    folder = lab.layout.calls("exp") / name / "work"
    folder.mkdir(parents=True)
    environ = {**ENVIRON, "LAB_RUN_ID": name}
    with (
        subprocess.Popen(["sleep", "30"], env=environ, start_new_session=True) as orphan,
        opened(lab, "exp", ATTENDED),
    ):
        assert orphan.wait(timeout=20) == -9
    assert not list(lab.layout.calls("exp").iterdir())


def test_a_burst_by_the_real_command_says_what_the_agent_could_not(lab, experiment):
    experiment(f"grep -q 'trial 2' \"$LAB_PROMPT_PATH\" && exit 1\n{GOOD}")
    done = hermes(lab.layout.root, "burst", "exp=exp", "n=3")
    assert done.returncode == 0, done.stderr
    first, second, third = lines(lab)
    assert (first.params["x"], third.params["x"]) == (1.0, 3.0)
    assert "exit status 1" in note_of(lab, second.run_id)
    shown = json.loads(
        hermes(lab.layout.root, "show", "exp=exp", f"run={second.run_id}", "format=json").stdout
    )
    assert "random chose it" in json.dumps(shown)
