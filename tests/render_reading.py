"""Reads Markdown and terminal text as a reader's tools would; for the tests of rendering."""

from __future__ import annotations

import re
import unicodedata

_PUNCTUATION = set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_FENCE = re.compile(r"\s*(`{3,})")


def cells_of_github(line: str) -> int:
    """Count a row's cells as GitHub does: a backslash escapes any punctuation, itself too."""
    count, place = 0, 0
    while place < len(line):
        if line[place] == "\\" and line[place + 1 : place + 2] in _PUNCTUATION:
            place += 1
        elif line[place] == "|":
            count += 1
        place += 1
    return count - 1


def cells_of_markdown_it(line: str) -> int:
    """Count a row's cells as markdown-it does: a pipe after a backslash never divides."""
    return len(re.findall(r"(?<!\\)\|", line)) - 1


def outside_fences(text: str) -> list[str]:
    """Return the lines that are not inside a fenced block; fails when a block is never closed."""
    lines, fence = [], ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if fence:
            if found and len(found[1]) >= len(fence) and line.strip() == found[1]:
                fence = ""
        elif found:
            fence = found[1]
        else:
            lines.append(line)
    assert not fence, "a fenced block is never closed"
    return lines


def tables_of(text: str) -> list[list[str]]:
    """Return each table as its lines."""
    tables: list[list[str]] = [[]]
    for line in outside_fences(text):
        if line.startswith("|"):
            tables[-1].append(line)
        elif tables[-1]:
            tables.append([])
    return [table for table in tables if table]


def check_tables(text: str) -> None:
    """Fail unless every row of every table has as many cells as its head, for both readers."""
    for table in tables_of(text):
        for count in (cells_of_github, cells_of_markdown_it):
            assert {count(line) for line in table} == {count(table[0])}, table
        assert set(table[1]) <= set("|-: "), table[1]


def headings(text: str) -> list[str]:
    """Return the headings of a page."""
    return [line for line in outside_fences(text) if line.startswith("#")]


def section(text: str, title: str) -> str:
    """Return what stands under ``## title``, up to the next heading."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r} in:\n{text}"
    return found[1].strip()


def check_readable(text: str) -> None:
    """Fail when a character is there that steers a terminal or hides text."""
    for character in text.replace("\n", ""):
        if character in "\u200c\u200d":
            continue  # they join letters, in some scripts and signs
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), repr(
            character
        )


def wide(text: str) -> int:
    """Return how many cells of a terminal a line takes."""
    return sum(
        0
        if unicodedata.category(character) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )
