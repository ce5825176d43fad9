"""What a signal raises is not lost where Python drops exceptions."""

from __future__ import annotations

import os
import signal
import sys
import time
import weakref

import pytest

from sentiment_lstm import signals
from sentiment_lstm.errors import Interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_within_a_weak_references_callback_is_raised_after_it(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    before = [(own, signal.signal(own, signal.SIG_DFL)) for own in signals.SIGNALS]
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)

    class Thing:
        pass

    def callback(_: object) -> None:
        os.kill(os.getpid(), number)
        time.sleep(0.01)  # it is answered here, within the callback

    thing = Thing()
    reference = weakref.ref(thing, callback)
    try:
        signals.handle()
        with pytest.raises(Interrupted):  # noqa: PT012
            del thing
            time.sleep(5)
    finally:
        for own, handler in before:
            signal.signal(own, handler)
    assert reference() is None
