"""Many processes train what one would have trained, and what happens to one of them happens to all."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import workers as workers_module
from conftest import Outcome, run_main
from safetensors.torch import load_file
from test_resume import DROPOUT, SMALL, assert_equal_runs, history_of, settings
from workers import Workers

EXACT = settings(epochs=2, precision="fp32", keep_checkpoints=100, schedule="one_cycle", accumulation_steps=2)
EXACT += settings(crop_tokens=12, crop_min_tokens=4, weight_averaging=0.9)
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
TORCHRUN += ["-m", "sentiment_lstm"]
ALOUD = [part for part in SMALL if part != "--quiet"]
ENDLESS = (*SMALL, "--epochs", "3000")
COUNTS = ("epoch", "steps", "is_best", "stop_reason", "train_accuracy", "validation_accuracy", "learning_rate")


def run_together(
    workers: Workers, folder: Path, *arguments: object, count: int = 2, event: Sequence[object] = (), equal: bool = True
) -> list[dict[str, Any]]:
    """The command line in several processes; none but the first may print or write."""
    given = [str(argument) for argument in arguments]
    outcomes = workers.call(f"{workers_module.__file__}:run", given, event, count=count, folder=folder)
    for outcome in outcomes[1:]:
        assert (outcome["out"], outcome["err"]) == ("", ""), "the first process alone speaks"
        assert outcome["written"] == [], "the first process alone writes"
        assert outcome["code"] == outcomes[0]["code"]
        assert not equal or outcome["weights"] == outcomes[0]["weights"], "equal weights everywhere, to the last bit"
    return outcomes


def assert_close_runs(one: Path, other: Path) -> None:
    """What is counted is equal; what is added up in another order differs in its last digits."""
    for first, second in zip(history_of(one), history_of(other), strict=True):
        assert {name: first[name] for name in COUNTS} == {name: second[name] for name in COUNTS}
        for name in ("train_loss", "validation_loss", "gradient_norm", "clipped_share"):
            assert first[name] == pytest.approx(second[name], rel=1e-5), name
    weights, others = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    for name, weight in weights.items():
        torch.testing.assert_close(weight, others[name], atol=1e-5, rtol=1e-4)


def until(run: Path, checkpoint: str, folder: Path) -> Path:
    """A copy of a run as if it had been killed after one of its checkpoints."""
    shutil.copytree(run, folder)
    for path in (folder / "checkpoints").iterdir():
        if path.name > checkpoint:
            shutil.rmtree(path)
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one process, with a checkpoint in the middle of each epoch."""
    run = tmp_path_factory.mktemp("alone") / "run"
    assert run_main(*SMALL, *EXACT, *settings(checkpoint_every_steps=3), "--output", run).code == 0
    return run


