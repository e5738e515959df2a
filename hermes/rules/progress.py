"""What a long command says of its runs while it makes them: plain lines, or a bar at a terminal.

Limit first: of many runs a second only some are told of, every one that is best so far among
them; each line says how many were left out before it, and the last run always has its line.
At a terminal a bar shows count, rate, time left and the best value; above it stand the runs that
were best so far.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from hermes.cli import console
from hermes.model import IndexLine, Outcome

_SECONDS = 0.2  # between two lines
_REASON = 60  # characters
_ALWAYS = (Outcome.TAMPERED, Outcome.OUT_OF_BOUNDS)  # what a person should never miss


class Progress:
    """Counts sealed runs and tells of them; ``total`` is how many were asked for, if that is known.

    ``now`` gives seconds.
    """

    def __init__(
        self,
        say: Callable[[str], None] = console.notice,
        *,
        total: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self.count = 0
        self.best: IndexLine | None = None
        self._say = say
        self._now = now
        self._next = 0.0
        self._left_out: list[bool] = []
        self._held: IndexLine | None = None
        self._bar: console.Bar | None = None

    def show_bar(self, bar: console.Bar | None) -> None:
        """Show a bar from here on in the place of lines; None leaves it at lines."""
        self._bar = bar

    def tell(self, line: IndexLine) -> None:
        """Count a sealed run, and say in one line what it brought, if it is time for one."""
        self.count += 1
        if line.accepted:
            self.best = line
        if self._bar is not None:
            self._move(self._bar, line)
            return
        now = self._now()
        told = line.accepted or line.outcome in _ALWAYS
        if not told and self.count != self.total and now < self._next:
            self._held = line
            self._left_out.append(line.outcome.is_failure)
            return
        self._next = now + _SECONDS
        self._write(line)

    def flush(self) -> None:
        """Tell of the last run, if it was left out; end the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._held is not None:
            self._left_out.pop()
            self._write(self._held)

    def last_words(self, rest: str = "") -> str:
        """Return what an interrupted command has done, and how to go on; ``rest`` is a hint."""
        self.flush()
        of_all = f" of {self.total}" if self.total else ""
        plural = "" if self.count == 1 and not of_all else "s"
        best = ""
        if self.best is not None:
            best = f"; the best so far: {_result(self.best)} in {self.best.run_id}"
        return f"{self.count}{of_all} run{plural} finished{best}.\nThe same command goes on{rest}."

    def _move(self, bar: console.Bar, line: IndexLine) -> None:
        if line.accepted:
            bar.write(f"{line.run_id}  {line.strategy}  {_result(line)}{_standing(line)}")
        best = f"best {self.best.value:.6g}" if self.best and self.best.value is not None else ""
        bar.set_postfix_str(best or f"last {_result(line)}", refresh=False)
        bar.update()

    def _write(self, line: IndexLine) -> None:
        count = f"{self.count}/{self.total}" if self.total else str(self.count)
        told = f"{count}  {line.run_id}  {line.strategy}  {_result(line)}{_standing(line)}"
        self._say(told + _omitted(self._left_out))
        self._left_out.clear()
        self._held = None


def _result(line: IndexLine) -> str:
    from hermes.render.text import clip

    if line.value is not None:
        return f"{line.value:.6g}"
    reason = clip(line.reason, _REASON)
    return f"{line.outcome.value}: {reason}" if reason else line.outcome.value


def _standing(line: IndexLine) -> str:
    """Say what the run is now: the best so far, or a change of code that was kept, and which."""
    from hermes.render.text import clip

    if not line.accepted:
        return ""
    if line.code is None:
        return "  best so far"
    if line.code.compared_with is None:
        return (
            f"  to be beaten: {clip(line.reason, 2 * _REASON)}" if line.reason else "  to be beaten"
        )
    what = clip(line.code.hypothesis, _REASON)
    how = "accepted for less code" if line.reason else "accepted"
    return f"  {how}: {what}" if what else f"  {how}"


def _omitted(failures: list[bool]) -> str:
    if not failures:
        return ""
    failed = sum(failures)
    return f"  (+{len(failures)} not shown{f', {failed} failed' if failed else ''})"
