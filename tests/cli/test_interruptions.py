"""Signals at any moment, a second process, a full disk: one line, the right exit code, and nothing lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import TINY, Outcome, run_main, start
from test_resume import SMALL, assert_equal_runs, settings

from sentiment_lstm.training.checkpoint import Checkpoints

LONG = (*TINY[:5], "--epochs", "100000", "--set", "training.schedule=constant", "--set", "training.gradient_clip=1.0")


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("module", "name", "command"), [
    ("sentiment_lstm.data.prepare", "load_source", ("train",)),
    ("sentiment_lstm.data.prepare", "build_tokenizer", ("train",)),
    ("sentiment_lstm.data.prepare", "encode_token_ids", ("train",)),
    ("sentiment_lstm.data.sources", "_hub_answers", ("train", "--data", "imdb")),
    ("sentiment_lstm.inference.predictor", "truncate", ("predict", "good")),
    ("sentiment_lstm.inference.predictor", "compute_logits", ("predict", "good")),
    ("sentiment_lstm.data.prepare", "load_source", ("evaluate",)),
    ("sentiment_lstm.evaluation.evaluator", "compute_logits", ("evaluate",)),
    ("sentiment_lstm.evaluation.evaluator", "plot_confusion", ("evaluate",)),
])  # fmt: skip
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_at_any_moment_is_one_line(
    cli: Callable[..., Outcome], copied_run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    module: str, name: str, command: tuple[str, ...], number: int, code: int,
) -> None:  # fmt: skip
    monkeypatch.setenv("SENTIMENT_LSTM_CACHE", str(tmp_path / "cache"))

    def interrupted(*_: object, **__: object) -> None:
        os.kill(os.getpid(), number)
        time.sleep(10)  # Python answers before this ends

    monkeypatch.setattr(f"{module}.{name}", interrupted)
    rest = {"train": [*TINY[1:], "--output", "new"], "predict": ["--model", copied_run], "evaluate": [copied_run]}
    message = cli(command[0], *rest[command[0]], *command[1:]).error(code)
    assert message == f"error: interrupted by {signal.Signals(number).name}\n"
    assert not Path("new").exists()
    assert not list(tmp_path.rglob("*.tmp"))
    monkeypatch.undo()
    assert run_main("predict", "--model", copied_run, "good").code == 0


HANGING = (
    "import sys, time\nfrom sentiment_lstm.cli.main import main\nfrom sentiment_lstm.training.trainer import Trainer\n"
    "own, calls = Trainer.compute_gradient, iter(range(10**6))\n"
    "def hang(trainer, group):\n"
    "    if next(calls) == 10:\n"
    "        print('hanging', flush=True)\n"
    "        for _ in range(6000):\n            time.sleep(0.01)\n"
    "    return own(trainer, group)\n"
    "Trainer.compute_gradient = hang\nmain()\n"
)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_leaves_at_once_with_the_last_checkpoint_whole(
    cli: Callable[..., Outcome], tmp_path: Path, number: int, code: int
) -> None:
    command = [*SMALL, *settings(epochs=2), "--output", str(tmp_path / "run")]
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"hanging\n"
    process.send_signal(number)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)  # the first one waits for the step to end
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == code
    assert err == b"error: interrupted twice: left at once; the last checkpoint is whole\n"
    assert cli("train", "--resume", tmp_path / "run", "--quiet").code == 0
    assert cli(*SMALL, *settings(epochs=2), "--output", "whole").code == 0
    assert_equal_runs(tmp_path / "run", Path("whole"))


def test_one_folder_is_one_run(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    """A second process is turned away at once; reading a run that trains is fine; a kill releases it."""
    run = tmp_path / "run"
    first = start(*LONG, "--quiet", "--output", run)
    try:
        wait_for(run / "history.jsonl", first)
        for command in (("train", "--resume", run), (*TINY, "--output", run), (*TINY, "--output", run, "--force")):
            started = time.monotonic()
            assert f"{run} is in use by process {first.pid}: wait for it to end" in cli(*command).error(2)
            assert time.monotonic() - started < 1
        assert cli("predict", "--model", run, "good").code == 0
        assert cli("evaluate", run, "--quiet").code == 0
        assert first.poll() is None, "the first is unharmed"
    finally:
        first.kill()
        first.wait()
    assert (run / ".lock").read_text() == f"{first.pid}\n"
    epochs = len((run / "history.jsonl").read_text().splitlines())
    message = cli("train", "--resume", run, "--max-time", "0.01", "--quiet")
    assert message == Outcome(0, "", "")
    assert len((run / "history.jsonl").read_text().splitlines()) >= epochs
    assert not (run / ".lock").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs takes more rights than this process has")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_loses_nothing(cli: Callable[..., Outcome], small_disk: Path) -> None:
    run = small_disk / "run"
    command = [*SMALL, *settings(epochs=30, keep_checkpoints=100)]
    message = cli(*command, "--output", run).error(1)
    assert message.startswith(f"error: cannot write {run}/checkpoints/epoch-")
    assert "MB needed): No space left on device; make room or choose another --output; go on with: " in message
    before = Checkpoints(run, 1).positions()
    newest = Checkpoints(run, 1).load_newest()
    assert newest is not None
    assert newest.folder.name == "epoch-{:04}-step-{:06}".format(*before[-1])
    assert cli("predict", "--model", run, "good").code == 0
    for position in before[:-1]:
        shutil.rmtree(run / "checkpoints" / "epoch-{:04}-step-{:06}".format(*position))
    assert cli("train", "--resume", run, "--set", "training.keep_checkpoints=1", "--quiet").code == 0
    assert cli(*command, "--output", "whole").code == 0
    assert_equal_runs(run, Path("whole"))
