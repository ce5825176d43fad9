"""The learning rate as a function of progress."""

from __future__ import annotations

import pytest

from sentiment_lstm.config import TrainingConfig
from sentiment_lstm.training.schedules import layer_factor, schedule_factor


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle", "reduce_on_plateau"])
def test_warm_up_rises_linearly_to_the_peak(schedule: str) -> None:
    assert schedule_factor(schedule, 0.05, 0.1) == pytest.approx(0.5)
    assert schedule_factor(schedule, 0.1, 0.1) == pytest.approx(1.0)
    assert schedule_factor(schedule, 0.0, 0.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("schedule", "middle", "end"),
    [("constant", 1.0, 1.0), ("reduce_on_plateau", 1.0, 1.0), ("one_cycle", 0.5, 0.0), ("cosine", 0.5, 0.0)],
)
def test_what_follows_the_peak(schedule: str, middle: float, end: float) -> None:
    assert schedule_factor(schedule, 0.6, 0.2) == pytest.approx(middle)
    assert schedule_factor(schedule, 1.0, 0.2) == pytest.approx(end, abs=1e-12)


def test_layers_taken_over_move_less_the_deeper_they_are_both_directions_alike() -> None:
    taken_over = ["recurrent.backwards.1", "recurrent.forwards.1", "recurrent.backwards.0", "recurrent.forwards.0"]
    taken_over.append("embedding")
    config = TrainingConfig(init_rate=0.5)
    factors = {layer: layer_factor(config, layer, 1, taken_over) for layer in ["output", *taken_over]}
    assert list(factors.values()) == [1.0, 0.5, 0.5, 0.25, 0.25, 0.125]
    gradual = TrainingConfig(init_rate=0.5, gradual_unfreezing=True)
    assert [layer_factor(gradual, layer, 2, taken_over) for layer in taken_over] == [0.5, 0.5, 0.0, 0.0, 0.0]
