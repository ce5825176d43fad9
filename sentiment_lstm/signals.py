"""Ctrl-C and SIGTERM: the first one asks the program to end, the second one ends it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

from sentiment_lstm.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_first: int | None = None  # the signal that came first, if one did
_waits = False  # whether it waits for `check` to be called
_second_leaves = True


def handle(second_leaves: bool = True) -> None:
    """Answer to both signals from now on; called once, when the program starts.

    Parameters
    ----------
    second_leaves : bool
        ``False`` under torchrun, which repeats to its workers a Ctrl-C that they have seen, and kills them itself.
    """
    global _first, _waits, _second_leaves
    _first, _waits, _second_leaves = None, False, second_leaves
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as a shell's background jobs are started
            signal.signal(number, _on_signal)
    sys.unraisablehook = _on_swallowed


@contextlib.contextmanager
def waiting() -> Iterator[None]:
    """Inside, a first signal does nothing until :func:`check`, so that what has begun is finished."""
    global _waits
    _waits = True
    yield  # an error leaves it so: no signal may come between what went wrong and the line that says it
    _waits = False
    check()


def wait(seconds: float) -> None:
    """Wait for a signal, for so long at most."""
    global _waits
    _waits = True
    end = time.monotonic() + seconds
    while _first is None and time.monotonic() < end:
        time.sleep(0.05)


def came() -> int | None:
    """Return the signal that came, or ``None``."""
    return _first


def check() -> None:
    """Raise ``Interrupted`` where a signal came."""
    if _first is not None:
        raise Interrupted(_first)


def _on_signal(number: int, frame: FrameType | None) -> None:
    global _first
    if _first is None:
        _first = number
        if not _waits:
            raise Interrupted(number)
    elif _second_leaves:
        with contextlib.suppress(OSError):
            os.write(2, b"error: interrupted twice: left at once; the last checkpoint is whole\n")
        os._exit(128 + number)


def _on_swallowed(unraisable: sys.UnraisableHookArgs) -> None:
    """Send a signal again whose exception was dropped: it arrived in a destructor or a weak reference's callback."""
    global _first
    if isinstance(unraisable.exc_value, Interrupted):
        number, _first = _first, None
        again = threading.Timer(0.01, os.kill, (os.getpid(), number or signal.SIGINT))  # not before this is left
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(unraisable)
