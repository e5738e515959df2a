"""Agents by name: the lab's own, a user's files, other packages; and the two that are no tool."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from hermes.agents import providers
from hermes.agents.base import Agent, Call, Settings
from hermes.agents.providers import adapter_folders, agent_for, check_agent, known, settings_of
from hermes.agents.running import ToolAgent
from hermes.agents.stub import COMMENTS, Stub
from hermes.errors import RequestError, UnknownName
from hermes.exchange import Spending
from hermes.layout import Layout
from hermes.spec import spec_from_mapping

OWN = [
    *("aider", "claude-code", "codex", "command", "dispatch", "gemini", "hermes-agent"),
    *("opencode", "stub"),
]
LEAST = {"id": "e", "goal": "g", "metric": "m", "metric_direction": "minimize"}
MINE = """
from dataclasses import dataclass
from hermes.agents.adapter import Adapter, Line, Reply

@dataclass(frozen=True)
class Greeting:
    text: str = "hello"

ADAPTER = Adapter(
    name="mine",
    line=lambda request: Line(("echo", Greeting().text)),
    read=lambda output: Reply(output.stdout),
    program="echo",
)
"""


def an_adapter(folder: Path, name: str = "mine", text: str = MINE) -> Path:
    (folder / "adapters").mkdir(parents=True, exist_ok=True)
    path = folder / "adapters" / f"{name}.py"
    path.write_text(text)
    return folder / "adapters"


def call(tmp_path: Path, **more) -> Call:
    return Call(
        "p", tmp_path / "call", more.pop("environment", {"PATH": "/usr/bin:/bin"}), 60, **more
    )


def test_every_provider_of_the_lab_is_an_agent():
    assert known() == OWN
    for name in OWN:
        assert isinstance(agent_for(name), Agent)


def test_a_name_that_there_is_not_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="No agent provider is called 'codez'") as caught:
        agent_for("codez")
    assert caught.value.remedy == "Did you mean 'codex'?"


# A user's own


def test_a_users_adapter_is_found_in_the_workspace_before_the_data_root(tmp_path):
    workspace, layout = tmp_path / "code", Layout(tmp_path / "lab")
    in_lab = an_adapter(layout.root, text=MINE.replace("hello", "from the lab"))
    folders = adapter_folders(
        spec_from_mapping({**LEAST, "workspace_root": str(workspace)}), layout
    )
    assert agent_for("mine", folders=folders).ask(call(tmp_path)).text == "from the lab\n"
    in_code = an_adapter(workspace)
    assert folders == (in_code, in_lab)
    assert agent_for("mine", folders=folders).ask(call(tmp_path)).text == "hello\n"
    assert adapter_folders(spec_from_mapping(LEAST), layout) == (in_lab,)
    assert "mine" in known(folders)


def test_loading_an_adapter_leaves_nothing_beside_it(tmp_path):
    folder = an_adapter(tmp_path)
    agent_for("mine", folders=[folder])
    assert [path.name for path in folder.iterdir()] == ["mine.py"]


def test_an_adapter_that_was_edited_is_loaded_anew(tmp_path):
    folder = an_adapter(tmp_path)
    assert agent_for("mine", folders=[folder]).ask(call(tmp_path)).text == "hello\n"
    an_adapter(tmp_path, text=MINE.replace("hello", "later"))
    assert agent_for("mine", folders=[folder]).ask(call(tmp_path)).text == "later\n"


def test_a_file_cannot_take_a_name_of_the_labs_own(tmp_path):
    folder = an_adapter(tmp_path, "stub")
    assert isinstance(agent_for("stub", folders=[folder]), Stub)


@pytest.mark.parametrize("name", ["../mine", "a/mine", ".hidden", "__init__", ""])
def test_a_name_leads_to_no_file_outside_the_folder(tmp_path, name):
    an_adapter(tmp_path, "x")
    (tmp_path / "mine.py").write_text("raise SystemError")
    an_adapter(tmp_path, "__init__", "raise SystemError")
    with pytest.raises(UnknownName):
        agent_for(name, folders=[tmp_path / "adapters"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def", "SyntaxError"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("x = 1", "no attribute 'ADAPTER'"),
        ("ADAPTER = 3", "neither an Adapter nor an Agent"),
    ],
)
def test_a_file_that_is_no_adapter_is_refused_in_two_lines(tmp_path, text, said):
    folder = an_adapter(tmp_path, text=text)
    with pytest.raises(RequestError, match=said) as caught:
        agent_for("mine", folders=[folder])
    assert len(str(caught.value).splitlines()) == 2


def test_an_adapter_that_the_agent_itself_could_change_is_refused(tmp_path):
    folder = an_adapter(tmp_path)
    environment = {"PATH": "/usr/bin:/bin"}
    for mutable in (("**",), ("adapters",), ("adapters/*.py",)):
        told = Settings(provider="mine", mutable_paths=mutable)
        with pytest.raises(RequestError, match="the agent could change") as caught:
            check_agent(told, environment, folders=[folder])
        assert len(str(caught.value).splitlines()) == 2
        kept = replace(told, read_only_paths=("adapters/**",))
        assert check_agent(kept, environment, folders=[folder])
    check_agent(Settings(provider="stub", mutable_paths=("**",)), environment)


def test_an_agent_that_is_no_tool_may_be_brought_too(tmp_path):
    text = """
from hermes.exchange import Answer

class Mine:
    def check(self, settings, environment):
        pass

    def ask(self, call):
        return Answer(call.prompt.upper())

