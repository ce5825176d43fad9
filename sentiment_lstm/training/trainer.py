"""The loop: forward, loss, ``loss.backward()``, clip, ``optimizer.step()``.

The trainer knows no file and no screen: it yields one record an epoch and says which is the best so far.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from sentiment_lstm.config import TrainingConfig
from sentiment_lstm.data.batching import Batch, collate, plan_batches
from sentiment_lstm.data.prepare import EncodedSplit
from sentiment_lstm.errors import TrainingError
from sentiment_lstm.model.classifier import SentimentClassifier, layer_of
from sentiment_lstm.training.objectives import Objective
from sentiment_lstm.training.runtime import Runtime
from sentiment_lstm.training.schedules import schedule_factor
from sentiment_lstm.training.scoring import compute_logits, loss_and_accuracy


@dataclass(frozen=True)
class EpochRecord:
    """One line of ``history.jsonl``. Losses are means over reviews, norms means over steps, times in seconds."""

    epoch: int
    steps: int
    train_loss: float
    train_accuracy: float
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
    total_steps: int
    steps: int = 0
    reviews: int = 0
    tokens: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    clipped_steps: int = 0
    norm_sums: Tensor | None = None  # (layers + 1,) float64: each layer's, then the whole gradient's
    started: float = field(default_factory=time.perf_counter)

    @property
    def loss(self) -> float:
        return self.loss_sum / max(self.reviews, 1)

    @property
    def accuracy(self) -> float:
        return self.correct / max(self.reviews, 1)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started


def build_optimizer(parameters: Sequence[nn.Parameter], config: TrainingConfig) -> torch.optim.Optimizer:
    """Build the optimiser the configuration names; ``fused`` updates all weights in one pass over memory."""
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, rate, weight_decay=decay, fused=True)
    if config.optimizer == "momentum":
        return torch.optim.SGD(parameters, rate, momentum=config.momentum, weight_decay=decay, fused=True)
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, rate, weight_decay=decay)
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, rate, weight_decay=decay, fused=True)
    return torch.optim.AdamW(parameters, rate, weight_decay=decay, fused=True)


class Trainer:
    """Trains a classifier on encoded reviews.

    Parameters
    ----------
    model : SentimentClassifier
        On the runtime's device.
    objective : Objective
    config : TrainingConfig
    runtime : Runtime
    train, validation : EncodedSplit
    on_step : called with the :class:`Progress` after each optimiser step, optional
    """

    def __init__(
        self,
        model: SentimentClassifier,
        objective: Objective,
        config: TrainingConfig,
        runtime: Runtime,
        train: EncodedSplit,
        validation: EncodedSplit,
        on_step: Callable[[Progress], None] | None = None,
    ) -> None:
        self.model = model
        self.objective = objective
        self.config = config
        self.runtime = runtime
        self.train_split = train
        self.validation_split = validation
        self.on_step = on_step
        self.parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self.layers = layer_of(list(self.parameters))
        self.optimizer = build_optimizer(list(self.parameters.values()), config)
        self.lengths = [len(ids) for ids in train.token_ids]
        self.steps_done = 0
        self.plateau_rate = 1.0  # reduce_on_plateau: what the schedule's factor is multiplied by
        self.best_score = (-math.inf, -math.inf)
        self.epochs_without_better = 0
        self.started = math.nan

    def fit(self) -> Iterator[EpochRecord]:
        """Train; yield one record an epoch, until a stopping rule of the configuration is met.

        Raises
        ------
        TrainingError
            On a non-finite loss or gradient, before it reaches the weights.
        """
        self.started = time.perf_counter()
        for epoch in range(1, self.config.epochs + 1):
            progress = self._train_epoch(epoch)
            record = self._finish_epoch(progress)
            yield record
            if record.stop_reason is not None:
                return

    def train_step(self, batches: Sequence[Batch], progress: Progress) -> None:
        """One optimiser step on the reviews of ``batches``, whose gradients add up to that of their mean loss."""
        rate = self._set_learning_rate(progress)
        count = sum(len(batch) for batch in batches)
        self.optimizer.zero_grad()
        for batch in batches:
            batch = batch.to(self.runtime.device)
            with self.runtime.autocast():
                loss = self.objective(self.model, batch, None)  # forward pass and loss
            (loss.total / count).backward()  # gradients of the mean, added to those of the batches before
            progress.loss_sum += float(loss.total.detach())
            progress.correct += int(loss.parts["correct"])
            progress.reviews += loss.count
            progress.tokens += batch.num_tokens
        norm = self._clip_gradient(progress)
        if not (math.isfinite(norm) and math.isfinite(progress.loss_sum)):
            raise TrainingError(
                f"the loss is not finite at step {self.steps_done + 1} (epoch {progress.epoch}, "
                f"loss {progress.loss:.4g}, learning rate {rate:.3g}, gradient norm {norm:.4g}): "
                "the step was not taken; lower training.learning_rate or training.gradient_clip"
            )
        self.optimizer.step()
        self.steps_done += 1
        progress.steps += 1

    def _train_epoch(self, epoch: int) -> Progress:
        self.model.train()
        groups = self._plan(epoch)
        progress = Progress(epoch, total_steps=len(groups))
        for group in groups:
            split = self.train_split
            self.train_step([collate(split.token_ids, indices, split.labels) for indices in group], progress)
            if self.on_step is not None:
                self.on_step(progress)
            if self._out_of_time():
                break
        return progress

    def _plan(self, epoch: int) -> list[list[np.ndarray]]:
        """The epoch's optimiser steps, each a list of the batches whose gradients are added."""
        config = self.config
        batches = plan_batches(self.lengths, config.batch_size, config.batch_tokens, (config.seed, epoch))
        size = config.accumulation_steps
        return [batches[start : start + size] for start in range(0, len(batches), size)]

    def _set_learning_rate(self, progress: Progress) -> float:
        config = self.config
        epochs_done = progress.epoch - 1 + (progress.steps + 0.5) / progress.total_steps  # at the middle of the step
        factor = schedule_factor(config.schedule, epochs_done / config.epochs, config.warmup_share)
        rate = config.learning_rate * factor * self.plateau_rate
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _clip_gradient(self, progress: Progress) -> float:
        """Scale the gradient down to ``gradient_clip`` where it is longer; return its norm before that."""
        norms = torch.stack(
            [
                torch.linalg.vector_norm(torch.stack([self._gradient_norm(name) for name in names]))
                for names in self.layers.values()
            ]
        )
        norms = torch.cat([norms, torch.linalg.vector_norm(norms)[None]]).double().cpu()
        progress.norm_sums = norms if progress.norm_sums is None else progress.norm_sums + norms
        norm = float(norms[-1])
        limit = self.config.gradient_clip
        if limit is not None and norm > limit:
            progress.clipped_steps += 1
            for parameter in self.parameters.values():
                if parameter.grad is not None:
                    parameter.grad.mul_(limit / norm)
        return norm

    def _gradient_norm(self, name: str) -> Tensor:
        gradient = self.parameters[name].grad
        return torch.zeros((), device=self.runtime.device) if gradient is None else torch.linalg.vector_norm(gradient)

    def _finish_epoch(self, progress: Progress) -> EpochRecord:
        """Validate, compare with the best so far, and decide whether to go on."""
        training_seconds = progress.seconds
        logits = compute_logits(self.model, self.validation_split.token_ids, self.runtime)
        loss, accuracy = loss_and_accuracy(logits, self.validation_split.labels)
        validation_seconds = progress.seconds - training_seconds
        is_best = (accuracy, -loss) > self.best_score
        if is_best:
            self.best_score = (accuracy, -loss)
            self.epochs_without_better = 0
        else:
            self.epochs_without_better += 1
        rate = self.optimizer.param_groups[0]["lr"]
        self._reduce_on_plateau()
        assert progress.norm_sums is not None
        norms = (progress.norm_sums / progress.steps).tolist()
        return EpochRecord(
            epoch=progress.epoch,
            steps=progress.steps,
            train_loss=progress.loss,
            train_accuracy=progress.accuracy,
            validation_loss=loss,
            validation_accuracy=accuracy,
            learning_rate=rate,
            gradient_norm=norms[-1],
            gradient_norm_per_layer=dict(zip(self.layers, norms, strict=False)),
            clipped_share=progress.clipped_steps / progress.steps,
            training_seconds=training_seconds,
            validation_seconds=validation_seconds,
            reviews_per_second=progress.reviews / training_seconds,
            tokens_per_second=progress.tokens / training_seconds,
            is_best=is_best,
            stop_reason=self._stop_reason(progress),
        )

    def _reduce_on_plateau(self) -> None:
        config = self.config
        waited = self.epochs_without_better
        if config.schedule == "reduce_on_plateau" and waited > 0 and waited % (config.plateau_patience + 1) == 0:
            self.plateau_rate *= config.plateau_factor

    def _out_of_time(self) -> bool:
        limit = self.config.max_seconds
        return limit is not None and time.perf_counter() - self.started >= limit

    def _stop_reason(self, progress: Progress) -> str | None:
        config = self.config
        if config.target_loss is not None and progress.loss <= config.target_loss:
            return f"training loss {progress.loss:.4f} reached the target {config.target_loss:g}"
        if self._out_of_time():
            return f"the time limit of {config.max_seconds:g} seconds is up"
        if config.patience is not None and self.epochs_without_better >= config.patience:
            return f"no better validation score for {self.epochs_without_better} epochs"
        return None
