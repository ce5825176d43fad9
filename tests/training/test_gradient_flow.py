"""Each layer's gradient norm and update ratio: what they are, and that measuring them changes nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Outcome
from workers import Workers, load

from sentiment_lstm.config import TrainingConfig
from sentiment_lstm.training import trainer as trainers
from sentiment_lstm.training.optimizers import build_optimizer, clip_gradient, measured_step
from sentiment_lstm.training.processes import Processes, exchange, join_processes
from sentiment_lstm.training.progress import EpochRecord, Progress
from sentiment_lstm.training.trainer import Trainer

toy = load(str(Path(__file__).parent / "test_trainer.py"))


def numbers(record: EpochRecord) -> dict[str, Any]:
    """A record without its timings."""
    values = dataclasses.asdict(record)
    return {name: value for name, value in values.items() if not name.endswith(("seconds", "per_second"))}


def test_the_ratio_is_the_change_over_the_weights() -> None:
    trainer = toy.build_trainer(batch_size=80, epochs=1, learning_rate=0.01, schedule="constant")
    before = {name: value.detach().clone() for name, value in trainer.parameters.items()}
    (record,) = trainer.fit()
    assert record.update_ratio_per_layer.keys() == trainer.layers.keys()
    for layer, names in trainer.layers.items():
        after = torch.cat([trainer.parameters[name].detach().flatten() for name in names])
        change = after - torch.cat([before[name].flatten() for name in names])
        assert record.update_ratio_per_layer[layer] == pytest.approx(float(change.norm() / after.norm()), rel=1e-5)
        assert record.update_ratio_per_layer[layer] > 1e-3


def test_the_mean_is_over_the_measured_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten steps a third one each, from the first on."""
    monkeypatch.setattr(trainers, "MEASURED_EVERY", 3)
    measured: list[list[float]] = []

    def watched(*arguments: Any) -> list[float]:
        measured.append(measured_step(*arguments))
        return measured[-1]

    monkeypatch.setattr(trainers, "measured_step", watched)
    trainer = toy.build_trainer(epochs=1)
    (record,) = trainer.fit()
    assert record.steps == 10
    assert len(measured) == 4
    assert list(record.update_ratio_per_layer.values()) == pytest.approx(np.mean(measured, 0).tolist())
    assert trainer.progress == Progress(2, started=trainer.progress.started), "nothing is left for the next epoch"


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam", "adamw"])
def test_measuring_changes_no_weight(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for every in (1, 2, 10**9):
        monkeypatch.setattr(trainers, "MEASURED_EVERY", every)
        trainer = toy.build_trainer({"word_dropout": 0.2}, epochs=2, optimizer=optimizer, gradient_clip=0.1)
        records = [numbers(record) for record in trainer.fit()]
        for record in records:
            del record["update_ratio_per_layer"]
        results.append((toy.weights_of(trainer), records))
    for weights, records in results[1:]:
        assert torch.equal(weights, results[0][0])
        assert records == results[0][1]


def test_frozen_layers_are_left_out_and_resting_ones_do_not_move() -> None:
    one_way = {"bidirectional": False}
    trainer = toy.build_trainer({**one_way, "freeze_embedding": True}, epochs=1)
    (record,) = trainer.fit()
    assert list(record.update_ratio_per_layer) == ["recurrent.forwards.0", "output"]
    trainer = toy.build_trainer(one_way, epochs=1, gradual_unfreezing=True)
    trainer.taken_over = ["recurrent.forwards.0", "embedding"]
    (record,) = trainer.fit()
    ratios = record.update_ratio_per_layer
    assert (ratios["embedding"], ratios["recurrent.forwards.0"]) == (0.0, 0.0)
    assert ratios["output"] > 0
    assert record.gradient_norm_per_layer["embedding"] > 0


def test_a_layer_that_begins_at_zero_has_a_ratio() -> None:
    """A language model's output bias does: against the weights before the step it would be infinite."""
    bias = torch.nn.Parameter(torch.zeros(3))
    still, none = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(0))
    parameters = {"bias": bias, "still": still, "none": none}
    optimizer = build_optimizer([bias, still, none], TrainingConfig(optimizer="sgd", learning_rate=0.1))
    for value in parameters.values():
        value.grad = torch.zeros_like(value)
    bias.grad = torch.ones(3)
    ratios = measured_step(optimizer, parameters, [["bias"], ["still"], ["none"]])
    assert ratios == [1.0, 0.0, 0.0]
    json.dumps(ratios, allow_nan=False)


def test_a_gradient_is_clipped_where_it_is_longer() -> None:
    value = torch.nn.Parameter(torch.zeros(2))
    value.grad = torch.tensor([3.0, 4.0])
    assert not clip_gradient([value], 5.0, None)
    assert not clip_gradient([value], 5.0, 5.0)
    assert value.grad.tolist() == [3.0, 4.0]
    assert clip_gradient([value, torch.nn.Parameter(torch.zeros(1))], 5.0, 1.0)
    assert value.grad.tolist() == pytest.approx([0.6, 0.8])


def records_of(processes: Processes) -> list[dict[str, Any]]:
    """Two epochs of a few steps, of reviews shared among the processes."""
    many = load(str(Path(__file__).parent / "test_many_processes.py"))
    trainer: Trainer = many.build_trainer(processes, {"training": {"batch_size": 7, "epochs": 2, "optimizer": "sgd"}})
    torch.manual_seed(3)
    return [numbers(record) for record in trainer.fit()]


def in_a_worker() -> list[dict[str, Any]]:
    with exchange():
        return records_of(join_processes(torch.device("cpu")))


def test_processes_agree_on_what_they_measure(workers: Workers) -> None:
    answers = workers.call(f"{__file__}:in_a_worker", count=2)
    assert answers[0] == answers[1], "to the last bit"
    for record, alone in zip(answers[0], records_of(Processes()), strict=True):
        for name in ("gradient_norm_per_layer", "update_ratio_per_layer"):
            assert record[name] == pytest.approx(alone[name], rel=1e-3)
            assert all(value > 0 for value in record[name].values())


def forget_measurements(run: Path) -> None:
    """Make a run and its checkpoints look as an earlier version wrote them."""
    lines = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    for record in lines:
        del record["update_ratio_per_layer"]
    (run / "history.jsonl").write_text("".join(json.dumps(record) + "\n" for record in lines))
    for folder in (run / "checkpoints").iterdir():
        values = json.loads((folder / "state.json").read_text())
        del values["progress"]["measured_steps"], values["progress"]["update_sums"]
        for record in values["history"]:
            del record["update_ratio_per_layer"]
        content = json.dumps(values).encode()
        (folder / "state.json").write_bytes(content)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["state.json"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_run_of_an_earlier_version_goes_on(cli: Callable[..., Outcome], tmp_path: Path, tiny_run: Path) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "old")
    forget_measurements(run)
    assert cli("train", "--resume", run, "--epochs", "2", "--quiet").code == 0
    first, second = (json.loads(line) for line in (run / "history.jsonl").read_text().splitlines())
    assert first["update_ratio_per_layer"] == {}
    assert second["update_ratio_per_layer"].keys() == second["gradient_norm_per_layer"].keys()
    assert cli("plot", run).code == 0
