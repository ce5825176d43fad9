"""Kill training runs at random moments, resume them, and compare their end with that of a run nobody disturbed.

    .venv/bin/python scripts/crash_test.py --kills 200 --seed 0

Each run is a real one, by the command line, in a process of its own that is killed with SIGKILL. A hook makes every
save slow: it sleeps between write, fsync and rename, so that many kills fall into one. Prints a table by what the
process was doing when it was killed, in Markdown. Exits with 1 unless every resume succeeded and every end was equal.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import mmap
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: a process that has started threads must not fork

import matplotlib.pyplot  # noqa: F401  # all that a run imports is imported once, here
import torch._dynamo  # noqa: F401  # which every torch optimiser imports, in two seconds
from safetensors.torch import load_file

import sentiment_lstm.evaluation.plots  # noqa: F401
from sentiment_lstm import experiment
from sentiment_lstm.cli.main import main as run_command
from sentiment_lstm.training import checkpoint
from sentiment_lstm.training.trainer import Trainer

TRAIN = ["train", "--config", "sample", "--quiet", "--limit", "240", "--epochs", "3"]
for setting in (
    *("model.embedding_dim=16", "model.hidden_dim=16", "model.word_dropout=0.1", "model.embedding_dropout=0.2"),
    *("model.output_dropout=0.2", "training.batch_size=8", "training.accumulation_steps=2", "training.threads=1"),
    *("training.schedule=cosine", "training.learning_rate=0.01", "training.checkpoint_every_steps=4"),
):
    TRAIN += ["--set", setting]

STAGES = ("before training", "step", "validation", "save, before fsync", "save, before rename", "save, after rename")
BEFORE, STEP, VALIDATION, FSYNC, RENAME, RENAMED = range(len(STAGES))
SLEEP_SECONDS = 0.002
VALIDATION_SECONDS = 0.04  # so few reviews are scored in no time
RESUME_KILLED_TOO = 1 / 3  # of the resumes
KILLED_BEFORE = 0.1  # of all; the rest are killed at a moment drawn evenly from the time that training takes


class Run:
    """A run folder, and the processes that work on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stage = mmap.mmap(-1, 1)  # shared with the process: what it is doing

    def command(self) -> list[str]:
        """What its user would type: train, or where it has begun, resume."""
        if (self.folder / "config.yaml").exists():
            return ["train", "--resume", str(self.folder), "--quiet"]
        return [*TRAIN, "--output", str(self.folder)]

    def start(self) -> int:
        """Start the command in a process of its own; return its number."""
        command = self.command()
        self.stage[0] = BEFORE
        process = os.fork()
        if process == 0:
            self._work(command)
        return process

    def _work(self, command: list[str]) -> NoReturn:
        log = os.open(f"{self.folder}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.argv = ["sentiment-lstm", *command]
        self._hook()
        try:
            run_command()
        except SystemExit as end:
            os._exit(int(end.code or 0))
        os._exit(70)

    def _hook(self) -> None:
        """Make saves slow, and say what is going on."""
        fsync, replace = os.fsync, os.replace

        def slow_fsync(descriptor: int) -> None:
            self._pause(RENAMED if os.path.isdir(f"/proc/self/fd/{descriptor}") else FSYNC)
            fsync(descriptor)

        def slow_replace(*names: Any) -> None:
            self._pause(RENAME)
            replace(*names)
            self._pause(RENAMED)

        os.fsync, os.replace = slow_fsync, slow_replace  # type: ignore[assignment]
        Trainer.train_step = self._marked(STEP, Trainer.train_step)  # type: ignore[method-assign]
        validate = self._marked(VALIDATION, Trainer._validate)
        Trainer._validate = lambda trainer: (validate(trainer), time.sleep(VALIDATION_SECONDS))[0]  # type: ignore[method-assign, assignment, return-value]
        experiment.matrix_rates = lambda: (1.0, None)  # two seconds that have nothing to do with it

    def _pause(self, stage: int) -> None:
        self.stage[0] = stage
        time.sleep(SLEEP_SECONDS)

    def _marked(self, stage: int, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def marked(*arguments: Any) -> Any:
            self.stage[0] = stage
            return method(*arguments)

        return marked

    def kill_after(self, seconds: float, stage: int) -> str | None:
        """Start; kill so many seconds after a stage; return what it was doing, ``None`` where it had ended before."""
        process = self.start()
        deadline = None
        while deadline is None or time.perf_counter() < deadline:
            if deadline is None and self.stage[0] >= stage:
                deadline = time.perf_counter() + seconds
            done, status = os.waitpid(process, os.WNOHANG)
            if done:
                self._check(status)
                return None
            time.sleep(0.0002)
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        if not os.WIFSIGNALED(status):
            self._check(status)
            return None
        return STAGES[self.stage[0]]

    def seconds_of_training(self) -> float:
        """Run to the end, and say how long training alone took."""
        process = self.start()
        while self.stage[0] == BEFORE:
            time.sleep(0.0002)
        started = time.perf_counter()
        self._check(os.waitpid(process, 0)[1])
        return time.perf_counter() - started

    def finish(self) -> None:
        """Run to the end."""
        self._check(os.waitpid(self.start(), 0)[1])

    def _check(self, status: int) -> None:
        if os.waitstatus_to_exitcode(status) != 0:
            log = Path(f"{self.folder}.log").read_text()
            raise RuntimeError(f"{self.folder}: exit code {os.waitstatus_to_exitcode(status)}: {log[-2000:]}")


def outcome(run: Path) -> str:
    """Hash all of a run that must not depend on interruptions: weights, optimiser, random states, counters, history."""
    digest = hashlib.sha256((run / "model.safetensors").read_bytes())
    newest = checkpoint.Checkpoints(run, keep=1).load_newest()
    assert newest is not None, f"{run} has no checkpoint"
    for name, tensor in sorted(load_file(newest.folder / checkpoint.TENSORS).items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    for value in (newest.values, {"history": history}):
        digest.update(json.dumps(_untimed(value), sort_keys=True).encode())
    return digest.hexdigest()


def _untimed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _untimed(own) for key, own in value.items() if "seconds" not in key and "per_second" not in key}
    return [_untimed(own) for own in value] if isinstance(value, list) else value


def crash(kills: int, seed: int, folder: Path) -> int:
    """Kill so many times; print the table; return the exit code."""
    randomness = random.Random(seed)
    started = time.perf_counter()
    reference = Run(folder / "undisturbed")
    seconds = reference.seconds_of_training()

    def kill(run: Run) -> str | None:
        if randomness.random() < KILLED_BEFORE:
            return run.kill_after(randomness.uniform(0, seconds), BEFORE)
        return run.kill_after(randomness.uniform(0, seconds), STEP)

    expected = outcome(reference.folder)
    killed: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    unequal: Counter[str] = Counter()
    runs = 0
    while sum(killed.values()) < kills:
        runs += 1
        run = Run(folder / f"run-{runs}")
        stages = [kill(run)]
        while sum(killed.values()) + len(stages) < kills and randomness.random() < RESUME_KILLED_TOO:
            stages.append(kill(run))
        places = [stage for stage in stages if stage is not None]
        killed.update(places)
        try:
            run.finish()
            if outcome(run.folder) != expected:
                unequal.update(places)
                print(f"{run.folder}: another end than the undisturbed run's", file=sys.stderr)
                continue
        except (RuntimeError, AssertionError, OSError) as error:
            failed.update(places)
            print(error, file=sys.stderr)
            continue
        shutil.rmtree(run.folder)
    print("| killed during | kills | resume failed | another end |\n|---|---|---|---|")
    for stage in STAGES:
        print(f"| {stage} | {killed[stage]} | {failed[stage]} | {unequal[stage]} |")
    print(f"| all | {sum(killed.values())} | {sum(failed.values())} | {sum(unequal.values())} |")
    took = time.perf_counter() - started
    print(f"\n{runs} runs, {took:.0f} s; undisturbed training takes {seconds:.1f} s and ends in {expected[:16]}")
    return 1 if failed or unequal else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crash-test-") as folder:
        os.environ.setdefault("SENTIMENT_LSTM_CACHE", f"{folder}/cache")
        code = crash(arguments.kills, arguments.seed, Path(folder))
        sys.stdout.flush()
    sys.exit(code)


if __name__ == "__main__":
    main()
