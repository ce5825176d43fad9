"""What training minimises. An objective is a callable ``(model, batch, unlabelled) -> Loss``.

The trainer knows none of them by name; a new one is a new function here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from sentiment_lstm.data.batching import Batch
from sentiment_lstm.model.classifier import SentimentClassifier


@dataclass(frozen=True)
class Loss:
    """A sum and what it is a sum over, so that means over unequal batches are exact.

    Attributes
    ----------
    total : () float32 tensor
        Summed over the reviews of the batch, with its graph.
    count : int
        Reviews.
    parts : dict of () tensors
        Sums to report beside it, without graphs; ``correct`` is the number of right answers.
    """

    total: Tensor
    count: int
    parts: dict[str, Tensor] = field(default_factory=dict)


Objective = Callable[[SentimentClassifier, Batch, Batch | None], Loss]


def supervised(label_smoothing: float = 0.0, class_weights: Tensor | None = None) -> Objective:
    """Return the cross-entropy objective, -log p(label), summed over reviews.

    Parameters
    ----------
    label_smoothing : float
        The probability spread over all classes (Szegedy et al. 2016, equation 3).
    class_weights : (C,) float32 tensor, optional
        Factor on the loss of each class's reviews; see :func:`balanced_class_weights`.
    """

    def objective(model: SentimentClassifier, batch: Batch, unlabelled: Batch | None = None) -> Loss:
        assert batch.labels is not None, "supervised training needs labels"
        logits = model(batch.token_ids, batch.lengths)
        losses = F.cross_entropy(logits, batch.labels, reduction="none", label_smoothing=label_smoothing)
        if class_weights is not None:
            losses = losses * class_weights.to(losses.device)[batch.labels]
        correct = (logits.detach().argmax(1) == batch.labels).sum()
        return Loss(losses.sum(), len(batch), {"correct": correct})

    return objective


def balanced_class_weights(class_counts: Sequence[int]) -> Tensor:
    """Return N / (C * N_c) for each class c: rare classes count for more, and the mean weight of a review is 1."""
    counts = torch.tensor(class_counts, dtype=torch.float32)
    return counts.sum() / (len(counts) * counts)
