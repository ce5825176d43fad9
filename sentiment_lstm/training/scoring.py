"""A model's answers to many reviews, in the order they came in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sentiment_lstm.data.batching import Batch, iter_batches
from sentiment_lstm.errors import RunFailure
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.training.memory import is_out_of_memory
from sentiment_lstm.training.runtime import Runtime

SCORING_BATCH_SIZE = 256
SCORING_BATCH_TOKENS = 65_536


@torch.inference_mode()
def compute_logits(
    model: SentimentClassifier,
    token_ids: Sequence[np.ndarray],
    runtime: Runtime,
    on_batch: Callable[[int], object] | None = None,
) -> Tensor:
    """Return the (N, C) float32 logits, on the CPU. Which reviews share a batch never matters.

    Parameters
    ----------
    model : SentimentClassifier
        Left in the mode, training or evaluation, in which it came.
    token_ids : list of (T,) int32 arrays
    runtime : Runtime
    on_batch : called with the number of reviews after each batch, optional
    """
    was_training = model.training
    model.eval()
    logits: Tensor | None = None
    try:
        for batch in iter_batches(token_ids, None, SCORING_BATCH_SIZE, SCORING_BATCH_TOKENS):
            answers = _score(model, batch, runtime)
            if logits is None:
                logits = torch.empty(len(token_ids), answers.shape[1])
            logits[torch.from_numpy(batch.indices)] = answers
            if on_batch is not None:
                on_batch(len(batch))
    finally:
        model.train(was_training)
    assert logits is not None, "no reviews to score"
    return logits


def _score(model: SentimentClassifier, batch: Batch, runtime: Runtime) -> Tensor:
    """The logits of a batch; of its halves one by one, which are the same, where memory does not suffice for all."""
    try:
        moved = batch.to(runtime.device)
        with runtime.autocast():
            return model(moved.token_ids, moved.lengths).cpu()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        if len(batch) == 1:
            raise RunFailure(
                f"out of memory: a text of {batch.num_tokens:,} tokens is too long for this machine: "
                "use a model with a smaller tokenizer.max_length, or another --device"
            ) from error
    middle = len(batch) // 2
    return torch.cat([_score(model, part, runtime) for part in (batch.rows(0, middle), batch.rows(middle, None))])


def loss_and_accuracy(logits: Tensor, labels: np.ndarray) -> tuple[float, float]:
    """Return the mean cross-entropy and the accuracy, exact over the N reviews of (N, C) logits."""
    targets = torch.from_numpy(labels)
    loss = F.cross_entropy(logits.double(), targets)
    return float(loss), float((logits.argmax(1) == targets).double().mean())
