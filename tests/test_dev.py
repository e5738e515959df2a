"""The project's own checks find what they are for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hermes.rules import dev

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def small(tmp_path, monkeypatch) -> Path:
    """Return a sound project with this one's settings, which the checks look at instead."""
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "dodo.py").write_text('"""Empty."""\n')
    (tmp_path / "hermes").mkdir()
    (tmp_path / "hermes" / "__init__.py").write_text('"""Empty."""\n')
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    return tmp_path


def check(name: str) -> bool:
    return dev.run_tool(dev._CHECKS[name][1])


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("format", "x  =  1\n"),
        ("lint", '"""Unused."""\n\nimport os\n'),
        ("types", '"""Untyped."""\n\n\ndef f(x):\n    return x\n'),
    ],
    ids=["format", "lint", "types"],
)
def test_a_check_is_content_with_what_is_sound_and_no_other(small, name, fault):
    assert check(name)
    (small / "hermes" / "faulty.py").write_text(fault)
    assert not check(name)


def test_the_floors_are_watched(tmp_path, monkeypatch):
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "hermes", tmp_path / "hermes")
    assert check("floors")
    errors = tmp_path / "hermes" / "errors.py"
    errors.write_text(errors.read_text() + "\nfrom hermes.rules import main\n")
    assert not check("floors")


def test_a_manifest_that_is_behind_the_code_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(dev, "MANIFEST", tmp_path / "LAB_MANIFEST.json")
    assert not dev.manifest_is_true()
    dev.write_manifest()
    assert dev.manifest_is_true()
    with dev.MANIFEST.open("a") as manifest:
        manifest.write("\n")
    assert not dev.manifest_is_true()
