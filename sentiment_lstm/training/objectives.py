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
from sentiment_lstm.model.pooling import length_mask


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
        losses = _cross_entropy(logits, batch.labels, label_smoothing, class_weights)
        return Loss(losses.sum(), len(batch), {"correct": _correct(logits, batch.labels)})

    return objective


def adversarial(
    epsilon: float, weight: float = 1.0, label_smoothing: float = 0.0, class_weights: Tensor | None = None
) -> Objective:
    """Return cross-entropy plus that of the same reviews, disturbed where it hurts most.

    Each review's embeddings are moved by ``r = epsilon * g / ||g||``, where g is the gradient of its loss with respect
    to all of them together, (T, E) (Miyato, Dai and Goodfellow 2017, equation 3). There embeddings are normalised to
    variance 1, so that a perturbation's size means something; here epsilon is counted in standard deviations of the
    embedding's numbers instead, which leaves pretrained weights as they are.

    Parameters
    ----------
    epsilon : float
        Length of a review's perturbation.
    weight : float
        Of the disturbed reviews' loss beside the plain one.
    label_smoothing, class_weights : as for :func:`supervised`
    """

    def objective(model: SentimentClassifier, batch: Batch, unlabelled: Batch | None = None) -> Loss:
        assert batch.labels is not None, "adversarial training needs labels"
        embedded = model.embed(batch.token_ids)  # (B, T, E)
        if not embedded.requires_grad:
            embedded = embedded.requires_grad_()  # a frozen embedding
        logits = model.classify(embedded, batch.lengths)
        losses = _cross_entropy(logits, batch.labels, label_smoothing, class_weights)
        (gradient,) = torch.autograd.grad(losses.sum(), embedded, retain_graph=True)
        length = epsilon * model.embedding.weight.detach().std()
        disturbed = model.classify(embedded + perturbation(gradient, batch.lengths, length), batch.lengths)
        total = losses.sum() + weight * _cross_entropy(disturbed, batch.labels, label_smoothing, class_weights).sum()
        return Loss(total, len(batch), {"correct": _correct(logits, batch.labels)})

    return objective


def perturbation(gradient: Tensor, lengths: Tensor, length: float | Tensor) -> Tensor:
    """Return a (B, T, E) tensor along the gradient, of the given length in each review and zero on padding."""
    own = gradient.detach().float() * length_mask(lengths, gradient.shape[1])[:, :, None]
    norms = torch.linalg.vector_norm(own.flatten(1), dim=1).clamp_min(1e-30)  # no gradient, no perturbation
    return length * own / norms[:, None, None]


def _cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float, class_weights: Tensor | None) -> Tensor:
    """The (B,) losses of reviews."""
    losses = F.cross_entropy(logits, labels, reduction="none", label_smoothing=label_smoothing)
    return losses if class_weights is None else losses * class_weights.to(losses.device)[labels]


def _correct(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.detach().argmax(1) == labels).sum()


def balanced_class_weights(class_counts: Sequence[int]) -> Tensor:
    """Return N / (C * N_c) for each class c: rare classes count for more, and the mean weight of a review is 1."""
    counts = torch.tensor(class_counts, dtype=torch.float32)
    return counts.sum() / (len(counts) * counts)