ADAPTER = Mine()
"""
    folder = an_adapter(tmp_path, text=text)
    agent = check_agent(Settings(provider="mine"), {}, folders=[folder])
    assert agent.ask(call(tmp_path)).text == "P"


def test_a_package_may_bring_an_adapter(monkeypatch):
    point = EntryPoint("theirs", "hermes.agents.codex:ADAPTER", providers.GROUP)
    broken = EntryPoint("broken", "hermes.agents.codex:NOTHING", providers.GROUP)
    points = EntryPoints([point, broken])
    monkeypatch.setattr(providers, "_points", lambda: points)
    assert isinstance(agent_for("theirs"), ToolAgent)
    assert {"theirs", "broken"} <= set(known())
    with pytest.raises(RequestError, match=r"broken .* cannot be loaded"):
        agent_for("broken")


# What a SPEC says


def test_the_settings_are_what_the_spec_says():
    fields = {
        "agent_provider": "codex",
        "agent_model": "m",
        "agent_effort": "low",
        "agent_base_url": "http://x",
        "agent_background": True,
        "mutable_paths": ["a"],
        "read_only_paths": ["b"],
    }
    told = settings_of(spec_from_mapping({**LEAST, **fields}), command="c", most_usd=2.0)
    assert told == Settings("codex", "c", "m", "low", "http://x", True, 2.0, ("a",), ("b",))
    assert settings_of(spec_from_mapping(LEAST)) == Settings(provider="command")


# dispatch


def test_dispatch_is_asked_by_nobody(tmp_path):
    agent = agent_for("dispatch")
    for refuse in (lambda: agent.ask(call(tmp_path)), lambda: agent.check(Settings(), {})):
        with pytest.raises(RequestError, match="asked by nobody") as caught:
            refuse()
        assert len(str(caught.value).splitlines()) == 2
        assert "agent_next" in caught.value.remedy


# The page


PAGE = (Path(__file__).parents[1] / "docs" / "AGENTS-PROVIDERS.md").read_text()


def test_the_page_has_a_row_for_each_provider_and_what_is_called_there():
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*?) \|", PAGE, re.MULTILINE))
    assert sorted(rows) == OWN
    for name in OWN:
        program = getattr(getattr(agent_for(name), "_adapter", None), "program", None)
        if program is not None:
            assert rows[name].startswith(f"`{program} ")


def test_the_adapter_on_the_page_is_one(tmp_path):
    (text,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    folder = an_adapter(tmp_path, "my-agent", text)
    program = tmp_path / "my-agent"
    program.write_text('#!/bin/sh\necho "$4: $(cat "$2")"\n')
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    told = Settings(provider="my-agent", model="m")
    agent = check_agent(told, environment, folders=[folder])
    assert agent.ask(call(tmp_path, environment=environment, settings=told)).text == "m: p\n"


def test_the_page_names_the_types_of_files_that_the_stub_touches():
    named = re.search(r"that has comments \(`([^`]*)`", PAGE)[1].split()
    assert set(named) <= set(COMMENTS)


# stub


@pytest.fixture
def work(tmp_path) -> Path:
    folder = tmp_path / "work"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.py").write_text("x = 1\n")
    (folder / "src" / "b.py").write_text("y = 2")
    (folder / "src" / "data.bin").write_bytes(b"\0\1")
    (folder / "bench.py").write_text("print(1)\n")
    return folder


def stubbed(tmp_path: Path, work: Path, number: int, *mutable: str):
    given = call(
        tmp_path,
        work=work,
        environment={"LAB_RUN_ITERATION": str(number)},
        settings=Settings(mutable_paths=mutable or ("src/*",)),
    )
    return agent_for("stub").ask(given)


def contents(work: Path) -> dict[str, bytes]:
    return {str(path.relative_to(work)): path.read_bytes() for path in work.rglob("*.*")}


def test_the_stub_writes_one_comment_into_one_file_of_the_surface(tmp_path, work):
    before = contents(work)
    answer = stubbed(tmp_path, work, 1)
    after = contents(work)
    assert {path for path in after if after[path] != before[path]} == {"src/b.py"}
    assert after["src/b.py"] == b"y = 2\n# hermes-lab stub, iteration 1\n"
    assert answer.problem == ""
    assert answer.text.splitlines()[-1].startswith("HYPOTHESIS: ")
    assert (answer.spending, answer.agent) == (Spending(calls=1), "stub")


def test_the_stub_differs_by_iteration_is_the_same_for_the_same_and_does_not_grow(tmp_path, work):
    stubbed(tmp_path, work, 2)
    once = contents(work)
    assert once["src/a.py"].endswith(b"iteration 2\n")
    stubbed(tmp_path, work, 2)
    assert contents(work) == once
    stubbed(tmp_path, work, 4)
    assert contents(work)["src/a.py"] == b"x = 1\n# hermes-lab stub, iteration 4\n"


def test_what_the_stub_writes_is_a_comment_in_every_type_it_touches(tmp_path, work):
    for ending, comment in COMMENTS.items():
        (work / f"only{ending}").write_bytes(b"line\r\nlast\n\n\n")
        stubbed(tmp_path, work, 7, f"only{ending}")
        last = (work / f"only{ending}").read_text().splitlines()[-1]
        assert last == comment.format("hermes-lab stub, iteration 7")


def test_without_a_file_that_has_comments_the_stub_changes_nothing(tmp_path, work):
    before = contents(work)
    assert "nothing was changed" in stubbed(tmp_path, work, 1, "src/*.bin").text
    assert contents(work) == before


def test_a_stub_that_is_only_asked_answers_without_a_parameter(tmp_path):
    answer = agent_for("stub").ask(call(tmp_path))
    assert '"params": {}' in answer.text
    assert answer.problem == ""
    assert not (tmp_path / "call").exists()
