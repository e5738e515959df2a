"""The templates of SPECs: filled in as their comments say, each is created and runs."""

from __future__ import annotations

import json

import pytest
from filled_templates import TEMPLATES, filled_in
from labs import a_lab, burst, lines

from hermes.model import Outcome
from hermes.steps.create import create

PARSER = "def parse(text):\n    # slow\n    # and long\n    return text.split()\n"
FILES = {
    "train.py": "print('accuracy: 0.5')\nprint('loss: 0.25')\n",
    "step.py": "print('sources_covered: 12')\n",
    "src/parser.py": PARSER,
    "benchmark.py": """\
code = open("src/parser.py").read().splitlines()
print("seconds:", sum(1 for line in code if "hermes-lab stub" not in line))
""",
    "mutate.py": """\
code = open("src/parser.py").read().splitlines(keepends=True)
open("src/parser.py", "w").writelines(code[:1] + code[2:])
print("HYPOTHESIS: one line less to read")
""",
}
FIRST_RUN = {
    "autoresearch-generic": {"value": 0.5},
    "hyperparameter-search": {"value": 0.25},
    "multifidelity-autoresearch": {"value": 0.5},
    "research-sprint": {"value": 12},
    "code-autoresearch": {"value": 4, "strategy": "baseline"},
    "local-agent-autoresearch": {"value": 4, "strategy": "baseline"},
}


def created(tmp_path, name):
    """Fill a template in beside the code that its examples speak of, and register it."""
    for path, content in FILES.items():
        file = tmp_path / "project" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    spec = tmp_path / "project" / "lab.yaml"
    spec.write_text(filled_in((TEMPLATES / f"{name}.yaml").read_text()))
    lab = a_lab(tmp_path / "lab-data")
    return lab, create(lab, spec).experiment


@pytest.mark.parametrize("name", sorted(path.stem for path in TEMPLATES.glob("*.yaml")))
def test_a_template_filled_in_as_its_comments_say_runs_an_iteration(tmp_path, name):
    lab, experiment = created(tmp_path, name)
    burst(lab, experiment, 1)
    (line,) = lines(lab, experiment)
    assert line.outcome is Outcome.SUCCESS
    for field, value in FIRST_RUN[name].items():
        assert getattr(line, field) == value


def test_the_template_of_a_code_loop_keeps_what_is_better(tmp_path):
    lab, experiment = created(tmp_path, "code-autoresearch")
    burst(lab, experiment, 2)
    assert [(line.value, line.accepted) for line in lines(lab, experiment)] == [
        (4, True),
        (3, True),
    ]
    last = lines(lab, experiment)[-1]
    assert last.code.hypothesis == "one line less to read"
    record = lab.layout.experiment(experiment).run(last.run_id).candidate_record
    assert list(json.loads(record.read_text())["changed"]) == ["src/parser.py"]
    assert (tmp_path / "project" / "src" / "parser.py").read_text() == PARSER


def test_the_template_of_an_agent_runs_whole_with_the_stub_which_needs_no_account(tmp_path):
    lab, experiment = created(tmp_path, "local-agent-autoresearch")
    burst(lab, experiment, 2)
    line = lines(lab, experiment)[-1]
    assert (line.strategy, line.outcome) == ("stub", Outcome.REJECTED)
    assert (line.code.added, line.code.measured) == (1, 4)
    assert "changes nothing" in line.code.hypothesis
