"""What is known of training while it runs: sums within an epoch, and one record of each epoch that is done."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class EpochRecord:
    """One line of ``history.jsonl``. Losses are means over reviews, norms means over steps, times in seconds."""

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
    seconds_before: float = 0.0  # that an interrupted process spent in this epoch
    started: float = field(default_factory=time.perf_counter)

    def add(self, loss: float, correct: float, reviews: float, tokens: float) -> float:
        """Add the sums of one step; return its mean loss."""
        self.loss_sum += loss
        self.correct += int(correct)
        self.reviews += int(reviews)
        self.tokens += int(tokens)
        return loss / reviews

    @property
    def loss(self) -> float:
        return self.loss_sum / max(self.reviews, 1)

    @property
    def accuracy(self) -> float:
        return self.correct / max(self.reviews, 1)

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.perf_counter() - self.started
