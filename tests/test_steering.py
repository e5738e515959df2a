"""What people asked for, folded from journal and index in whatever order these are seen."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import created_line, run_line, time_of

from hermes import codec
from hermes.decisions import Asked, Decision, Intent, JournalRecord
from hermes.model import Direction, Origin, Outcome, Proposal
from hermes.state import ExperimentState, fold_intent, fold_run

PROPOSED = Proposal({"x": 1.5, "y": 2}, "random", Origin.STRATEGY, "drawn", ("RUN-a",))


def line(seq, intent, by="human", **fields):
    return JournalRecord(seq, time_of(seq), intent, by, 0, **fields)


def enqueued(seq, name, params=None, text=""):
    return line(seq, Intent.ENQUEUE, request=name, params=params, reason=text)


def withdrawn(seq, name):
    return line(seq, Intent.WITHDRAW, request=name)


def proposed(seq, name="e-000001-00000000", trial=1, ideas=()):
    asked = Asked(trial, "basis", PROPOSED, ideas=ideas)
    return line(seq, Intent.PROPOSAL, by="lab", request=name, asked=asked)


def decided(seq, decision, name="e-000001-00000000", **fields):
    return line(seq, Intent.DECISION, request=name, decision=decision, **fields)


def begun(seq, runs=3, since=0):
    return line(seq, Intent.GUIDED, runs=runs, since=since)


def folded(*records):
    state = fold_intent(ExperimentState(Direction.MINIMIZE), created_line())
    for record in records:
        fold = fold_intent if isinstance(record, JournalRecord) else fold_run
        state = fold(state, record)
    return state


# requests


def test_a_point_waits_until_a_run_names_it():
    state = folded(enqueued(2, "a", {"x": 1}), enqueued(3, "b", {"x": 2}))
    assert [item.id for item in state.steering.points] == ["a", "b"]
    assert state.steering.points[0].proposal == Proposal({"x": 1}, "human", Origin.HUMAN, "")
    state = fold_run(state, run_line(1, request="a"))
    assert [item.id for item in state.steering.points] == ["b"]
    assert state.steering.answered == 1


def test_what_was_cut_off_is_repeated_and_still_answers_its_request_once():
    state = folded(enqueued(2, "a", {"x": 1}))
    cut = run_line(1, Outcome.INTERRUPTED, request="a", origin=Origin.HUMAN)
    state = fold_run(state, cut)
    assert state.steering.points == []
    assert (state.steering.answered, state.retries[0].request) == (0, "a")
    assert state.retries[0].origin is Origin.HUMAN
    again = run_line(2, trial=1, parent_run=cut.run_id, request="a", origin=Origin.HUMAN)
    state = fold_run(state, again)
    assert (state.steering.answered, state.retries, state.steering.early) == (1, (), ())


def test_an_idea_waits_for_a_plan_that_repeats_it_and_stays_among_the_notes():
    state = folded(enqueued(2, "i", text="smaller steps"))
    assert [item.text for item in state.steering.ideas] == ["smaller steps"]
    state = fold_run(state, run_line(1, ideas=("i",)))
    assert (state.steering.ideas, state.steering.answered) == ([], 0)
    assert [note.text for note in state.notes] == ["smaller steps"]


def test_what_was_withdrawn_waits_no_more_and_an_idea_is_no_note_any_more():
    asked = [enqueued(2, "a", {"x": 1}), enqueued(3, "i", text="one"), enqueued(4, "j", text="two")]
    state = folded(*asked, withdrawn(5, "a"), withdrawn(6, "i"))
    assert list(state.steering.requests) == ["j"]
    assert [note.text for note in state.notes] == ["two"]
    assert state.steering.early == ()


def test_what_was_enqueued_goes_before_what_was_decided_however_late():
    state = folded(proposed(2), decided(3, Decision.APPROVE), enqueued(4, "a", {"x": 1}))
    assert [item.id for item in state.steering.points] == ["a", "e-000001-00000000"]


# answers


def test_an_approval_is_the_proposal_as_it_was_made():
    request = folded(proposed(2), decided(3, Decision.APPROVE)).steering.points[0]
    assert request.proposal == PROPOSED
    assert not request.skip
    request = folded(proposed(2), decided(3, Decision.APPROVE, reason="good")).steering.points[0]
    assert request.proposal.note == "drawn; approved: good"


def test_an_edit_is_a_persons_point_that_says_what_was_changed():
    edit = decided(3, Decision.EDIT, params={"x": 1.5, "y": 3, "z": "a"}, reason="why not")
    made = folded(proposed(2), edit).steering.points[0].proposal
    assert (made.params, made.strategy) == ({"x": 1.5, "y": 3, "z": "a"}, "human")
    assert (made.origin, made.parents) == (Origin.HUMAN, PROPOSED.parents)
    told = "edited from what random proposed: y 2 → 3, z absent → a; why not"
    assert made.note == told


def test_a_skip_is_not_to_be_run_and_leaves_the_ideas_for_the_next_proposal():
    idea = enqueued(2, "i", text="smaller")
    for decision, ideas in ((Decision.SKIP, ()), (Decision.APPROVE, ("i",))):
        state = folded(idea, proposed(3, ideas=("i",)), decided(4, decision))
        request = state.steering.points[0]
        assert (request.skip, request.ideas) == (decision is Decision.SKIP, ideas)


def test_a_stop_makes_no_request_and_ends_the_session():
    state = folded(begun(2), proposed(3), decided(4, Decision.STOP))
    assert (state.steering.points, state.waiting) == ([], None)
    assert state.steering.session.stopped
    assert not state.is_guided


@pytest.mark.parametrize("first", list(Decision))
def test_of_two_answers_the_first_counts(first):
    once = folded(begun(2), proposed(3), decided(4, first))
    twice = fold_intent(once, decided(5, Decision.APPROVE))
    assert twice.steering == once.steering


def test_a_proposal_is_void_once_its_trial_is_made_by_others():
    state = folded(proposed(2, trial=1))
    assert state.waiting is not None
    assert fold_run(state, run_line(1)).waiting is None


def test_a_session_counts_what_was_answered_since_it_began():
    state = folded(run_line(1, request="old"), begun(2, runs=3, since=1))
    assert state.steering.done == 0
    state = folded(
        run_line(1, request="old"),
        begun(2, runs=3, since=1),
        proposed(3, trial=2),
        decided(4, Decision.SKIP),
        run_line(2, Outcome.SKIPPED, request="e-000001-00000000"),
        run_line(3),
    )
    assert (state.steering.done, state.steering.session.decisions) == (1, 1)
    assert fold_intent(state, line(5, Intent.GUIDED)).steering.session is None


# the order of the two streams

_ANSWERS = st.sampled_from(list(Decision))
_ENDS = st.sampled_from([Outcome.SUCCESS, Outcome.FAILED, Outcome.INTERRUPTED, Outcome.SKIPPED])


@dataclass
class Told:
    """A journal in the making, and whose run is still to come."""

    journal: list = field(default_factory=lambda: [created_line()])
    waiting: list = field(default_factory=list)
    ideas: list = field(default_factory=list)
    withdrawn: set = field(default_factory=set)

    def add(self, make, *arguments, **fields):
        self.journal.append(make(len(self.journal) + 1, *arguments, **fields))


def ask_for_a_point(told, draw, seq):
    told.add(enqueued, f"q{seq}", {"x": seq})
    told.waiting.append(f"q{seq}")


def leave_an_idea(told, draw, seq):
    told.add(enqueued, f"i{seq}", text="idea")
    told.ideas.append(f"i{seq}")


def take_back(told, draw, seq):
    left = sorted({*told.waiting, *told.ideas} - told.withdrawn)
    if not left:
        return
    name = draw(st.sampled_from(left))
    told.add(withdrawn, name)
    told.withdrawn.add(name)
    for queue in (told.waiting, told.ideas):  # now and then a run answers it all the same
        if name in queue and draw(st.booleans()):
            queue.remove(name)


def propose(told, draw, seq):
    asked = f"e-{seq:06d}-00000000"
    told.add(proposed, asked, trial=seq)
    for place in range(draw(st.integers(0, 2))):
        answer = draw(_ANSWERS)
        told.add(decided, answer, asked, params={"x": 0})
        if place == 0 and answer is not Decision.STOP:
            told.waiting.append(asked)


def begin(told, draw, seq):
    told.add(line, Intent.GUIDED, runs=3, since=0)


def end(told, draw, seq):
    told.add(line, Intent.GUIDED)


_ACTS = st.sampled_from([ask_for_a_point, leave_an_idea, take_back, propose, begin, end])


@st.composite
def histories(draw):
    """Return a journal and the runs that answer some of its requests, as a lab makes them."""
    told, runs = Told(), []
    for seq, act in enumerate(draw(st.lists(_ACTS, max_size=12)), 2):
        act(told, draw, seq)
    for number, name in enumerate(draw(st.permutations(told.waiting)), 1):
        outcome = draw(_ENDS)
        seq = len(runs) + 1
        heard = (told.ideas.pop(),) if told.ideas and draw(st.booleans()) else ()
        runs.append(run_line(seq, outcome, trial=number, request=name, ideas=heard))
        if outcome is Outcome.INTERRUPTED:
            parent = runs[-1].run_id
            runs.append(run_line(seq + 1, trial=number, request=name, parent_run=parent))
        if draw(st.booleans()):
            break
    return told.journal, runs


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_between_the_two_streams_does_not_matter(history, shuffler):
    journal, runs = history
    expected = interleaved(runs, journal, lambda: True)
    assert interleaved(runs, journal, lambda: False) == expected
    assert interleaved(runs, journal, lambda: shuffler.random() < 0.5) == expected
    answered = {name for run in runs for name in (run.request, *run.ideas)}
    taken_back = {item.request for item in journal if item.intent is Intent.WITHDRAW}
    assert set(expected.steering.early) <= answered & taken_back


@given(histories(), st.data())
def test_a_fold_that_is_resumed_equals_one_from_zero(history, data):
    journal, runs = history
    records = [*journal, *runs]
    cut = data.draw(st.integers(1, len(records)))
    early = folded(*records[1:cut])
    early = codec.decode(ExperimentState, codec.from_json(codec.to_json(early)))
    for record in records[cut:]:
        early = (fold_intent if isinstance(record, JournalRecord) else fold_run)(early, record)
    assert early == folded(*records[1:])


def interleaved(runs, journal, runs_first):
    state, runs, journal = ExperimentState(Direction.MINIMIZE), list(runs), list(journal)
    while runs or journal:
        if runs and (not journal or runs_first()):
            state = fold_run(state, runs.pop(0))
        else:
            state = fold_intent(state, journal.pop(0))
    return state


def test_what_is_remembered_does_not_grow_with_what_was_done():
    state, sizes = folded(), []
    for number in range(1, 1001):
        state = fold_intent(state, enqueued(number + 1, f"q{number}", {"x": number}))
        state = fold_run(state, run_line(number, request=f"q{number}"))
        if number in (100, 1000):
            sizes.append(len(codec.to_json(state)))
    assert sizes[1] < sizes[0] * 1.2


def test_records_from_before_there_were_requests_are_read():
    old = codec.from_json(codec.to_json(run_line(1)))
    for name in ("request", "ideas"):
        del old[name]
    assert codec.decode(type(run_line(1)), old) == run_line(1)
    old = codec.from_json(codec.to_json(created_line()))
    for name in ("request", "params", "decision", "asked", "runs", "since"):
        del old[name]
    assert codec.decode(JournalRecord, old) == created_line()
