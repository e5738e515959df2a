"""The table of the lab's commands: what each is for and which variables it takes.

Pure data: the request is read by it, the task graph documents itself with it, and
``LAB_MANIFEST.json`` is made from it. A new command is one more entry here (and its task).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from hermes.decisions import ANSWERS

Kind: TypeAlias = Literal["str", "path", "int", "float", "choice", "experiment", "run", "strategy"]
Default: TypeAlias = str | int | float | None

EXPECTED: dict[Kind, str] = {
    "str": "text",
    "path": "a path",
    "int": "a whole number",
    "float": "a number",
    "choice": "one of the choices",
    "experiment": "an experiment's id",
    "run": "a run's id or number, last or best",
    "strategy": "a strategy's name",
}
_PLACEHOLDERS: dict[Kind, str] = {
    "str": "TEXT",
    "path": "PATH",
    "int": "N",
    "float": "NUMBER",
    "choice": "CHOICE",
    "experiment": "ID",
    "run": "RUN",
    "strategy": "NAME",
}


@dataclass(frozen=True)
class Variable:
    """One ``name=value`` of a command; ``minimum`` and ``maximum`` are allowed values.

    ``ceiling`` says why nothing beyond ``maximum`` is taken, and what to do instead.
    """

    name: str
    kind: Kind = "str"
    help: str = ""
    default: Default = None
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    ceiling: str = ""

    @property
    def form(self) -> str:
        """How it is written, with its default or what belongs there: ``n=10``, ``exp=ID``."""
        if self.default is not None:
            shown = f"{self.default:g}" if self.kind == "float" else self.default
            return f"{self.name}={shown}"
        return f"{self.name}={'|'.join(self.choices) or _PLACEHOLDERS[self.kind]}"


@dataclass(frozen=True)
class Command:
    """One task that users call by name; ``json`` says that it can answer in JSON.

    ``purpose`` is one sentence that says what to expect of it, as an order: "Close an experiment."
    """

    name: str
    purpose: str
    variables: tuple[Variable, ...] = ()
    json: bool = False

    def variable(self, name: str) -> Variable | None:
        """Return the variable called ``name``, or None when this command takes none such."""
        return next((item for item in self.variables if item.name == name), None)

    @property
    def only_json(self) -> bool:
        """Say whether it is for programs, and answers in JSON whatever comes of it."""
        form = self.variable("format")
        return form is not None and form.choices == ("json",)

    @property
    def usage(self) -> str:
        """The command in one line; what may be left out stands in brackets."""
        forms = (item.form if item.required else f"[{item.form}]" for item in self.variables)
        return " ".join((self.name, *forms))

    @property
    def description(self) -> str:
        """Purpose, then a line a variable: what ``doit info`` and ``doit help`` show."""
        if not self.variables:
            return self.purpose
        longest = max(len(item.form) for item in self.variables)
        lines = (f"  {item.form:<{longest}}  {_explained(item)}" for item in self.variables)
        return "\n".join((self.purpose, "", *lines))


def _explained(variable: Variable) -> str:
    choices = f" ({', '.join(variable.choices)})" if variable.choices else ""
    return f"{variable.help}{choices}{'; required' if variable.required else ''}"


_EXP = Variable("exp", "experiment", "the experiment", required=True)
_ONE_EXP = Variable("exp", "experiment", "only this experiment")
_REASON = Variable("reason", help="why, for the record")
_FORMAT = Variable("format", "choice", "text or JSON", default="text", choices=("text", "json"))
_N = Variable("n", "int", "so many iterations", default=10, minimum=1)
_STRATEGY = Variable("strategy", "strategy", "what proposes, in the place of the SPEC's own")
_SEED = Variable("seed", "int", "the seed of the proposals", minimum=0)
_SPACE = Variable("search_space", "path", "a search_space.json to draw from")
_PAUSE = Variable("pause", "float", "seconds between iterations", default=0.0, minimum=0)
_SEARCHING = (
    _SEED,
    _SPACE,
    Variable(
        "parallel",
        "int",
        "iterations at a time; else the SPEC's max_parallel",
        minimum=1,
        maximum=256,
        ceiling="Start a burst of another experiment beside it, or on another machine.",
    ),
    _PAUSE,
)
_CLASS = Variable("executor_class", help="only experiments of this executor class")
_ONLY_JSON = Variable("format", "choice", "it is always JSON", default="json", choices=("json",))
_WORKER = Variable("worker", help="the agent's name, one of its own for each", default="agent")

_TABLE = (
    Command("init", "Make the data root; running it again changes nothing."),
    Command("demo", "Run the bundled example end to end in a fresh data root."),
    Command(
        "create",
        "Check a SPEC and register the experiment; all or nothing.",
        (
            Variable("spec", "path", "the SPEC.yaml to register", required=True),
            Variable("id", "experiment", "an id in the place of the SPEC's own"),
        ),
    ),
    Command(
        "run_once",
        "Run what is due, then bring every view up to date: one scheduler cycle.",
        (
            Variable("max_runs", "int", "at most so many runs", default=3, minimum=1),
            _ONE_EXP,
            _CLASS,
        ),
    ),
    Command(
        "burst",
        "Run iterations of one experiment back to back.",
        (
            _EXP,
            _N,
            _STRATEGY,
            *_SEARCHING,
        ),
    ),
    Command(
        "swarm",
        "Run iterations that several strategies propose, each told of what all have found.",
        (
            _EXP,
            _N,
            Variable("strategies", help="which ones, with commas; else tree,perturb"),
            Variable(
                "allocation",
                "choice",
                "who has the turn: what pays, more often (the default), or each",
                choices=("rotation", "adaptive"),
            ),
            *_SEARCHING,
        ),
    ),
    Command(
        "guided",
        "Run iterations of one experiment, each once a person has answered its proposal.",
        (
            _EXP,
            Variable("n", "int", "so many proposals to be answered and run", default=10, minimum=1),
            _STRATEGY,
            _SEED,
            _SPACE,
            Variable(
                "parallel",
                "int",
                "iterations at a time",
                default=1,
                minimum=1,
                maximum=1,
                ceiling="One proposal waits for an answer at a time; "
                "`burst` runs several side by side.",
            ),
            _PAUSE,
            Variable("answers", "path", "a file with an answer a line: a word, or JSON"),
        ),
    ),
    Command(
        "approve",
        "Answer a proposal that waits for a person.",
        (
            _EXP,
            Variable("id", help="the proposal, as `show` and `status` name it", required=True),
            Variable(
                "decision",
                "choice",
                "what is to be done with it",
                required=True,
                choices=tuple(item.value for item in ANSWERS),
            ),
            Variable("params", help="what to change in it, as JSON; for edit"),
            Variable("note", help="why, for the record"),
        ),
    ),
    Command(
        "enqueue",
        "Ask for a point, or note an idea, to be tried before the strategy's own.",
        (
            _EXP,
            Variable("params", help="the point, as JSON"),
            Variable("note", help="the idea in words, or why the point"),
            Variable("withdraw", help="take this request back while it waits, by its id"),
        ),
    ),
    Command(
        "agent_next",
        "Give an agent a piece of work as JSON; {} when there is none.",
        (_WORKER, _ONE_EXP, _CLASS, _ONLY_JSON),
        json=True,
    ),
    Command(
        "agent_submit",
        "Measure an agent's change and answer with the verdict as JSON.",
        (
            Variable("file", "path", "the JSON that the agent wrote", required=True),
            _WORKER,
            _ONLY_JSON,
        ),
        json=True,
    ),
    Command("status", "Show the lab at a glance.", (_FORMAT,), json=True),
    Command("experiments", "Show one line an experiment.", (_FORMAT,), json=True),
    Command(
        "show",
        "Show one experiment, or one of its runs.",
        (_EXP, Variable("run", "run", "this run of it: its id or number, last or best"), _FORMAT),
        json=True,
    ),
    Command(
        "analyze",
        "Say what an experiment's runs tell: progress, plateau, what matters, what paid.",
        (_EXP, _FORMAT),
        json=True,
    ),
    Command(
        "reproduce",
        "Run a sealed run again from its record, and compare.",
        (
            _EXP,
            Variable(
                "run",
                "run",
                "this run of it: its id or number, last or best",
                required=True,
            ),
            Variable(
                "repeats", "int", "measure it so often; else as often as on record", minimum=1
            ),
            _FORMAT,
        ),
        json=True,
    ),
    Command(
        "audit",
        "Test the evaluator of a code loop: what it measures, its noise, what fools it.",
        (
            _EXP,
            Variable(
                "repeats",
                "int",
                "so many measurements of the code as it is",
                default=5,
                minimum=2,
                maximum=100,
                ceiling="A hundred tell the noise to a tenth of it.",
            ),
            _FORMAT,
        ),
        json=True,
    ),
    Command(
        "export",
        "Write the kept changes of an experiment as a series of patches for review.",
        (
            _EXP,
            Variable(
                "format",
                "choice",
                "patches: mails that git am takes",
                default="patches",
                choices=("patches",),
            ),
            Variable("out", "path", "a new or empty folder to write to", required=True),
        ),
    ),
    Command("pause", "Stop an experiment before its next iteration.", (_EXP, _REASON)),
    Command("resume", "Let a paused or waiting experiment go on.", (_EXP, _REASON)),
    Command("complete", "Close an experiment.", (_EXP, _REASON)),
    Command("refresh", "Rebuild every view from the canonical files.", (_ONE_EXP,)),
    Command(
        "watchdog",
        "Report on the lab's health; with repair=yes mend what can be mended.",
        (
            Variable("repair", "choice", "mend it", default="no", choices=("no", "yes")),
            _FORMAT,
        ),
        json=True,
    ),
    Command("recover", "Put everything right after a crash; living work is never harmed."),
    Command(
        "verify", "Check every checksum and chain, and name each file that differs.", (_ONE_EXP,)
    ),
)

COMMANDS: dict[str, Command] = {command.name: command for command in _TABLE}
DEFAULT_COMMAND = "run_once"


def takers(variable: str) -> list[str]:
    """Return the names of the commands that take ``variable``, in the table's order."""
    return [command.name for command in _TABLE if command.variable(variable) is not None]
