"""What only a process of its own can show: pipes, signals, a full device, a hub out of reach."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import TINY, run_main, start

LONG = (*TINY[:3], *TINY[3:5], "--epochs", "3000", *TINY[8:])


@pytest.fixture
def predicting(tiny_run: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for lines on stdin and has answered one."""
    process = start("predict", "--model", tiny_run, "-")
    assert ask(process, b"good\n").endswith(b"  good\n")
    yield process
    process.kill()
    process.communicate()


def ask(process: subprocess.Popen[bytes], line: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line)
    process.stdin.flush()
    assert select.select([process.stdout], [], [], 30)[0], "no answer before the next line"
    return process.stdout.readline()


def test_a_trickling_pipe_gets_each_answer_before_its_next_line(predicting: subprocess.Popen[bytes]) -> None:
    for text in (b"bad", b"a good film", b"it"):
        assert ask(predicting, text + b"\n").endswith(b"  " + text + b"\n")
    out, err = predicting.communicate()
    assert (predicting.returncode, out, err) == (0, b"", b"")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_waiting_for_a_line_ends_in_one_line(
    predicting: subprocess.Popen[bytes], number: signal.Signals, code: int
) -> None:
    predicting.send_signal(number)
    assert predicting.wait(20) == code
    assert predicting.stderr is not None
    message = predicting.stderr.read()
    assert message.startswith(b"error: interrupted")
    assert message.count(b"\n") == 1


def test_a_reader_that_has_enough_ends_predict_without_a_word(tiny_run: Path) -> None:
    process = start("predict", "--model", tiny_run, "-")
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(b"good\n")
    process.stdin.flush()
    assert process.stdout.readline().endswith(b"  good\n")
    process.stdout.close()  # as `head -1` does
    process.stdin.write(b"good\n" * 1000)
    process.stdin.close()
    assert process.wait(20) == 0
    assert process.stderr.read() == b""


def test_a_device_that_is_full_is_one_line(tiny_run: Path) -> None:
    with open("/dev/full", "wb") as full:
        process = start("predict", "--model", tiny_run, "good", stdout=full)
        _, err = process.communicate()
    assert process.returncode == 1
    assert err.startswith(b"error: ")
    assert b"No space left on device" in err
    assert err.count(b"\n") == 1


def test_ctrl_c_while_training_keeps_the_best_model(tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start(*LONG, "--quiet", "--output", run)
    deadline = time.monotonic() + 60
    while not (run / "history.jsonl").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == b""
    assert err.startswith(b"error: interrupted after ")
    assert err.endswith(
        f" is kept in {run}; go on with: {sys.executable} -m sentiment_lstm train --resume {run}\n".encode()
    )
    assert err.count(b"\n") == 1
    summary = json.loads((run / "metrics.json").read_text())
    assert summary["stop_reason"] == "interrupted"
    assert f"the model of epoch {summary['best_epoch']} is kept".encode() in err
    assert run_main("predict", "--model", run, "good").code == 0
    assert not list(run.glob(".*")), "no half file stays"


def open_for_writing(fifo: Path) -> int | None:
    """Open a pipe that someone is reading."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def test_an_interruption_while_reading_data_leaves_no_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never.csv")  # opening it waits for a writer
    process = start(*TINY, "--vectors", tmp_path / "never.csv", "--output", tmp_path / "run")
    deadline = time.monotonic() + 60
    while (writer := open_for_writing(tmp_path / "never.csv")) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    os.close(writer)  # a signal just before the pipe is read does not end the reading; the end of the pipe does
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, b"error: interrupted by SIGINT\n")
    assert not (tmp_path / "run").exists()


def test_a_hub_out_of_reach_is_one_line_with_the_next_step_within_five_seconds(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom sentiment_lstm.data import sources\nfrom sentiment_lstm.cli.main import main\n"
        "ask = sources._load_hub\n"
        "def timed(splits):\n"
        "    started = time.perf_counter()\n"
        "    try:\n        return ask(splits)\n"
        "    finally:\n        print(time.perf_counter() - started)\n"
        "sources._load_hub = timed\nmain()\n"
    )
    settings = {**os.environ, "HF_HOME": str(tmp_path / "hub"), "HF_ENDPOINT": "https://hub.invalid"}
    settings.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", code, "train", "--data", "imdb", "--output", str(tmp_path / "run")],
        env=settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: cannot reach the hub for stanfordnlp/imdb and it is not cached: connect once, "
        "or give a folder with its parquet files as --data FOLDER, or try --data sample\n"
    )
    assert float(done.stdout) < 5
    assert not (tmp_path / "run").exists()
