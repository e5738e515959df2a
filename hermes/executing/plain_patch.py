"""Writes a patch in git's format without git; for ``patch`` alone.

Pure. Limits first. Renames are not looked for. What is no text, or would take long to compare, is
written whole as git's binary form, which git applies as well.
"""

from __future__ import annotations

import base64
import difflib
import os
import zlib
from collections.abc import Iterator, Sequence
from hashlib import sha1

from hermes.executing.content import Content, Tree

MOST_PAIRS = 100_000_000  # pairs of lines; comparing takes a time that grows with them
_CONTEXT = 3
_LOOKED_AT = 8000  # bytes; git looks as far for a NUL
_LINE_BYTES = 52
_NOTHING = b"0" * 40
_NO_NEWLINE = b"\n\\ No newline at end of file\n"
_ESCAPES = {7: b"a", 8: b"b", 9: b"t", 10: b"n", 11: b"v", 12: b"f", 13: b"r", 34: b'"', 92: b"\\"}


def diff(before: Tree, after: Tree) -> bytes:
    """Return the patch that makes ``after`` of ``before``; deletions come first."""
    paths = sorted(before.keys() | after.keys(), key=lambda path: (path in after, path))
    return b"".join(
        part
        for path in paths
        if before.get(path) != after.get(path)
        for part in _of_file(path, before.get(path), after.get(path))
    )


def _of_file(path: str, old: Content | None, new: Content | None) -> Iterator[bytes]:
    a, b = quoted(f"a/{path}"), quoted(f"b/{path}")
    yield b"diff --git %s %s\n" % (a, b)
    yield from _modes(old, new)
    was, is_ = old.data if old else b"", new.data if new else b""
    if was == is_ and old is not None and new is not None:
        return
    mode = b" " + mode_of(new) if old and new and old.executable == new.executable else b""
    yield b"index %s..%s%s\n" % (_id(old), _id(new), mode)
    if was == is_:
        return
    if is_binary(was) or is_binary(is_) or _is_long(was, is_):
        yield b"GIT binary patch\n"
        yield from _literal(is_)
        yield from _literal(was)
        return
    yield b"--- %s\n+++ %s\n" % (a + _end(path) if old else b"/dev/null", _named(b, path, new))
    yield from _hunks(lines(was), lines(is_))


def _named(name: bytes, path: str, content: Content | None) -> bytes:
    return name + _end(path) if content else b"/dev/null"


def _end(path: str) -> bytes:
    """Return what ends a name with a space in it, which could else be taken for a time."""
    return b"\t" if " " in path else b""


def _modes(old: Content | None, new: Content | None) -> Iterator[bytes]:
    if old is None and new is not None:
        yield b"new file mode %s\n" % mode_of(new)
    elif new is None and old is not None:
        yield b"deleted file mode %s\n" % mode_of(old)
    elif old is not None and new is not None and old.executable != new.executable:
        yield b"old mode %s\nnew mode %s\n" % (mode_of(old), mode_of(new))


def mode_of(content: Content) -> bytes:
    """Return a file's mode as git writes it."""
    return b"100755" if content.executable else b"100644"


def _id(content: Content | None) -> bytes:
    """Return the name that git gives to a content."""
    if content is None:
        return _NOTHING
    head = b"blob %d\0" % len(content.data)
    return sha1(head + content.data, usedforsecurity=False).hexdigest().encode()


def quoted(path: str) -> bytes:
    """Return a path as git writes it: in quotes where a byte of it calls for them."""
    name = os.fsencode(path)
    if all(32 <= byte < 127 and byte not in _ESCAPES for byte in name):
        return name
    return b'"%s"' % b"".join(map(_escaped, name))


def _escaped(byte: int) -> bytes:
    if byte in _ESCAPES:
        return b"\\" + _ESCAPES[byte]
    return bytes([byte]) if 32 <= byte < 127 else b"\\%03o" % byte


# Text


def is_binary(data: bytes) -> bool:
    """Say whether git takes a content for no text."""
    return b"\0" in data[:_LOOKED_AT]


def lines(data: bytes) -> list[bytes]:
    """Return the lines of a text as git sees them: only a newline ends one."""
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def common(old: Sequence[bytes], new: Sequence[bytes]) -> tuple[int, int]:
    """Return how many lines two texts share at their beginning, and then at their end."""
    most = min(len(old), len(new))
    start = next((i for i in range(most) if old[i] != new[i]), most)
    rest = most - start
    end = next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)
    return start, end


def _is_long(was: bytes, is_: bytes) -> bool:
    old, new = lines(was), lines(is_)
    start, end = common(old, new)
    return (len(old) - start - end) * (len(new) - start - end) > MOST_PAIRS


def _hunks(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[bytes]:
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        first, last = group[0], group[-1]
        yield b"@@ -%s +%s @@\n" % (_range(first[1], last[2]), _range(first[3], last[4]))
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (_line(b" ", line) for line in old[i1:i2])
                continue
            yield from (_line(b"-", line) for line in old[i1:i2])
            yield from (_line(b"+", line) for line in new[j1:j2])


def _range(start: int, end: int) -> bytes:
    length = end - start
    return b"%d,%d" % (start + 1 if length else start, length)


def _line(sign: bytes, line: bytes) -> bytes:
    return sign + line if line.endswith(b"\n") else sign + line + _NO_NEWLINE


# Binary


def _literal(data: bytes) -> Iterator[bytes]:
    """Return a content in git's binary form: deflated, and 52 bytes a line in base 85."""
    yield b"literal %d\n" % len(data)
    packed = zlib.compress(data)
    for start in range(0, len(packed), _LINE_BYTES):
        piece = packed[start : start + _LINE_BYTES]
        length = len(piece)
        mark = length + 64 if length <= 26 else length + 70  # A to Z, then a to z
        yield bytes([mark]) + base64.b85encode(piece, pad=True) + b"\n"
    yield b"\n"
