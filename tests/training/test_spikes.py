"""A loss that jumps is named; one that wobbles is not."""

from __future__ import annotations

import logging
import math
import random

import pytest
from test_trainer import build_trainer

from sentiment_lstm.errors import TrainingError
from sentiment_lstm.training.objectives import Loss
from sentiment_lstm.training.spikes import LossWatch


def test_running_mean_and_deviation_follow_the_losses() -> None:
    watch, source = LossWatch(chance=0.69), random.Random(0)
    for _ in range(2000):
        watch.is_spike(source.gauss(0.4, 0.05))
    assert watch.mean == pytest.approx(0.4, abs=0.03)
    assert math.sqrt(watch.variance) == pytest.approx(0.05, abs=0.015)


def test_noise_is_no_spike_and_a_jump_is_one() -> None:
    watch, source = LossWatch(chance=0.69), random.Random(0)
    assert not any(watch.is_spike(source.gauss(0.65, 0.05)) for _ in range(5000))
    assert watch.is_spike(1.5)
    calm = LossWatch(chance=0.69)
    assert not any(calm.is_spike(0.01) for _ in range(100))
    assert not calm.is_spike(0.6), "no better than guessing is no spike, however calm it was before"
    assert calm.is_spike(0.8)
    assert not LossWatch(chance=0.69).is_spike(100.0), "the first steps have nothing to stand out from"


def test_a_spike_names_its_step_and_its_reviews(caplog: pytest.LogCaptureFixture) -> None:
    trainer = build_trainer(epochs=12, learning_rate=1e-4)
    healthy = trainer.objective

    def sick(*arguments: object) -> Loss:
        loss = healthy(*arguments)  # type: ignore[arg-type]
        return Loss(loss.total * 20, loss.count, loss.parts) if trainer.steps_done == 77 else loss

    trainer.objective = sick
    with caplog.at_level(logging.WARNING):
        list(trainer.fit())
    (record,) = caplog.records
    assert record.message.startswith("loss spike at step 78 (epoch 8, step 8): 1")
    reviews = trainer.plan(8)[7][0]
    names = ", ".join(trainer.train_split.reviews[index].id for index in reviews[:5])
    assert record.message.endswith(f"reviews {names} and 3 more")


def test_a_loss_that_is_not_finite_names_its_reviews() -> None:
    trainer = build_trainer(epochs=1)
    healthy = trainer.objective
    trainer.objective = lambda *arguments: Loss(healthy(*arguments).total * math.nan, 8, {"correct": 0})  # type: ignore[dict-item]
    names = ", ".join(trainer.train_split.reviews[index].id for index in trainer.plan(1)[0][0][:5])
    with pytest.raises(TrainingError, match=rf"not finite at step 1 .*reviews {names} and 3 more"):
        list(trainer.fit())
