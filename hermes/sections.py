"""Prompts of a bounded size: sections that share what room there is. Pure; for who writes prompts.

Limits first: a section that does not fit is cut at its end, or where it is shown the other way
round at its beginning, and the cut is said. What people wrote stands as quotations, so that it
cannot pass for a part of the prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hermes.plain_text import CUT, fitting, readable, size, within

MORE = f"{CUT} (the rest is left out)"
_LINE_BYTES = 1000


@dataclass(frozen=True)
class Section:
    """A part of a prompt that may be cut: its lines, in the order in which they matter.

    ``share`` is its part of the room, in comparison with the sections after it.
    """

    title: str
    lines: Iterable[str]
    share: int
    is_last_first: bool = False

    def text(self, room: int) -> str:
        """Return the section in at most ``room`` bytes; "" when it has nothing to say."""
        head = f"\n## {self.title}\n\n"
        kept, is_all = fitting(self.lines, room - size(head) - size(MORE) - 1)
        if is_all and not kept:
            return ""
        shown = kept if is_all else [*kept, MORE]
        return head + joined(reversed(shown) if self.is_last_first else shown)


def filled(sections: Sequence[Section], room: int) -> list[str]:
    """Return each section's text: what one leaves of its share, those after it have.

    Together they take at most ``room`` bytes of UTF-8.
    """
    shares = sum(section.share for section in sections)
    texts = []
    for section in sections:
        text = section.text(room * section.share // shares)
        texts.append(text)
        room -= size(text)
        shares -= section.share
    return texts


def quoted(text: str) -> list[str]:
    """Return the lines of what a person wrote as quotations; blank lines at its ends go."""
    lines = text.strip().splitlines()
    return [within(f"> {readable(line)}".rstrip(), _LINE_BYTES) for line in lines]


def joined(lines: Iterable[str]) -> str:
    """Return lines as text."""
    return "".join(f"{line}\n" for line in lines)
