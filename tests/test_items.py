"""Work items are given out whole, answered once, and never lost; held together with a twin."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from pathlib import Path

import pytest
from crash_harness import FULL, KILLS, count_calls, points, power_loss_states, recorded, run_killed
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from store_twins import TwinItems

from hermes import files
from hermes.errors import Busy
from hermes.layout import Layout, item_id, item_owner
from hermes.store import items as items_module
from hermes.store.items import Items
from hermes.submission import Submission, WorkItem

ID = item_id("exp", "0a1b2c3d")
EARLY, LATE = "2026-01-31T09:30:00.000000Z", "2026-01-31T11:00:00.000000Z"


def an_item(dispatch_id: str = ID, worker: str = "ada", **fields) -> WorkItem:
    whole = {
        "schema_version": 1,
        "dispatch_id": dispatch_id,
        "experiment": item_owner(dispatch_id),
        "worker": worker,
        "role": "worker",
        "created_at": EARLY,
        "deadline": "2026-01-31T10:30:00.000000Z",
        "incumbent_run": None,
        "evaluator": None,
        "surface_sha256": "0" * 64,
        "fidelity_tier": "default",
    }
    return WorkItem(**{**whole, **fields})


def an_answer(dispatch_id: str = ID, text: str = "x = 1\n") -> Submission:
    return Submission(dispatch_id, {"src/a.py": text, "src/b.py": None}, "why", "what")


@pytest.fixture
def items(tmp_path):
    return Items(Layout(tmp_path / "lab"))


def folders(items: Items) -> set[str]:
    return set(files.list_folder(items._layout.agents))


def aside(items: Items) -> list[Path]:
    complete = items._layout.complete
    return [complete / name for name in files.list_folder(complete)]


def test_an_item_comes_back_as_it_was_given_out(items):
    assert items.read(ID) is None
    assert items.publish(an_item())
    held = items.read(ID)
    assert (held.item, held.submission, held.experiment) == (an_item(), None, "exp")
    assert items.held() == [held]
    assert items.held("other") == []


def test_an_item_is_given_out_once(items):
    assert items.publish(an_item())
    assert not items.publish(an_item(worker="bob"))
    assert items.read(ID).item.worker == "ada"


def test_of_two_answers_the_first_counts(items):
    items.publish(an_item())
    assert items.submit(an_answer())
    assert not items.submit(an_answer(text="x = 2\n"))
    assert items.submission(ID) == an_answer()


def test_an_answer_to_no_item_is_none(items):
    with pytest.raises(FileNotFoundError):
        items.submit(an_answer())


def test_an_answer_that_cannot_be_read_makes_room_for_one_that_can(items):
    items.publish(an_item())
    items._layout.item(ID).submission.write_bytes(b'{"dispatch_id":"exp-it')
    assert items.submission(ID) is None
    assert items.submit(an_answer())
    assert items.submission(ID) == an_answer()


def test_an_item_is_alive_until_its_deadline_or_its_answer(items):
    items.publish(an_item())
    held = items.read(ID)
    assert (held.is_alive(EARLY), held.is_over(EARLY)) == (True, False)
    assert (held.is_alive(LATE), held.is_over(LATE)) == (False, True)
    items.submit(an_answer())
    held = items.read(ID)
    assert (held.is_alive(EARLY), held.is_over(LATE)) == (False, False)


def test_a_damaged_item_is_over(items):
    items.publish(an_item())
    items._layout.item(ID).item.write_bytes(b"{}")
    held = items.read(ID)
    assert held.item is None
    assert held.is_over(EARLY)


def test_the_item_of_another_name_is_damaged(items):
    items.publish(an_item())
    other = item_id("exp", "ffffffff")
    shutil.copytree(items._layout.item(ID).folder, items._layout.item(other).folder)
    assert items.read(other).item is None


def test_an_item_taken_back_is_gone_and_its_answer_with_it(items):
    items.publish(an_item())
    items.submit(an_answer())
    assert items.remove(ID)
    assert not items.remove(ID)
    assert (items.read(ID), folders(items)) == (None, set())


def test_what_is_set_aside_is_kept_with_the_reason(items):
    items.publish(an_item())
    kept = items.set_aside(ID, "it came too late", an_answer())
    assert (kept / "reason.txt").read_text() == "it came too late\n"
    assert json.loads((kept / "submission.json").read_text())["changes"] == an_answer().changes
    assert (kept / "item" / "item.json").is_file()
    assert items.read(ID) is None


def test_the_same_content_is_set_aside_once_however_often_it_is_sent(items):
    first = items.set_aside(ID, "too late", an_answer())
    assert items.set_aside(ID, "too late", an_answer()) == first
    assert items.set_aside(ID, "too late", an_answer(text="other")) != first
    assert len(aside(items)) == 2


def test_what_is_no_item_is_none(items):
    for name in ("exp", "exp-item-0A1B2C3D", "exp-item-0a1b2c3", "-item-0a1b2c3d", "../x"):
        assert item_owner(name) is None
        assert items.read(name) is None
    assert item_owner("a-item-00000000-item-11111111") == "a-item-00000000"


def test_a_lock_that_stays_taken_is_busy(items, monkeypatch):
    monkeypatch.setattr(items_module, "_WAIT_SECONDS", 0.0)
    with items.lock("exp"), items.lock("other"), pytest.raises(Busy), items.lock("exp"):
        raise AssertionError("two hold it")


def test_of_many_that_answer_at_once_exactly_one_counts(items):
    items.publish(an_item())
    won = []

    def submit(number: int) -> None:
        if items.submit(an_answer(text=f"{number}")):
            won.append(f"{number}")

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert items.submission(ID).changes["src/a.py"] == won[0]


# Crashes


def test_a_kill_while_giving_out_leaves_an_item_or_none(tmp_path):
    whole = Items(Layout(tmp_path / "whole"))
    for at, how in points(run_killed(lambda: whole.publish(an_item()), 0)):
        items = Items(Layout(tmp_path / f"{at}{how}"))
        run_killed(lambda: items.publish(an_item()), at, how)  # noqa: B023  called at once
        held = items.read(ID)
        assert held is None or held.item == an_item(), (at, how)


@pytest.mark.parametrize("ways", [KILLS, FULL])
def test_a_kill_or_a_full_disk_while_an_answer_is_written_leaves_it_whole_or_none(tmp_path, ways):
    def prepared(name: str) -> Items:
        items = Items(Layout(tmp_path / name))
        items.publish(an_item())
        return items

    whole = prepared("whole")
    undisturbed = run_killed(lambda: whole.submit(an_answer()), 0)
    lost = 0
    for at, how in points(undisturbed, ways):
        items = prepared(f"{at}{how}")
        run_killed(lambda: items.submit(an_answer()), at, how)  # noqa: B023  called at once
        left = items.submission(ID)
        lost += left is None
        assert left in (None, an_answer()), (at, how)
        assert items.submit(an_answer()) is (left is None)
        assert items.submission(ID) == an_answer()
    assert lost > 0


def test_a_kill_while_setting_aside_loses_no_answer(tmp_path):
    def prepared(name: str) -> Items:
        items = Items(Layout(tmp_path / name))
        items.publish(an_item())
        return items

    whole = prepared("whole")
    undisturbed = run_killed(lambda: whole.set_aside(ID, "late", an_answer()), 0)
    for at, how in points(undisturbed):
        items = prepared(f"{at}{how}")
        run_killed(lambda: items.set_aside(ID, "late", an_answer()), at, how)  # noqa: B023
        items.set_aside(ID, "late", an_answer())
        contents = [place / "submission.json" for place in aside(items)]
        texts = [path.read_bytes() for path in contents if path.is_file()]
        assert any(b"x = 1" in text for text in texts), (at, how)
        assert items.read(ID) is None


def test_a_power_cut_takes_nothing_that_was_acknowledged(tmp_path):
    root = tmp_path / "lab"

    def work(record) -> None:
        items = Items(Layout(root))
        items.publish(an_item())
        record.mark("given")
        items.submit(an_answer())
        record.mark("sent")

    files.make_folder(Layout(root).agents)
    record = recorded(root, work)
    states = 0
    for at in range(record.calls + 1):
        for state in power_loss_states(record, at, seed=at):
            state.write(root)
            states += 1
            held = Items(Layout(root)).read(ID)
            promised = record.promised(at)
            if "given" in promised:
                assert held is not None, state.name
                assert held.item == an_item(), state.name
            if "sent" in promised:
                assert held.submission == an_answer(), state.name
    assert states > 20


def test_counting_calls_sees_what_giving_out_costs(tmp_path):
    items = Items(Layout(tmp_path / "lab"))
    files.make_folder(Layout(tmp_path / "lab").agents)
    assert count_calls(lambda: items.publish(an_item())) <= 8


# The twin

NAMES = [item_id("exp", mark) for mark in ("00000000", "11111111")] + [item_id("two", "00000000")]
TEXTS = ["", "x = 1\n", "ünï"]


class Twin(RuleBasedStateMachine):
    """Items of two experiments, by several processes, with what a crash may leave."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="hermes-items-"))
        self.twin = TwinItems()

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @property
    def items(self) -> Items:
        return Items(Layout(self.root))  # as another process sees them

    @rule(name=st.sampled_from(NAMES), worker=st.sampled_from(["ada", "bob"]))
    def publish(self, name, worker) -> None:
        item = an_item(name, worker)
        assert self.items.publish(item) == self.twin.publish(item)

    @rule(name=st.sampled_from(NAMES), text=st.sampled_from(TEXTS))
    def submit(self, name, text) -> None:
        answer = an_answer(name, text)
        try:
            expected = self.twin.submit(answer)
        except FileNotFoundError:
            with pytest.raises(FileNotFoundError):
                self.items.submit(answer)
        else:
            assert self.items.submit(answer) == expected

    @rule(name=st.sampled_from(NAMES))
    def remove(self, name) -> None:
        assert self.items.remove(name) == self.twin.remove(name)

    @rule(name=st.sampled_from(NAMES), text=st.none() | st.sampled_from(TEXTS))
    def set_aside(self, name, text) -> None:
        answer = None if text is None else an_answer(name, text)
        self.twin.set_aside(name, "why", answer)
        self.items.set_aside(name, "why", answer)

    @rule(name=st.sampled_from(NAMES))
    def leave_unfinished(self, name) -> None:
        folder = files.temporary_beside(self.items._layout.item(name).folder)
        files.make_folder(folder)

    @invariant()
    def the_same_is_held(self) -> None:
        for experiment in (None, "exp", "two"):
            found = {held.dispatch_id: held for held in self.items.held(experiment)}
            given = {
                name: item
                for name, item in self.twin.given.items()
                if experiment in (None, item.experiment)
            }
            assert {name: held.item for name, held in found.items()} == given
            for name, held in found.items():
                assert held.submission == self.twin.sent.get(name)

    @invariant()
    def the_same_was_set_aside(self) -> None:
        assert len(aside(self.items)) == len(self.twin.aside)


Twin.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestTwin = Twin.TestCase
