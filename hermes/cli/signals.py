"""What signals do to a command: the only code that handles them, for the reporter and the rules.

Limits first. A signal that comes before the door is open (with ``doit``: before the first task
begins), or in another thread's work, ends the process as Python does. An exception that a handler
raises can be lost, where Python calls code whose exceptions it ignores (a finaliser, a callback of
the garbage collector); so the signal is noted as well, and ``halt``, which is asked between runs
and while one runs, raises it again.

While runs are being made (``finishing``), the first Ctrl-C asks for no further ones; the second,
like every other signal at any time, ends what is running.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import NoReturn

from hermes.cli import console

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_ONCE = b"\nFinishing the run in hand; Ctrl-C again ends it now.\n"

_last_words: Callable[[], str] | None = None


class Terminated(KeyboardInterrupt):
    """A signal asked the process to end; what is running is ended."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def is_from_keyboard(self) -> bool:
        """Say whether it was Ctrl-C."""
        return self.number == signal.SIGINT


class _Asked:
    """What signals have asked of this process so far."""

    number: int | None = None
    at_once = False
    may_finish = False
    may_wait = False


def catch() -> Callable[[], None]:
    """Take the signals that end a process; return what gives them back.

    One that the caller ignores (``nohup``, a shell's ``&``) stays ignored. Where they are taken
    already, they stay so, and what they asked for holds.
    """
    if _handle in map(signal.getsignal, (*_ENDING, signal.SIGINT)):
        return lambda: None
    _Asked.number, _Asked.at_once, _Asked.may_wait = None, False, False
    usual = {**dict.fromkeys(_ENDING, signal.SIG_DFL), signal.SIGINT: signal.default_int_handler}
    caught = {number: old for number, old in usual.items() if signal.getsignal(number) is old}
    try:
        for number in caught:
            signal.signal(number, _handle)
    except ValueError:  # not the main thread
        return lambda: None

    def release() -> None:
        for number, old in caught.items():
            signal.signal(number, old)

    return release


@contextlib.contextmanager
def finishing(*, in_hand: bool = True) -> Iterator[None]:
    """Let the first Ctrl-C during the body only note that no further run is wanted.

    Unless nothing is ``in_hand``: then it ends what waits, as it does outside of any body.
    """
    before, _Asked.may_finish = _Asked.may_finish, in_hand
    try:
        yield
    finally:
        _Asked.may_finish = before


@contextlib.contextmanager
def later() -> Iterator[None]:
    """Let no signal cut the body short; one that would have is raised when it is done."""
    before, _Asked.may_wait = _Asked.may_wait, True
    try:
        yield
    finally:
        _Asked.may_wait = before
    halt()


def halt() -> bool:
    """Say whether no further run is wanted; raise Terminated when none may go on."""
    if _Asked.at_once and _Asked.number is not None:
        raise Terminated(_Asked.number)
    return _Asked.number is not None


def asked() -> int | None:
    """Return the signal that asked this process to end; None when there was none."""
    return _Asked.number


def at_interrupt(words: Callable[[], str]) -> None:
    """Let ``words`` tell what was done, should the process be interrupted."""
    global _last_words  # noqa: PLW0603  one command a process
    _last_words = words


def interrupted(cause: KeyboardInterrupt | None = None) -> NoReturn:
    """End the process as one that a signal ended: a few lines, and the shell's code for it."""
    number = cause.number if isinstance(cause, Terminated) else _Asked.number
    told = _last_words() if _last_words else None
    console.notice("Interrupted; what was finished is kept.")
    if told:
        console.notice(told)
    raise SystemExit(128 + (number or signal.SIGINT)) from None


def _handle(number: int, frame: object) -> None:  # noqa: ARG001  the signal module's form
    first, _Asked.number = _Asked.number is None, number
    if number == signal.SIGINT and first and _Asked.may_finish:
        with contextlib.suppress(OSError):
            os.write(2, _ONCE)  # a stream may be in the middle of a write
        return
    _Asked.at_once = True
    if not _Asked.may_wait:
        raise Terminated(number)
