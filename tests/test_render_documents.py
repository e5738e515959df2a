from __future__ import annotations

import re
from pathlib import Path

from render_reading import check_tables, headings

from hermes.errors import EXIT_MEANINGS
from hermes.layout import PROJECTIONS, Layout
from hermes.render.documents import documents


def test_the_data_root_gets_its_three_documents():
    layout = Layout(Path("root"))
    names = [path.name for path in (layout.readme, layout.program, layout.changelog)]
    assert sorted(documents()) == sorted([*names, ".gitignore"])
    for name in names:
        text = documents()[name]
        assert text.startswith("# ")
        assert text.endswith("\n")
        check_tables(text)


def test_readme_first_names_what_is_canonical_and_what_is_not_to_be_edited():
    text = documents()["README-FIRST.md"]
    for name in (
        "SPEC.yaml",
        "journal.jsonl",
        "registry/events.jsonl",
        "runs/",
        "LAB-STATUS.md",
        "LAB-INDEX.json",
        "metrics.jsonl",
        "manifest.json",
        "`hermes-lab refresh`",
        "`registry/locks/`",
        "`dispatch/`",
        *PROJECTIONS,
    ):
        assert name in text
    assert "## How an agent starts" in headings(text)


def test_readme_first_tells_the_exit_codes_as_the_lab_means_them():
    text = documents()["README-FIRST.md"]
    for code, meaning in EXIT_MEANINGS.items():
        assert f"{int(code)} {meaning}" in text


def test_readme_first_names_only_files_that_the_lab_knows():
    text = documents()["README-FIRST.md"]
    known = {*PROJECTIONS, "README-FIRST.md", "LAB-STATUS.md", "LAB-INDEX.json", "PROGRAM.md"}
    known |= {"CHANGELOG.md", "SPEC.yaml", "executors.yaml", "RESULT.md", "plan.md"}
    known |= {"manifest.json", "metrics.json", "journal.jsonl", "metrics.jsonl", "events.jsonl"}
    found = {Path(name).name for name in re.findall(r"[\w/<>.-]+\.(?:md|jsonl|json|yaml)\b", text)}
    assert found <= known


def test_the_humans_files_say_whose_they_are():
    assert "This file is yours" in documents()["PROGRAM.md"]
    assert "This file is yours" in documents()["CHANGELOG.md"]
