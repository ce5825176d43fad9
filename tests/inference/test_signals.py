"""Ctrl-C and SIGTERM are heard while texts are encoded, predicted and evaluated, and leave nothing half done."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import start, write_csv

from sentiment_lstm.config import TokenizerConfig
from sentiment_lstm.data.tokenizer import build_tokenizer
from sentiment_lstm.errors import Interrupted

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.fixture
def alarm() -> Iterator[list[float]]:
    """When the clock rang, once it is set; the handler raises what Ctrl-C raises."""
    rang: list[float] = []

    def ring(*_: object) -> None:
        rang.append(time.perf_counter())
        raise Interrupted

    before = signal.signal(signal.SIGALRM, ring)
    yield rang
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", ["basic_english", "bpe"])
@pytest.mark.parametrize("texts", [["a good film " * 2_000_000], ["a good film " * 100] * 20_000], ids=["long", "many"])
def test_a_signal_is_heard_while_texts_are_encoded(kind: str, texts: list[str], alarm: list[float]) -> None:
    tokenizer = build_tokenizer(["a good film"] * 2, TokenizerConfig(kind=kind, max_size=300))
    due = time.perf_counter() + 0.5
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    with pytest.raises(Interrupted):
        tokenizer.encode_batch(texts)
    assert alarm[0] - due < 1  # a fifth of a second on a machine with nothing else to do


def end(process: subprocess.Popen[bytes], number: signal.Signals, code: int) -> None:
    """Send a signal, and see that the process says one line and ends as it should."""
    process.send_signal(number)
    assert process.stdout is not None
    assert process.stderr is not None
    while process.stdout.read1():  # type: ignore[attr-defined]  # what was printed before
        pass
    message = process.stderr.read()
    assert process.wait(20) == code, message
    assert message.splitlines()[-1].startswith(b"error: interrupted"), message.decode()
    assert b"Traceback" not in message


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_while_a_file_is_predicted_ends_in_one_line(
    tiny_run: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    (tmp_path / "many.txt").write_text("a good film\n" * 300_000)
    process = start("predict", "--model", tiny_run, "--file", tmp_path / "many.txt")
    assert process.stdout is not None
    assert process.stdout.readline().endswith(b"  a good film\n")
    end(process, number, code)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_while_evaluating_writes_nothing(
    copied_run: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    data = write_csv(tmp_path / "many.csv", [f"{'a good film ' * 50}{n},positive" for n in range(100_000)])
    own_cache = tmp_path / "cache"
    process = start(
        *("evaluate", copied_run, "--data", data), env={**os.environ, "SENTIMENT_LSTM_CACHE": str(own_cache)}
    )
    deadline = time.monotonic() + 60
    while not list(own_cache.glob("datasets/*")):  # its first trace
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    end(process, number, code)
    assert not list(own_cache.glob("datasets/*"))
    assert not (copied_run / "evaluation").exists()
    assert not list(copied_run.rglob(".*"))
