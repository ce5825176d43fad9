"""Pretraining: the trainer's loop over windows of text instead of batches of reviews.

Where :class:`Trainer` counts reviews this counts words; everything else (schedule, clipping, checkpoints, stopping) is
the same code.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sentiment_lstm.config import Config
from sentiment_lstm.data.prepare import EncodedSplit
from sentiment_lstm.data.tokenizer import PAD_ID
from sentiment_lstm.data.windows import Streams
from sentiment_lstm.errors import OutOfMemory
from sentiment_lstm.model.language_model import LanguageModel, State
from sentiment_lstm.training.progress import Progress
from sentiment_lstm.training.runtime import Runtime
from sentiment_lstm.training.trainer import Trainer

SCORED_STREAMS, SCORED_WINDOW = 16, 64  # of held-out text; all V logits of a window are in memory at once


def draw_words(count: int, vocabulary_size: int) -> Tensor:
    """Draw words as often as Zipf's law has them: P(rank r) = log((r + 2) / (r + 1)) / log(V + 1).

    Returns
    -------
    (K,) int64 tensor
        Different ones, ascending; K is at most ``count``.
    """
    words = (torch.rand(count, dtype=torch.float64) * math.log(vocabulary_size + 1)).exp().long() - 1
    return words.clamp_(0, vocabulary_size - 1).unique()


@functools.cache
def log_expected(count: int, vocabulary_size: int, device: torch.device) -> Tensor:
    """Return for every word the logarithm of the probability that :func:`draw_words` gives it, (V,) float32."""
    ranks = torch.arange(vocabulary_size, dtype=torch.float64)
    probability = ((ranks + 2) / (ranks + 1)).log() / math.log(vocabulary_size + 1)
    return (-torch.expm1(count * torch.log1p(-probability))).log().float().to(device)


def compared_words(count: int | None, vocabulary_size: int) -> int:
    """Return how many words a next one is told from, itself included, on average; ``count`` as in sampled_words."""
    if count is None or count >= vocabulary_size:
        return vocabulary_size
    return round(float(log_expected(count, vocabulary_size, torch.device("cpu")).exp().sum())) + 1


def sampled_loss(model: LanguageModel, features: Tensor, targets: Tensor, count: int) -> Tensor:
    """Return the summed loss of telling each next word from ``count`` drawn ones (Jean et al. 2015, equation 11).

    Logits are corrected by the logarithm of how often a word is drawn, so that what is learnt is the softmax over all
    words. A target that is among the drawn words counts once.

    Parameters
    ----------
    features : (N, E) tensor
    targets : (N,) int64 tensor
    """
    weight, bias = model.embedding.weight, model.output_bias
    words = draw_words(count, len(bias)).to(targets.device)
    both = torch.cat([targets, words])
    sizes = [len(targets), len(words)]
    own, others = F.embedding(both, weight).split(sizes)  # one look-up: its gradient is as large as the embedding
    own_bias, other_bias = (bias - log_expected(count, len(bias), bias.device))[both].split(sizes)
    right = (features.float() * own).sum(1) + own_bias  # (N,)
    logits = (features @ others.T).float() + other_bias  # (N, K)
    # The logarithm of the sum over the drawn words of exp(logit). That is cross-entropy but for one word's logit, and
    # takes a third of the passes over N x K numbers that logsumexp takes.
    drawn = F.cross_entropy(logits, torch.zeros_like(targets), reduction="none") + logits[:, 0]
    is_drawn = words[torch.searchsorted(words, targets).clamp_(max=len(words) - 1)] == targets
    return (torch.where(is_drawn, drawn, torch.logaddexp(right, drawn)) - right).sum()


def exact_loss(model: LanguageModel, features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the summed loss over the softmax of all words, and how many next words are the most probable one."""
    logits = (features @ model.embedding.weight.T).float() + model.output_bias
    return F.cross_entropy(logits, targets, reduction="sum"), (logits.detach().argmax(1) == targets).sum()


