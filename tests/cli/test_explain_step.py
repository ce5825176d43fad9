"""``train --explain-step``: the numbers are the first step's, and training afterwards is as it would have been."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Outcome
from test_resume import DROPOUT, SEMI_SUPERVISED, SMALL, assert_equal_runs, settings

from sentiment_lstm.cli import explain
from sentiment_lstm.experiment import Experiment, prepare_experiment
from sentiment_lstm.lessons.language import Say
from sentiment_lstm.recipes import load_config
from sentiment_lstm.training.explain import ExplainedStep, explain_step

LOUD = tuple(part for part in SMALL if part != "--quiet")


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")


def explained(**changes: Any) -> tuple[Experiment, ExplainedStep]:
    small = {"data.limit": 60, "model.embedding_dim": 8, "model.hidden_dim": 8, "training.precision": "fp32"}
    experiment = prepare_experiment(load_config("sample", [], {**small, "training.batch_size": 7, **changes}))
    copied = dataclasses.replace(experiment, model=copy.deepcopy(experiment.model))
    return experiment, explain_step(copied.build_trainer(None, None), experiment.tokenizer)


@pytest.mark.parametrize("extra", [
    [*settings(optimizer="adam"), *DROPOUT],
    [*settings(optimizer="momentum", accumulation_steps=2), "--set", "model.kind=cnn_lstm", *DROPOUT],
    [*SEMI_SUPERVISED, *DROPOUT],
    [*settings(weight_averaging=0.9, crop_tokens=12), "--set", "model.ngrams=2", "--set", "model.ngram_dropout=0.3"],
], ids=["adam", "cnn", "semi-supervised", "ngrams"])  # fmt: skip
def test_training_afterwards_is_bit_for_bit_the_same(cli: Callable[..., Outcome], extra: list[str]) -> None:
    command = [*extra, "--epochs", "2", "--output"]
    assert cli(*SMALL, *command, "plain").code == 0
    outcome = cli(*LOUD, *command, "explained", "--explain-step")
    assert outcome.code == 0
    assert outcome.out.startswith("One step of this run in six parts")
    assert_equal_runs(Path("plain"), Path("explained"))


def test_the_numbers_are_those_of_the_first_step() -> None:
    """Taken once more, by hand."""
    experiment, step = explained(**{"training.gradient_clip": 0.01, "model.output_dropout": 0.3})
    trainer = experiment.build_trainer(None, None)
    group = trainer.plan(1)[0]
    trainer.progress.total_steps = step.num_steps
    before = {name: value.detach().clone() for name, value in trainer.parameters.items()}
    trainer.model.train()
    trainer.train_step(group, trainer.progress)
    assert step.loss == trainer.progress.loss
    assert step.gradient_norm == trainer.progress.norm_sums[-1] > 0.01
    assert [layer.gradient_norm for layer in step.layers] == trainer.progress.norm_sums[:-1]
    assert [layer.name for layer in step.layers] == list(trainer.layers)
    for layer in step.layers:
        names = trainer.layers[layer.name]
        old = torch.cat([before[name].flatten() for name in names])
        new = torch.cat([trainer.parameters[name].detach().flatten() for name in names])
        assert layer.weight_norm == pytest.approx(float(old.norm()), rel=1e-5)
        assert layer.update_norm == pytest.approx(float((new - old).norm()), rel=1e-4)
        assert layer.learning_rate == trainer.progress.learning_rate
        assert layer.shapes == tuple(tuple(before[name].shape) for name in names)
    assert step.loss_after < step.loss
    assert step.num_reviews == len(group[0]) == step.shapes["token_ids"][0] == 7
    review = next(own for own in experiment.splits["train"] if own.id == step.first.id)
    assert experiment.labels[step.first.label] == review.label
    assert " ".join(step.first.tokens).split()[:3] == review.text.lower().split()[:3]
    assert sum(step.first.probabilities) == pytest.approx(1)
    assert step.first.loss == pytest.approx(-torch.tensor(step.first.probabilities[step.first.label]).log().item())
    batch, padded = step.shapes["token_ids"]
    assert list(step.shapes.items())[1:] == [
        ("embedding", (batch, padded, 8)), ("recurrent", (batch, padded, 8)), ("pooling", (batch, 8)),
        ("logits", (batch, 2)),
    ]  # fmt: skip
    assert step.lengths[1] <= padded


def test_without_dropout_the_loss_after_is_that_of_the_next_forward_pass() -> None:
    experiment, step = explained()
    trainer = experiment.build_trainer(None, None)
    group = trainer.plan(1)[0]
    trainer.progress.total_steps = step.num_steps
    trainer.train_step(group, trainer.progress)
    total, _, reviews, _ = trainer.compute_gradient(group)
    assert step.loss_after == total / reviews


def test_the_random_state_is_put_back_even_where_the_step_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment, _ = explained(**{"model.output_dropout": 0.5})
    trainer = experiment.build_trainer(None, None)
    monkeypatch.setattr(trainer, "compute_gradient", lambda group: 1 / 0)
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        explain_step(trainer, experiment.tokenizer)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_six_steps_are_told_in_both_languages(cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    told = cli(*LOUD, "--epochs", "1", "--output", "a", "--explain-step").out
    heads = [line.split(":")[0] for line in told.splitlines() if line[:1].isdigit()]
    assert heads == ["1. Initialise", "2. Forward", "3. Loss", "4. Backward", "5. Update", "6. Repeat"]
    for words in ("recurrent.forwards.0", "7 reviews of", "-log p(", "it fell by", "8 times an epoch, for 1 epochs"):
        assert words in told
    monkeypatch.setenv("LC_ALL", "id_ID.UTF-8")
    told = cli(*LOUD, "--epochs", "1", "--output", "b", "--explain-step").out
    heads = [line.split(":")[0] for line in told.splitlines() if line[:1].isdigit()]
    assert heads[:3] == ["1. Inisialisasi", "2. Propagasi maju", "3. Loss"]
    assert heads[3:] == ["4. Propagasi balik", "5. Pembaruan", "6. Ulangi"]
    assert "turun sebesar" in told


def test_what_a_step_may_be_besides() -> None:
    experiment, step = explained(
        **{"training.gradient_clip": 0.001, "training.accumulation_steps": 2, "model.freeze_embedding": True}
    )
    text = "\n".join(explain.lines(step, experiment, Say("en")))
    assert "every gradient is multiplied by 0.0" in text
    assert "the gradients of 2 such batches, 14 reviews in all" in text
    assert "not trained: embedding.weight" in text
    first = dataclasses.replace(step.first, has_soft_label=True)
    other = dataclasses.replace(step, first=first, loss_after=step.loss + 1)
    text = "\n".join(explain.lines(other, experiment, Say("en")))
    assert "against its teachers' probabilities" in text
    assert "it rose by 1.000" in text
    assert "-log p(" not in text


@pytest.mark.parametrize("extra", [
    ["--quiet"], ["--dry-run"], ["--resume"], ["--overfit-batch", "8"], ["--seeds", "2"],
])  # fmt: skip
def test_what_it_does_not_go_with(cli: Callable[..., Outcome], extra: list[str]) -> None:
    message = cli(*LOUD, "--explain-step", *extra).error(2)
    assert "--explain-step tells of the first step of one new run: leave out" in message
    assert list(Path().iterdir()) == []


def test_it_is_refused_under_torchrun(cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", 0), ("LOCAL_RANK", 0), ("WORLD_SIZE", 2), ("LOCAL_WORLD_SIZE", 2)):
        monkeypatch.setenv(name, str(value))
    assert "--explain-step is for one process" in cli(*LOUD, "--explain-step").error(2)
