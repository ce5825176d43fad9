"""The loop: what each option does to the weights, when it stops, and what it never does."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from sentiment_lstm.config import ModelConfig, TrainingConfig
from sentiment_lstm.data.prepare import EncodedSplit
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.errors import TrainingError
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.training.objectives import Loss, supervised
from sentiment_lstm.training.optimizers import build_optimizer
from sentiment_lstm.training.progress import EpochRecord, Progress
from sentiment_lstm.training.runtime import build_runtime
from sentiment_lstm.training.scoring import compute_logits, loss_and_accuracy
from sentiment_lstm.training.trainer import Trainer

RUNTIME = build_runtime("cpu", "fp32")


def toy_split(size: int, seed: int = 0) -> EncodedSplit:
    """Reviews whose label is the parity of their first token: learnable, of uneven lengths."""
    random = np.random.default_rng(seed)
    token_ids = [random.integers(2, 12, random.integers(1, 9)).astype(np.int32) for _ in range(size)]
    labels = np.array([int(ids[0]) % 2 for ids in token_ids], dtype=np.int64)
    reviews = [Review("", str(label), str(number)) for number, label in enumerate(labels)]
    return EncodedSplit(reviews, token_ids, labels, 0.0, 0.0)


def build_trainer(model_settings: dict[str, Any] | None = None, **settings: Any) -> Trainer:
    config = TrainingConfig.model_validate({"batch_size": 8, "precision": "fp32", "warmup_share": 0.0, **settings})
    torch.manual_seed(config.seed)
    model_config = ModelConfig.model_validate({"embedding_dim": 8, "hidden_dim": 8, **(model_settings or {})})
    model = SentimentClassifier(model_config, 12, 2)
    return Trainer(model, supervised(), config, RUNTIME, toy_split(80), toy_split(40, seed=1))


def weights_of(trainer: Trainer) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trainer.model.parameters()])


def test_same_seed_gives_equal_weights_and_history() -> None:
    histories, weights = [], []
    for _ in range(2):
        trainer = build_trainer({"word_dropout": 0.2, "output_dropout": 0.2}, epochs=3)
        histories.append([dataclasses.asdict(record) for record in trainer.fit()])
        weights.append(weights_of(trainer))
    assert torch.equal(weights[0], weights[1])
    for first, second in zip(*histories, strict=True):
        for name in first:
            if not name.endswith(("seconds", "per_second")):
                assert first[name] == second[name], name


def test_another_seed_gives_other_weights() -> None:
    trainers = [build_trainer(epochs=1, seed=seed) for seed in (1, 2)]
    for trainer in trainers:
        list(trainer.fit())
    assert not torch.equal(weights_of(trainers[0]), weights_of(trainers[1]))


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam", "adamw"])
def test_every_optimizer_learns(optimizer: str) -> None:
    rate = 0.5 if optimizer in {"sgd", "momentum"} else 0.01
    trainer = build_trainer(epochs=15, optimizer=optimizer, learning_rate=rate, schedule="constant", gradient_clip=None)
    records = list(trainer.fit())
    assert records[-1].train_loss < records[0].train_loss
    assert max(record.validation_accuracy for record in records) > 0.8


def test_optimizers_are_the_ones_named() -> None:
    parameter = torch.nn.Parameter(torch.ones(1))
    names = {name: type(build_optimizer([parameter], TrainingConfig(optimizer=name))).__name__
             for name in ("sgd", "momentum", "rmsprop", "adam", "adamw")}  # fmt: skip
    assert names == {"sgd": "SGD", "momentum": "SGD", "rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW"}
    momentum = build_optimizer([parameter], TrainingConfig(optimizer="momentum", momentum=0.8)).param_groups[0]
    assert momentum["momentum"] == 0.8


def test_accumulated_gradient_is_that_of_the_whole() -> None:
    """Batches of unequal sizes, added up, give the step that one large batch gives."""
    whole = build_trainer(optimizer="sgd", batch_size=80, learning_rate=0.1, epochs=1, gradient_clip=None)
    parts = build_trainer(
        optimizer="sgd", batch_size=7, accumulation_steps=12, learning_rate=0.1, epochs=1, gradient_clip=None
    )
    start = weights_of(whole)
    assert torch.equal(start, weights_of(parts))
    records = [next(iter(trainer.fit())) for trainer in (whole, parts)]
    assert [record.steps for record in records] == [1, 1]
    assert not torch.equal(start, weights_of(whole))
    torch.testing.assert_close(weights_of(parts), weights_of(whole), atol=1e-6, rtol=0)
    assert records[0].train_loss == pytest.approx(records[1].train_loss, abs=1e-6)


def test_gradient_is_clipped_to_its_limit() -> None:
    trainer = build_trainer(optimizer="sgd", learning_rate=1.0, batch_size=80, gradient_clip=1e-3, epochs=1,
                            schedule="constant")  # fmt: skip
    before = weights_of(trainer)
    record = next(iter(trainer.fit()))
    assert record.gradient_norm > 1e-3
    assert record.clipped_share == 1.0
    assert float((weights_of(trainer) - before).norm()) == pytest.approx(1e-3, rel=1e-3)


def test_gradient_norms_are_those_of_the_gradient() -> None:
    trainer = build_trainer(batch_size=80, epochs=1, gradient_clip=None)
    record = next(iter(trainer.fit()))
    squares = sum(norm**2 for norm in record.gradient_norm_per_layer.values())
    assert squares**0.5 == pytest.approx(record.gradient_norm, rel=1e-5)
    gradients = [parameter.grad for parameter in trainer.model.parameters()]
    expected = torch.cat([gradient.flatten() for gradient in gradients if gradient is not None]).norm()
    assert record.gradient_norm == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_non_finite_stops_before_the_step(where: str) -> None:
    trainer = build_trainer(epochs=1)
    healthy = trainer.objective

    def sick(model: SentimentClassifier, batch: Any, unlabelled: Any) -> Loss:
        loss = healthy(model, batch, unlabelled)
        if trainer.steps_done < 3:
            return loss
        if where == "loss":
            return Loss(loss.total * torch.nan, loss.count, loss.parts)
        loss.total.register_hook(lambda gradient: gradient * torch.inf)
        return loss

    trainer.objective = sick
    before: list[torch.Tensor] = []
    trainer.on_step = lambda progress: before.append(weights_of(trainer))
    with pytest.raises(TrainingError, match=r"step 4 .*learning rate .*gradient norm"):
        list(trainer.fit())
    assert len(before) == 3
    assert torch.equal(weights_of(trainer), before[-1])


def test_best_epoch_is_the_first_of_the_best_by_validation() -> None:
    records = list(build_trainer(epochs=12, learning_rate=0.02).fit())
    best = [record for record in records if record.is_best][-1]
    top = max((record.validation_accuracy, -record.validation_loss) for record in records)
    assert (best.validation_accuracy, -best.validation_loss) == top


def test_stops_at_target_loss() -> None:
    records = list(build_trainer(epochs=200, learning_rate=0.02, schedule="constant", target_loss=0.2).fit())
    assert len(records) < 200
    assert records[-1].train_loss <= 0.2 < records[-2].train_loss
    assert "target" in (records[-1].stop_reason or "")


def test_stops_when_patience_is_over() -> None:
    records = list(build_trainer(epochs=100, learning_rate=1e-9, patience=2).fit())
    waiting = [record.is_best for record in records][-2:]
    assert waiting == [False, False]
    assert "no better validation score for 2 epochs" in (records[-1].stop_reason or "")


def test_stops_within_an_epoch_when_time_is_up() -> None:
    records = list(build_trainer(epochs=100, max_seconds=1e-9).fit())
    assert len(records) == 1
    assert records[0].steps == 1
    assert "time limit" in (records[0].stop_reason or "")


def rates_of(trainer: Trainer) -> list[float]:
    rates: list[float] = []
    trainer.on_step = lambda progress: rates.append(trainer.optimizer.param_groups[0]["lr"])
    list(trainer.fit())
    return rates


def test_schedule_reaches_the_optimizer() -> None:
    rates = rates_of(build_trainer(epochs=4, schedule="one_cycle", warmup_share=0.5, learning_rate=0.01))
    steps = len(rates)
    assert rates == pytest.approx([0.01 * min(step + 0.5, steps - step - 0.5) / (steps / 2) for step in range(steps)])
    assert set(rates_of(build_trainer(epochs=2, schedule="constant", learning_rate=0.01))) == {0.01}


def test_plateau_reduces_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = build_trainer(epochs=4, schedule="reduce_on_plateau", learning_rate=1e-8, plateau_factor=0.1)
    monkeypatch.setattr("sentiment_lstm.training.trainer.loss_and_accuracy", lambda logits, labels: (1.0, 0.5))
    rates = [record.learning_rate for record in trainer.fit()]
    assert rates == pytest.approx([1e-8, 1e-8, 1e-9, 1e-10])


def test_means_are_exact_over_unequal_batches() -> None:
    trainer = build_trainer(epochs=1, learning_rate=1e-12, batch_size=7)
    record: EpochRecord = next(iter(trainer.fit()))
    split = trainer.train_split
    loss, accuracy = loss_and_accuracy(compute_logits(trainer.model, split.token_ids, RUNTIME), split.labels)
    assert record.train_loss == pytest.approx(loss, abs=1e-6)
    assert record.train_accuracy == pytest.approx(accuracy)


def test_frozen_embedding_stays() -> None:
    trainer = build_trainer({"freeze_embedding": True}, epochs=2)
    before = trainer.model.embedding.weight.clone()
    list(trainer.fit())
    assert torch.equal(trainer.model.embedding.weight, before)


def test_progress_counts_every_review_and_token() -> None:
    seen: list[tuple[int, int]] = []
    trainer = build_trainer(epochs=1)
    trainer.on_step = lambda progress: seen.append((progress.reviews, progress.tokens))
    list(trainer.fit())
    assert seen[-1] == (80, sum(len(ids) for ids in trainer.train_split.token_ids))
    assert Progress(epoch=1, total_steps=1).loss == 0.0


def test_scoring_order_and_mode() -> None:
    trainer = build_trainer()
    trainer.model.train()
    token_ids = trainer.train_split.token_ids
    logits = compute_logits(trainer.model, token_ids, RUNTIME)
    assert trainer.model.training, "scoring leaves the mode as it was"
    for index in (0, 17, 79):
        torch.testing.assert_close(compute_logits(trainer.model, [token_ids[index]], RUNTIME)[0], logits[index],
                                   atol=1e-6, rtol=0)  # fmt: skip


def test_crops_are_drawn_anew_each_epoch_and_validation_reads_whole_reviews() -> None:
    trainer = build_trainer(epochs=2, crop_tokens=4, crop_min_tokens=2)
    pieces, tokens, split = [], [], trainer.validation_split
    trainer.on_step = lambda progress: tokens.append(progress.tokens)
    for record in trainer.fit():
        pieces.append(trainer.token_ids)
        assert tokens[-1] == sum(map(len, trainer.token_ids)) == sum(trainer.lengths), "batches are of the pieces"
        assert max(trainer.lengths) == 4 < max(map(len, split.token_ids))
        logits = compute_logits(trainer.model, split.token_ids, RUNTIME)
        assert record.validation_loss == loss_and_accuracy(logits, split.labels)[0]
    assert sum(not np.array_equal(one, other) for one, other in zip(*pieces, strict=True)) > 40