class Pretrainer(Trainer):
    """Trains a language model on texts.

    The state after a window is where the next one starts, within an epoch; no gradient goes back across it (truncated
    backpropagation through time, Mikolov et al. 2010).

    Parameters
    ----------
    model : LanguageModel
        On the runtime's device.
    config : Config
        Its ``training`` and ``pretraining`` sections.
    runtime : Runtime
    train, validation : EncodedSplit
        Only their token ids are read.
    on_step, on_scored : as for :class:`Trainer`; what is scored is counted in words
    """

    model: LanguageModel  # type: ignore[assignment]

    def __init__(
        self,
        model: LanguageModel,
        config: Config,
        runtime: Runtime,
        train: EncodedSplit,
        validation: EncodedSplit,
        on_step: Callable[[Progress], None] | None = None,
        on_scored: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__(
            model,  # type: ignore[arg-type]
            _no_objective,
            config.training,
            runtime,
            train,
            validation,
            on_step,
            on_scored,
        )
        self.pretraining = config.pretraining
        self.streams: Streams | None = None  # of the epoch under way
        self.carried: State = []

    @property
    def num_outcomes(self) -> int:
        """The words that a guess would choose from."""
        return len(self.model.output_bias)

    def compute_gradient(self, group: Sequence[np.ndarray]) -> list[float]:
        """Leave in ``.grad`` the gradient of the mean loss over the words of some windows; see :class:`Trainer`."""
        assert self.streams is not None
        windows = [self.streams[int(index[0])] for index in group]
        count = sum(window.targets.numel() for window in windows)
        total = torch.zeros((), dtype=torch.float64)
        self.optimizer.zero_grad()
        for window in windows:
            window = window.to(self.runtime.device)
            state = self.carried if window.index else self.model.start(self.streams.num_streams)
            with self.runtime.autocast():
                features, after = self.model(window.token_ids, state)  # forward pass
                # Step by step, as features lie in memory: flattened stream by stream they would be copied.
                loss = self._loss(features.transpose(0, 1).flatten(0, 1), window.targets.T.flatten())
            (loss / count).backward()
            self.carried = [(hidden.detach(), cell.detach()) for hidden, cell in after]
            total += loss.detach().double().cpu()
        gradient = self.model.embedding.weight.grad
        if gradient is not None:  # it may be frozen
            gradient[PAD_ID] = 0  # as an output word it would be moved; as an input it stays the zero vector
        return [float(total), 0.0, count, count]

    def carried_tensors(self) -> dict[str, Tensor]:
        """Return the state between two windows, for a checkpoint."""
        return {
            f"{number}.{name}": tensor
            for number, own in enumerate(self.carried)
            for name, tensor in zip(("hidden", "cell"), own, strict=True)
        }

    def take_up(self, carried: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`carried_tensors` returned."""
        device = self.runtime.device
        self.carried = [
            (carried[f"{number}.hidden"].to(device), carried[f"{number}.cell"].to(device))
            for number in range(len(carried) // 2)
        ]

    def _loss(self, features: Tensor, targets: Tensor) -> Tensor:
        count = self.pretraining.sampled_words
        if count is None or count >= self.num_outcomes:
            return exact_loss(self.model, features, targets)[0]
        return sampled_loss(self.model, features, targets, count)

    def plan(self, epoch: int) -> list[list[np.ndarray]]:
        """Return the epoch's optimiser steps, each a list of windows' numbers; lays out the epoch's text."""
        settings = self.pretraining
        key = (self.config.seed, epoch)
        self.streams = Streams(
            self.train_split.token_ids, settings.streams, settings.window, key, backward=settings.backward
        )
        size = self.config.accumulation_steps
        windows = [np.array([index]) for index in range(len(self.streams))]
        return [windows[start : start + size] for start in range(0, len(windows), size)]

    def _ids_of(self, group: Sequence[np.ndarray]) -> str:
        return f"window {', '.join(str(index[0]) for index in group)} of the epoch's text"

    def _make_room(self, group: Sequence[np.ndarray], problem: BaseException) -> None:
        settings = self.pretraining
        raise OutOfMemory(
            f"out of memory at step {self.steps_done + 1}: {settings.streams} streams of {settings.window} words at "
            "once: halve pretraining.streams or pretraining.sampled_words"
        ) from problem

    @torch.inference_mode()
    def _validate(self) -> tuple[float, float]:
        """Return the exact mean loss of the next word, and how often the most probable one comes, on held-out text."""
        self.model.eval()
        streams = Streams(
            self.validation_split.token_ids, SCORED_STREAMS, SCORED_WINDOW, backward=self.pretraining.backward
        )
        state, total, correct, count = self.model.start(streams.num_streams), 0.0, 0, 0
        for index in range(len(streams)):
            window = streams[index].to(self.runtime.device)
            with self.runtime.autocast():
                features, state = self.model(window.token_ids, state)
                loss, right = exact_loss(self.model, features.flatten(0, 1), window.targets.flatten())
            total, correct, count = total + float(loss), correct + int(right), count + window.targets.numel()
            if self.on_scored is not None:
                self.on_scored(window.targets.numel())
        return total / count, correct / count

    def _train_accuracy(self) -> None:
        """Among drawn words it would say nothing."""

    def _score(self, loss: float, accuracy: float) -> tuple[float, float]:
        return -loss, accuracy


def _no_objective(*_: object) -> NoReturn:
    raise AssertionError("a language model's loss is computed by its trainer")
