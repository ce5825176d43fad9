"""The running average of the weights: its numbers, and that it is what is validated and kept."""

from __future__ import annotations

import contextlib

import numpy as np
import torch
from test_trainer import RUNTIME, build_trainer

from sentiment_lstm.training.averaging import WeightAverage
from sentiment_lstm.training.scoring import compute_logits, loss_and_accuracy


def test_the_average_is_the_weighted_mean_of_all_that_came() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = {"one": torch.randn(3, 2, generator=generator), "other": torch.randn(4, generator=generator)}
    expected = {name: value.double() for name, value in weights.items()}
    average = WeightAverage(weights, 0.75)
    for step in range(1, 60):
        for name, value in weights.items():
            value.copy_(torch.randn(value.shape, generator=generator))
            decay = min(0.75, (1 + step) / (10 + step))
            expected[name] = decay * expected[name] + (1 - decay) * value.double()
        average.update(step)
    for name, value in average.state().items():
        torch.testing.assert_close(value.double(), expected[name], atol=1e-6, rtol=0)


def test_in_place_is_undone_to_the_last_bit_whatever_happens_inside() -> None:
    weight = torch.randn(5)
    average, own = WeightAverage({"weight": weight}, 0.5), weight.clone()
    average.restore({"weight": torch.ones(5)})
    with contextlib.suppress(KeyboardInterrupt), average.in_place():
        assert torch.equal(weight, torch.ones(5))
        raise KeyboardInterrupt
    assert torch.equal(weight, own)
    assert torch.equal(average.state()["weight"], torch.ones(5))


def test_the_average_is_validated_and_kept_and_changes_no_step() -> None:
    plain, averaged = build_trainer(epochs=2), build_trainer(epochs=2, weight_averaging=0.9)
    for one, other in zip(plain.fit(), averaged.fit(), strict=True):
        assert one.train_loss == other.train_loss
        assert one.validation_loss != other.validation_loss
        kept = averaged.kept_weights()
        averages = averaged.average.state()
        assert all(kept[name] is averages[name] for name in averages)
        assert kept.keys() == plain.kept_weights().keys()
        split, scored = averaged.validation_split, build_trainer().model
        scored.load_state_dict(kept)
        logits = compute_logits(scored, split.token_ids, RUNTIME)
        assert loss_and_accuracy(logits, split.labels)[0] == other.validation_loss
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, averaged.model.state_dict()[name])
        assert np.any(value.numpy() != averages[name].numpy())
