"""Holds ``hermes.executing.git``: how it is called, and that all that it is given arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from hermes.executing import git


def test_what_a_slow_git_is_given_arrives_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nsleep 0.1\nwc -c\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setattr(git, "_PULSE_SECONDS", 0.01)
    beats: list[int] = []
    said = git.call(
        str(tmp_path),
        str(tmp_path),
        {"PATH": f"{tmp_path}:/usr/bin:/bin"},
        given=b"x" * 1_000_000,
        pulse=lambda: beats.append(1),
    )
    assert int(said) == 1_000_000
    assert beats