@pytest.fixture(scope="module")
def both(workers: Workers, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """The same run of two processes."""
    folder = tmp_path_factory.mktemp("both")
    every = settings(checkpoint_every_steps=3)
    return folder / "run", run_together(workers, folder, *ALOUD, *EXACT, *every, "--output", "run")


def test_two_processes_train_what_one_does(alone: Path, both: tuple[Path, list[dict[str, Any]]]) -> None:
    run, (first, _) = both
    assert first["code"] == 0
    assert first["weights"]
    assert_close_runs(alone, run)
    names = [path.name for path in sorted((alone / "checkpoints").iterdir())]
    assert [path.name for path in sorted((run / "checkpoints").iterdir())] == names
    assert {path.name for path in run.iterdir()} - {"evaluation"} == {path.name for path in alone.iterdir()}


def test_the_first_process_alone_speaks(both: tuple[Path, list[dict[str, Any]]]) -> None:
    _, (first, _) = both
    assert "cpu, fp32, 1 thread, 2 processes" in first["err"]
    assert len(re.findall(r"^epoch \d/2 ", first["err"], re.MULTILINE)) == 2
    assert first["err"].count("parameters") == 1
    assert first["out"].count("kept epoch") == 1
    assert "Warning" not in first["err"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_another_number_of_processes_goes_on(
    workers: Workers, alone: Path, both: tuple[Path, list[dict[str, Any]]], tmp_path: Path, count: int
) -> None:
    """One goes on with what two began, two with what one, three with what two."""
    begun = alone if count == 2 else both[0]
    run = until(begun, "epoch-0001-step-000003", tmp_path / "run")
    if count == 1:
        outcome = run_main("train", "--resume", run)
        assert outcome.code == 0
        err = outcome.err
    else:
        err = run_together(workers, tmp_path, "train", "--resume", "run", count=count)[0]["err"]
    assert f"processes: checkpoint has {1 if begun == alone else 2}, this run has {count}" in err
    assert_close_runs(alone, run)


@pytest.mark.parametrize(("rank", "count"), [(0, 2), (1, 3)])
def test_a_signal_to_one_stops_all_at_one_step_and_they_go_on_bit_for_bit(
    workers: Workers, tmp_path: Path, rank: int, count: int
) -> None:
    command = [*SMALL, *DROPOUT, *settings(epochs=2)]
    run_together(workers, tmp_path, *command, "--output", "whole", count=count)
    outcomes = run_together(workers, tmp_path, *command, "--output", "run", count=count, event=(rank, 3, "SIGINT"))
    message = Outcome(*(outcomes[0][name] for name in ("code", "out", "err"))).error(130)
    assert "interrupted after step 3 of epoch 1" in message
    assert message.endswith(f" --nproc-per-node {count} -m sentiment_lstm train --resume run\n")
    states = load_file(tmp_path / "run/checkpoints/epoch-0001-step-000003/state.safetensors")
    assert not torch.equal(states["random.0.torch"], states["random.1.torch"]), "each process drops other words"
    assert run_together(workers, tmp_path, "train", "--resume", "run", "--quiet", count=count)[0]["code"] == 0
    assert_equal_runs(tmp_path / "whole", tmp_path / "run")


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["train", "--config", "sample", "--auto-batch"], 2, "training.auto_batch is for one process"),
    (["train", "--config", "sample", "--set", "training.nonsense=1"], 2, "unknown key 'training.nonsense'"),
    (["train", "--nonsense"], 2, "No such option"),
    (["train", "--config", "sample", "--data", "nowhere.csv", "--output", "run"], 2, "nowhere.csv"),
    (["predict", "good"], 2, "torchrun is for train alone"),
])  # fmt: skip
def test_what_fails_everywhere_is_said_once(
    workers: Workers, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    outcomes = workers.call(f"{workers_module.__file__}:run", arguments, (), folder=tmp_path)
    assert words in Outcome(*(outcomes[0][name] for name in ("code", "out", "err"))).error(code)
    assert (outcomes[1]["out"], outcomes[1]["err"]) == ("", "")
    assert outcomes[1]["code"] in (code, 1, 143), "its own, that of a loss, or that of torchrun's signal"


def test_a_loss_that_is_not_finite_in_one_stops_all(workers: Workers, tmp_path: Path) -> None:
    outcomes = run_together(workers, tmp_path, *SMALL, "--output", "run", event=(1, 2, "not a number"), equal=False)
    assert "error: the loss is not finite at step 2" in outcomes[0]["err"]
    assert "the model of the last good step is kept in run" in outcomes[0]["err"]


def test_memory_that_one_process_lacks_is_said_by_that_process(workers: Workers, tmp_path: Path) -> None:
    command = [*SMALL, "--output", "run"]
    outcomes = workers.call(f"{workers_module.__file__}:run", command, (1, 2, "out of memory"), folder=tmp_path)
    assert outcomes[1]["code"] == 1
    assert outcomes[1]["err"].startswith("[process 1] error: out of memory at step 2: ")
    assert outcomes[0]["code"] == 1
    assert "error: lost another process" in outcomes[0]["err"]


@pytest.mark.parametrize(("extra", "words"), [
    (["--dry-run"], "2 processes"),
    (["--overfit-batch", "3"], "3 reviews known by heart"),
])  # fmt: skip
def test_what_writes_nothing_works_together_too(workers: Workers, tmp_path: Path, extra: list[str], words: str) -> None:
    rate = settings(learning_rate=0.05)
    first = run_together(workers, tmp_path, *ALOUD, *rate, *extra)[0]
    assert first["code"] == 0
    assert words in first["out"] + first["err"]
    assert list(tmp_path.iterdir()) == []


@dataclass
class Launch:
    """A torchrun that is training, and its workers' process numbers by rank."""

    run: Path
    torchrun: subprocess.Popen[str]
    workers: dict[int, int]

    def wait(self) -> tuple[int, list[str], str]:
        """Return the exit code, what this program (not torchrun) said of the end, and all of stderr."""
        _, err = self.torchrun.communicate(timeout=60)
        ends = [line for line in err.splitlines() if re.match(r"(\[process \d+\] )?error: ", line)]
        return self.torchrun.returncode, ends, err

    def is_alive(self) -> bool:
        return any(state_of(number) not in ("", "Z") for number in self.workers.values())


def state_of(number: int) -> str:
    """A process's state as Linux calls it, empty where there is none."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return ""


def workers_of(torchrun: subprocess.Popen[str]) -> dict[int, int]:
    children = Path(f"/proc/{torchrun.pid}/task/{torchrun.pid}/children").read_text().split()
    ranks = {}
    for child in children:
        variables = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        ranks |= {int(line[5:]): int(child) for line in variables if line.startswith(b"RANK=")}
    return ranks


def listening_addresses(number: int) -> set[str]:
    """The addresses, as the kernel writes them, at which a process can be reached."""
    sockets = {os.readlink(path) for path in Path(f"/proc/{number}/fd").iterdir()}
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{number}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                addresses.add(fields[1].rpartition(":")[0])
    return addresses


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Launch]:
    """Two processes under torchrun that have finished an epoch, and have thousands before them."""
    run = tmp_path / "run"
    command = [*TORCHRUN, *ENDLESS, "--output", str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as torchrun:
        deadline = time.monotonic() + 60
        while not (run / "checkpoints/epoch-0002-step-000000/manifest.json").exists():
            assert torchrun.poll() is None, torchrun.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        launch = Launch(run, torchrun, workers_of(torchrun))
        assert sorted(launch.workers) == [0, 1]
        yield launch
        torchrun.kill()
        for number in launch.workers.values():
            if state_of(number):
                os.kill(number, signal.SIGKILL)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_worker_that_is_killed_ends_all_and_the_run_goes_on(
    launched: Launch, workers: Workers, tmp_path: Path
) -> None:
    for number in launched.workers.values():
        assert listening_addresses(number) == {"0100007F"}, "127.0.0.1 and no other"
    second = subprocess.run(
        [*TORCHRUN, "train", "--resume", str(launched.run)], capture_output=True, text=True, timeout=30
    )
    assert second.returncode == 1, "torchrun's own, whatever its workers'"
    assert f"error: {launched.run} is in use by process {launched.workers[0]}: " in second.stderr
    os.kill(launched.workers[1], signal.SIGKILL)
    code, ends, _ = launched.wait()
    assert code != 0
    assert not launched.is_alive()
    (line,) = ends
    assert line.startswith("error: lost another process")
    assert line.endswith(f"--nproc-per-node 2 -m sentiment_lstm train --resume {launched.run}")
    done = len(history_of(launched.run))
    stop = settings(max_seconds=0.001)
    assert run_together(workers, tmp_path, "train", "--resume", "run", "--quiet", *stop)[0]["code"] == 0
    assert len(history_of(launched.run)) >= done


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_torchrun_hands_its_signal_on_and_the_step_is_finished(launched: Launch) -> None:
    launched.torchrun.send_signal(signal.SIGTERM)
    code, ends, err = launched.wait()
    assert code != 0
    assert not launched.is_alive()
    (line,) = ends
    assert line.startswith("error: interrupted after ")
    assert line.endswith(f"--nproc-per-node 2 -m sentiment_lstm train --resume {launched.run}")
    assert "destroy_process_group" not in err
    assert json.loads((launched.run / "metrics.json").read_text())["stop_reason"] == "interrupted"
