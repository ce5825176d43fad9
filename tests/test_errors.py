"""The tree of errors: which exit code each carries, and what it says."""

from __future__ import annotations

import inspect
import signal

import pytest

from sentiment_lstm import errors

EXIT_CODES = {
    "SentimentLSTMError": 1,
    "UsageError": 2,
    "ConfigError": 2,
    "RunFailure": 1,
    "DataError": 1,
    "ArchiveError": 1,
    "TrainingError": 1,
    "OutOfMemory": 1,
    "ProcessLost": 1,
}


def test_every_error_has_the_exit_code_of_its_kind() -> None:
    own = {
        name: cls.exit_code
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.SentimentLSTMError)
    }
    assert own == EXIT_CODES


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_is_no_failure_and_carries_its_signal(number: signal.Signals, code: int) -> None:
    interrupted = errors.Interrupted(number)
    assert isinstance(interrupted, KeyboardInterrupt)
    assert not isinstance(interrupted, Exception)
    assert interrupted.exit_code == code
    assert number.name in str(interrupted)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("sampel", "; did you mean 'sample'?"), ("imbd", "; did you mean 'imdb'?"), ("zzz", ""), ("", "")],
)
def test_the_nearest_name_is_suggested_only_where_one_is_near(name: str, hint: str) -> None:
    assert errors.did_you_mean(name, ["imdb", "sample"]) == hint


def test_nothing_is_suggested_where_nothing_is_known() -> None:
    assert errors.did_you_mean("imdb", []) == ""
