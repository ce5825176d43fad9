"""The loop: forward, loss, ``loss.backward()``, clip, ``optimizer.step()``.

The trainer knows no file and no screen: it yields one record an epoch and says which is the best so far. Between two
steps its state can be taken out and put into another (``training/state.py``), which goes on as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest

import numpy as np
import torch
from torch import Tensor

from sentiment_lstm.config import TrainingConfig
from sentiment_lstm.data.batching import Batch, collate, plan_batches
from sentiment_lstm.data.crops import draw_crops
from sentiment_lstm.data.prepare import EncodedSplit
from sentiment_lstm.data.unlabelled import UnlabelledBatches
from sentiment_lstm.errors import TrainingError
from sentiment_lstm.model.classifier import SentimentClassifier, layer_of
from sentiment_lstm.training.averaging import WeightAverage
from sentiment_lstm.training.memory import Pieces, within_memory
from sentiment_lstm.training.objectives import Loss, Objective
from sentiment_lstm.training.optimizers import (
    MEASURED_EVERY,
    build_optimizer,
    clip_gradient,
    gradient_norms,
    measured_step,
)
from sentiment_lstm.training.processes import SharedObjective
from sentiment_lstm.training.progress import EpochRecord, Progress
from sentiment_lstm.training.runtime import Runtime, return_freed_memory
from sentiment_lstm.training.schedules import layer_factor, schedule_factor
from sentiment_lstm.training.scoring import compute_logits, loss_and_accuracy
from sentiment_lstm.training.spikes import LossWatch

logger = logging.getLogger(__name__)

TIME_LIMIT = "the time limit"  # how this stop reason begins: a resumed run may be given more time
MEMORY_SECONDS = 60.0  # after so many, memory that steps have left behind is given back
NAMED_REVIEWS = 5  # of a batch that is talked about


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
    on_scored : called with a number of validation reviews when they have been scored, optional
    taken_over : layers that another run has trained, the top one first
    unlabelled : UnlabelledBatches, optional
        What the objective is given beside each batch.

    Attributes
    ----------
    progress : Progress
        The epoch under way.
    history : list of EpochRecord
        The epochs that are done.
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
        on_scored: Callable[[int], None] | None = None,
        taken_over: Sequence[str] = (),
        unlabelled: UnlabelledBatches | None = None,
    ) -> None:
        self.model = model
        self.objective = objective
        self.config = config
        self.runtime = runtime
        self.train_split = train
        self.validation_split = validation
        self.on_step = on_step
        self.on_scored = on_scored
        self.parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self.layers = layer_of(list(self.parameters))
        self.taken_over = list(taken_over)
        self.unlabelled = unlabelled
        groups = [
            {"params": [self.parameters[n] for n in names], "layer": layer} for layer, names in self.layers.items()
        ]
        self.optimizer = build_optimizer(groups, config)
        self._read(train.token_ids)
        self.processes = runtime.processes
        self.shared = SharedObjective(objective, model, self.processes) if self.processes.count > 1 else None
        self.average: WeightAverage | None = None
        if config.weight_averaging > 0:  # begun once all processes have the first one's weights
            self.average = WeightAverage(self.parameters, config.weight_averaging)
        self.progress = Progress(epoch=1)
        self.history: list[EpochRecord] = []
        self.steps_done = 0
        self.plateau_rate = 1.0  # reduce_on_plateau: what the schedule's factor is multiplied by
        self.best_score = (-math.inf, -math.inf)
        self.epochs_without_better = 0
        self.pieces = Pieces(config)
        self.loss_watch = LossWatch(chance=math.log(self.num_outcomes))
        self.seconds_before = 0.0  # of training, that interrupted processes spent
        self.started = time.perf_counter()

    @property
    def num_outcomes(self) -> int:
        """The classes that a guess would choose from."""
        return self.model.output.out_features

    @property
    def best(self) -> EpochRecord | None:
        """The best epoch so far by validation."""
        return next((record for record in reversed(self.history) if record.is_best), None)

    @property
    def stop_reason(self) -> str | None:
        """Why there is nothing left to do, or ``None``."""
        if self.history and self.history[-1].stop_reason is not None:
            return self.history[-1].stop_reason
        return f"all {self.config.epochs} epochs done" if self.progress.epoch > self.config.epochs else None

    @property
    def seconds(self) -> float:
        """How long training has taken, interrupted processes included."""
        return self.seconds_before + time.perf_counter() - self.started

    def fit(self) -> Iterator[EpochRecord]:
        """Train on from where :attr:`progress` is; yield one record an epoch, until a stopping rule is met.

        Raises
        ------
        TrainingError
            On a non-finite loss or gradient, before it reaches the weights; or where memory does not suffice.
        """
        self.started = time.perf_counter()
        while self.stop_reason is None:
            self._train_epoch()
            record = self._finish_epoch()
            self.history.append(record)
            self.progress = Progress(self.progress.epoch + 1)
            yield record

    def kept_weights(self) -> dict[str, Tensor]:
        """Return the model's state as a run keeps it: with the average in place of what the last step left."""
        averages = {} if self.average is None else self.average.state()
        return {**self.model.state_dict(), **averages}

    def train_step(self, group: Sequence[np.ndarray], progress: Progress) -> None:
        """One optimiser step on the reviews whose indices are in ``group``, a list of batches."""
        rate = self._set_learning_rate(progress)
        sums = within_memory(lambda: self.compute_gradient(group), lambda problem: self._make_room(group, problem))
        loss = progress.add(*sums)
        norm = self._clip_gradient(progress)
        if not (math.isfinite(norm) and math.isfinite(loss)):
            raise TrainingError(
                f"the loss is not finite at step {self.steps_done + 1} (epoch {progress.epoch}, loss {loss:.4g}, "
                f"learning rate {rate:.3g}, gradient norm {norm:.4g}; reviews {self._ids_of(group)}): "
                "the step was not taken; lower training.learning_rate or training.gradient_clip"
            )
        if progress.steps % MEASURED_EVERY == 0:
            progress.add_update_ratios(measured_step(self.optimizer, self.parameters, list(self.layers.values())))
        else:
            self.optimizer.step()
        self.steps_done += 1
        progress.steps += 1
        if self.average is not None:
            self.average.update(self.steps_done)
        if self.loss_watch.is_spike(loss):
            logger.warning(
                "loss spike at step %d (epoch %d, step %d): %.4g; reviews %s",
                self.steps_done, progress.epoch, progress.steps, loss, self._ids_of(group),
            )  # fmt: skip

    def compute_gradient(self, group: Sequence[np.ndarray]) -> list[float]:
        """Leave in ``.grad`` the gradient of the mean loss over the reviews of ``group``.

        Returns
        -------
        list of float
            The sums, over all processes, of loss, right answers, reviews and tokens.
        """
        labelled, unlabelled = (sum(map(len, own)) for own in (group, self._beside(group)))
        count = labelled / self.processes.count  # DistributedDataParallel takes the mean over processes
        sums = np.zeros(4)
        pairs = self._collate(group)
        self.optimizer.zero_grad()
        for number, pair in enumerate(pairs, start=1):
            with self.runtime.autocast():
                loss = self._forward(*pair, is_last=number == len(pairs))  # forward pass and loss
            total = loss.scaled_total(labelled, unlabelled)
            (total / count).backward()  # gradients of the mean, added to those of the batches before
            tokens = sum(batch.num_tokens for batch in pair if batch is not None)
            sums += [float(total.detach()), float(loss.parts["correct"]), loss.count, tokens]
        return self.processes.sum(sums.tolist())

    def carried_tensors(self) -> dict[str, Tensor]:
        """Return what one step hands to the next besides weights and optimiser: nothing, where reviews are batches."""
        return {}

    def take_up(self, carried: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`carried_tensors` returned."""

    def _train_epoch(self) -> None:
        """Take the optimiser steps that are left of the epoch."""
        self.model.train()
        progress = self.progress
        progress.started = time.perf_counter()
        groups = self.plan(progress.epoch)
        progress.total_steps = len(groups)
        memory_returned = time.perf_counter()
        for group in groups[progress.steps :]:
            if progress.steps and self._out_of_time():
                break
            self.train_step(group, progress)
            if time.perf_counter() - memory_returned > MEMORY_SECONDS:
                return_freed_memory()
                memory_returned = time.perf_counter()
            if self.on_step is not None:
                self.on_step(progress)

    def plan(self, epoch: int) -> list[list[np.ndarray]]:
        """Return the epoch's optimiser steps, each a list of the batches whose gradients are added."""
        config = self.config
        if config.crop_tokens is not None:
            key, whole = (config.seed, epoch), self.train_split.token_ids
            self._read(draw_crops(whole, config.crop_tokens, config.crop_min_tokens, config.crop_share, key))
        batches = plan_batches(self.lengths, config.batch_size, config.batch_tokens, (config.seed, epoch))
        if self.unlabelled is not None:
            self.unlabelled.plan(epoch, len(batches))
        size = config.accumulation_steps
        return [batches[start : start + size] for start in range(0, len(batches), size)]

    def _read(self, token_ids: Sequence[np.ndarray]) -> None:
        """Let these be what training reads of each review."""
        self.token_ids = token_ids
        self.lengths = [len(ids) for ids in token_ids]

    def _beside(self, group: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The unlabelled batches of the step under way, one beside each labelled one."""
        if self.unlabelled is None:
            return []
        return self.unlabelled.beside(self.progress.steps * self.config.accumulation_steps, len(group))

    def _collate(self, group: Sequence[np.ndarray]) -> list[tuple[Batch | None, Batch | None]]:
        """This process's share of a step in pairs, labelled and unlabelled; ``None`` where it has no such review."""
        pairs: list[tuple[Batch | None, Batch | None]] = []
        for indices, others in zip_longest(group, self._beside(group)):
            labelled = [
                collate(self.token_ids, piece, self.train_split.labels, self.train_split.soft_labels)
                for piece in self.pieces.cut(self.processes.share(indices), self.lengths)
            ]
            unlabelled = []
            if self.unlabelled is not None:
                pieces = self.pieces.cut(self.processes.share(others), self.unlabelled.lengths)
                unlabelled = [self.unlabelled.collate(piece) for piece in pieces]
            for pair in zip_longest(labelled, unlabelled):
                one, other = (None if batch is None else batch.to(self.runtime.device) for batch in pair)
                pairs.append((one, other))
        return pairs or [(None, None)]

    def _forward(self, batch: Batch | None, unlabelled: Batch | None, is_last: bool) -> Loss:
        if self.shared is not None:
            return self.shared(batch, unlabelled, is_last)
        return self.objective(self.model, batch, unlabelled)

    def _make_room(self, group: Sequence[np.ndarray], problem: BaseException) -> None:
        """Let half as many tokens of the step through at once, or raise :class:`OutOfMemory`."""
        self.optimizer.zero_grad()
        if self.runtime.device.type == "cuda":
            torch.cuda.empty_cache()
        batches = [(self.processes.share(indices), self.lengths) for indices in group]
        if self.unlabelled is not None:
            batches += [(self.processes.share(indices), self.unlabelled.lengths) for indices in self._beside(group)]
        self.pieces.halve(batches, self.steps_done + 1, problem)

    def _ids_of(self, group: Sequence[np.ndarray]) -> str:
        """The reviews of a step by their ids, the first few of them."""
        indices = np.concatenate(group)
        names = [self.train_split.reviews[index].id for index in indices[:NAMED_REVIEWS]]
        more = len(indices) - len(names)
        return ", ".join(names) + (f" and {more} more" if more else "")

    def _set_learning_rate(self, progress: Progress) -> float:
        config = self.config
        epochs_done = progress.epoch - 1 + (progress.steps + 0.5) / progress.total_steps  # at the middle of the step
        factor = schedule_factor(config.schedule, epochs_done / config.epochs, config.warmup_share)
        rate = progress.learning_rate = config.learning_rate * factor * self.plateau_rate
        for group in self.optimizer.param_groups:
            group["lr"] = rate * layer_factor(config, group["layer"], progress.epoch, self.taken_over)
        return rate

    def _clip_gradient(self, progress: Progress) -> float:
        """Scale the gradient down to ``gradient_clip`` where it is longer; return its norm before that."""
        norms = gradient_norms(self.parameters, self.layers.values())
        progress.add_norms(norms)
        progress.clipped_steps += clip_gradient(self.parameters.values(), norms[-1], self.config.gradient_clip)
        return norms[-1]

    def _validate(self) -> tuple[float, float]:
        """Return the loss and the accuracy on the validation reviews, of which each process scores its share."""
        split = self.validation_split
        own = self.processes.share(np.arange(len(split)))
        logits = torch.zeros(len(split), self.model.output.out_features)
        if len(own):
            logits[own] = compute_logits(self.model, [split.token_ids[i] for i in own], self.runtime, self.on_scored)
        return loss_and_accuracy(self.processes.sum_after_long_work(logits), split.labels)

    def _finish_epoch(self) -> EpochRecord:
        """Validate, compare with the best so far, and decide whether to go on."""
        progress = self.progress
        training_seconds = progress.seconds
        with contextlib.nullcontext() if self.average is None else self.average.in_place():
            loss, accuracy = self._validate()
        validation_seconds = progress.seconds - training_seconds
        score = self._score(loss, accuracy)
        is_best = score > self.best_score
        if is_best:
            self.best_score = score
            self.epochs_without_better = 0
        else:
            self.epochs_without_better += 1
        self._reduce_on_plateau()
        norms = [total / progress.steps for total in progress.norm_sums]
        ratios = [total / progress.measured_steps for total in progress.update_sums]
        return EpochRecord(
            epoch=progress.epoch,
            steps=progress.steps,
            train_loss=progress.loss,
            train_accuracy=self._train_accuracy(),
            validation_loss=loss,
            validation_accuracy=accuracy,
            learning_rate=progress.learning_rate,
            gradient_norm=norms[-1],
            gradient_norm_per_layer=dict(zip(self.layers, norms, strict=False)),
            clipped_share=progress.clipped_steps / progress.steps,
            training_seconds=training_seconds,
            validation_seconds=validation_seconds,
            reviews_per_second=progress.reviews / training_seconds,
            tokens_per_second=progress.tokens / training_seconds,
            is_best=is_best,
            stop_reason=self._stop_reason(),
            update_ratio_per_layer=dict(zip(self.layers, ratios, strict=False)),
        )

    def _train_accuracy(self) -> float | None:
        return self.progress.accuracy

    def _score(self, loss: float, accuracy: float) -> tuple[float, float]:
        """What is best where it is largest."""
        return accuracy, -loss

    def _reduce_on_plateau(self) -> None:
        config = self.config
        waited = self.epochs_without_better
        if config.schedule == "reduce_on_plateau" and waited > 0 and waited % (config.plateau_patience + 1) == 0:
            self.plateau_rate *= config.plateau_factor

    def _out_of_time(self) -> bool:
        limit = self.config.max_seconds
        return limit is not None and self.processes.any(self.seconds >= limit)

    def _stop_reason(self) -> str | None:
        config, loss = self.config, self.progress.loss
        if config.target_loss is not None and loss <= config.target_loss:
            return f"training loss {loss:.4f} reached the target {config.target_loss:g}"
        if self._out_of_time():
            return f"{TIME_LIMIT} of {config.max_seconds:g} seconds is up"
        if config.patience is not None and self.epochs_without_better >= config.patience:
            return f"no better validation score for {self.epochs_without_better} epochs"
        return None
