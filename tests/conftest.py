"""What the tests share: the command line in this process, one tiny trained run, and caches that are nobody's own."""

from __future__ import annotations

import io
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: these models are too small for two

from workers import Workers

from sentiment_lstm import signals
from sentiment_lstm.cli.main import main

TINY = ("train", "--config", "sample", "--limit", "60", "--epochs", "1", "--quiet")
TINY += ("--set", "model.embedding_dim=8", "--set", "model.hidden_dim=8", "--set", "training.precision=fp32")


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    def error(self, code: int) -> str:
        """The message of a command that must fail with ``code``, silent on stdout, one line and no more on stderr."""
        assert self.code == code, self
        assert self.out == "", self
        assert self.err.startswith("error: "), self
        assert self.err.endswith("\n"), self
        assert self.err.count("\n") == 1, self
        assert "Traceback" not in self.err, self
        return self.err


def run_main(*arguments: str | Path, stdin: bytes = b"") -> Outcome:
    """Run the command line in this process, as its console script would."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    argv, own_stdin = sys.argv, sys.stdin
    handlers = {number: signal.getsignal(number) for number in signals.SIGNALS}
    sys.argv = ["sentiment-lstm", *map(str, arguments)]
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    code: object = None
    try:
        with _bare_logging(), redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv, sys.stdin = argv, own_stdin
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert isinstance(code, int)
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return Outcome(code, *texts)


@contextmanager
def _bare_logging() -> Iterator[None]:
    """The root logger as a fresh process has it; pytest's own handlers would keep ``basicConfig`` from acting."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@pytest.fixture(scope="session", autouse=True)
def _caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Caches of this session's own, in this process and in those it starts."""
    folder = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENTIMENT_LSTM_CACHE", str(folder / "own"))
        patch.setenv("HF_HOME", str(folder / "hub"))
        patch.setenv("OMP_WAIT_POLICY", "passive")
        patch.setattr("sentiment_lstm.experiment.matrix_rates", lambda: (1.0, None))  # a second of every run
        yield


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    """Three processes that train together when they are told to."""
    started = Workers(3)
    yield started
    started.close()


@pytest.fixture(autouse=True)
def _logging_as_found() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """``cli("predict", "a sentence")`` in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    return run_main


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder trained on 60 sample reviews. Read only: ``copied_run`` is one to change."""
    folder = tmp_path_factory.mktemp("tiny") / "run"
    outcome = run_main(*TINY, "--output", folder)
    assert outcome == Outcome(0, "", "")
    return folder


@pytest.fixture
def copied_run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of ``tiny_run`` to change."""
    return shutil.copytree(tiny_run, tmp_path / "copied")


def start(*arguments: str | Path, **options: object) -> subprocess.Popen[bytes]:
    """Start the command line as a process of its own, its three streams piped."""
    command = [sys.executable, "-m", "sentiment_lstm", *map(str, arguments)]
    settings = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, **settings)  # type: ignore[call-overload, no-any-return]


def write_csv(path: Path, rows: Sequence[str], header: str = "text,label") -> Path:
    """Write a CSV file of lines that are written out."""
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def review_rows(number: int = 40) -> list[str]:
    """Rows of a small CSV corpus: every other review is good."""
    return [f"a {'good' if n % 2 else 'bad'} film {n},{'yes' if n % 2 else 'no'}" for n in range(number)]
