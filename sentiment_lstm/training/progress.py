"""What is known of training while it runs: sums within an epoch, and one record of each epoch that is done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class EpochRecord:
    """One line of ``history.jsonl``. Losses are means over reviews, norms means over steps, times in seconds.

    Norms are those before clipping. Update ratios, the norm of a step's change of a layer over the norm of its weights,
    are means over the measured steps; runs of earlier versions have none.
    """

    epoch: int
    steps: int
    train_loss: float
    train_accuracy: float | None
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    gradient_norm: float
    gradient_norm_per_layer: dict[str, float]
    clipped_share: float
    training_seconds: float
    validation_seconds: float
    reviews_per_second: float
    tokens_per_second: float
    is_best: bool
    stop_reason: str | None = None
    update_ratio_per_layer: dict[str, float] = field(default_factory=dict)


@dataclass
class Progress:
    """What has happened in the epoch under way: sums, from which every mean is exact."""

    epoch: int
    total_steps: int = 0
    steps: int = 0
    reviews: int = 0
    tokens: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    clipped_steps: int = 0
    learning_rate: float = 0.0  # of the last step
    norm_sums: list[float] = field(default_factory=list)  # each layer's, then the whole gradient's
    measured_steps: int = 0
    update_sums: list[float] = field(default_factory=list)  # of each layer's update ratio
    seconds_before: float = 0.0  # that an interrupted process spent in this epoch
    started: float = field(default_factory=time.perf_counter)

    def add(self, loss: float, correct: float, reviews: float, tokens: float) -> float:
        """Add the sums of one step; return its mean loss."""
        self.loss_sum += loss
        self.correct += int(correct)
        self.reviews += int(reviews)
        self.tokens += int(tokens)
        return loss / reviews

    def add_norms(self, norms: Sequence[float]) -> None:
        """Add the gradient norms of one step, each layer's and the whole one's."""
        self.norm_sums = _sums(self.norm_sums, norms)

    def add_update_ratios(self, ratios: Sequence[float]) -> None:
        """Add each layer's update ratio of a measured step."""
        self.measured_steps += 1
        self.update_sums = _sums(self.update_sums, ratios)

    @property
    def loss(self) -> float:
        return self.loss_sum / max(self.reviews, 1)

    @property
    def accuracy(self) -> float:
        return self.correct / max(self.reviews, 1)

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.perf_counter() - self.started


def _sums(sums: Sequence[float], values: Sequence[float]) -> list[float]:
    return [a + b for a, b in zip(sums or [0.0] * len(values), values, strict=True)]
