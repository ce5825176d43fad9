"""One tree of errors; each class carries the exit code the command line ends with.

    SentimentLSTMError
    ├── UsageError          2   what the user typed: an option, a name, a path, a column
    │   └── ConfigError     2   a configuration key or value
    └── RunFailure          1   what is in a file, or a run that went wrong
        ├── DataError       1   reviews that cannot be used
        ├── ArchiveError    1   a model folder that is damaged or foreign
        ├── TrainingError   1   training that cannot go on (a non-finite loss, no disk space)
        │   └── OutOfMemory 1   memory that does not suffice for a step
        └── ProcessLost     1   another process of those that train together

A message is one line and answers three questions: what happened, what was expected, what to do next.
An interruption is no failure: ``Interrupted`` derives from ``KeyboardInterrupt`` and exits 130 or 143.
"""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable


class SentimentLSTMError(Exception):
    """Every error this package raises on purpose.

    Attributes
    ----------
    exit_code : int
    everywhere : bool
        Whether all processes that train together meet it alike, so that one of them tells of it for all.
    """

    exit_code = 1
    everywhere = False


class UsageError(SentimentLSTMError):
    """Something the user typed: an option, a name, a path or a column."""

    exit_code = 2
    everywhere = True


class ConfigError(UsageError):
    """A configuration key or value that is not allowed."""


class RunFailure(SentimentLSTMError):
    """What is in a file, or a run that fails."""


class DataError(RunFailure):
    """Reviews that cannot be read or used."""


class ArchiveError(RunFailure):
    """A model folder that is incomplete, damaged or foreign."""

    everywhere = True


class TrainingError(RunFailure):
    """Training that cannot go on."""

    everywhere = True


class OutOfMemory(TrainingError):
    """Memory that does not suffice for a step."""

    everywhere = False


class ProcessLost(RunFailure):
    """Another process, of those that train together, that has ended or does not answer."""

    everywhere = True


class Interrupted(KeyboardInterrupt):
    """The process was asked to stop: SIGINT exits 130, SIGTERM 143."""

    def __init__(self, signal_number: int = signal.SIGINT) -> None:
        super().__init__(f"interrupted by {signal.Signals(signal_number).name}")
        self.exit_code = 128 + signal_number


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the known name nearest to ``name``, or an empty string."""
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""
