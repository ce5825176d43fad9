"""What training minimises. An objective is a callable ``(model, batch, unlabelled) -> Loss``.

The trainer knows none of them by name; a new one is a new function here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from sentiment_lstm.config import TrainingConfig
from sentiment_lstm.data.batching import Batch
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.training.perturbations import (
    CleanPass,
    adversarial_embeddings,
    entropy,
    virtual_adversarial_losses,
)


@dataclass(frozen=True)
class Loss:
    """Sums and what they are sums over, so that means over unequal batches are exact.

    Attributes
    ----------
    total : () float32 tensor
        Summed over the labelled reviews of the batch, with its graph.
    count : int
        Labelled reviews.
    parts : dict of () tensors
        Sums to report beside it, without graphs; ``correct`` is the number of right answers.
    over_all, over_unlabelled : () float32 tensor or None
        What is summed over all reviews, or over the unlabelled ones, with its graph.
    """

    total: Tensor
    count: int
    parts: dict[str, Tensor] = field(default_factory=dict)
    over_all: Tensor | None = None
    over_unlabelled: Tensor | None = None

    def scaled_total(self, labelled: int, unlabelled: int) -> Tensor:
        """Return the sum which, divided by the labelled reviews of a step, gives each part the mean that is its own.

        Parameters
        ----------
        labelled, unlabelled : int
            Reviews of the whole step, of which this loss may cover a part.
        """
        total = self.total
        if self.over_all is not None:
            total = total + self.over_all * (labelled / (labelled + unlabelled))
        if self.over_unlabelled is not None:
            total = total + self.over_unlabelled * (labelled / unlabelled)
        return total


Objective = Callable[[SentimentClassifier, Batch | None, Batch | None], Loss]  # one of the two batches may be missing


def build_objective(config: TrainingConfig, class_weights: Tensor | None = None) -> Objective:
    """Return the objective that the configuration describes, all of its parts together.

    ``class_weights`` as for :func:`supervised`.
    """
    if config.adversarial_epsilon == 0 and not config.reads_unlabelled:
        return supervised(config.label_smoothing, class_weights)
    return semi_supervised(
        adversarial_epsilon=config.adversarial_epsilon,
        virtual_adversarial_epsilon=config.virtual_adversarial_epsilon,
        virtual_adversarial_weight=config.virtual_adversarial_weight,
        entropy_weight=config.entropy_weight,
        label_smoothing=config.label_smoothing,
        class_weights=class_weights,
    )


def supervised(label_smoothing: float = 0.0, class_weights: Tensor | None = None) -> Objective:
    """Return the cross-entropy objective, -log p(label), summed over reviews.

    Parameters
    ----------
    label_smoothing : float
        The probability spread over all classes (Szegedy et al. 2016, equation 3).
    class_weights : (C,) float32 tensor, optional
        Factor on the loss of each class's reviews; see :func:`balanced_class_weights`.
    """

    def objective(model: SentimentClassifier, batch: Batch | None, unlabelled: Batch | None = None) -> Loss:
        assert batch is not None, "supervised training needs labels"
        targets = targets_of(batch)
        logits = model(batch.token_ids, batch.lengths)
        losses = _cross_entropy(logits, targets, label_smoothing, class_weights)
        return Loss(losses.sum(), len(batch), {"correct": _correct(logits, targets)})

    return objective


def adversarial(
    epsilon: float, weight: float = 1.0, label_smoothing: float = 0.0, class_weights: Tensor | None = None
) -> Objective:
    """Return cross-entropy plus that of the same reviews, disturbed where it hurts most.

    Each review's embeddings are moved by ``r = epsilon * g / ||g||``, where g is the gradient of its loss with respect
    to all of them together, (T, E) (Miyato, Dai and Goodfellow 2017, equation 3). There embeddings are normalised to
    variance 1, so that a perturbation's size means something; here that is ``model.normalize_embedding``, and without
    it epsilon is counted in standard deviations of the embedding's numbers instead.

    Parameters
    ----------
    epsilon : float
        Length of a review's perturbation.
    weight : float
        Of the disturbed reviews' loss beside the plain one.
    label_smoothing, class_weights : as for :func:`supervised`
    """

    return semi_supervised(
        adversarial_epsilon=epsilon,
        adversarial_weight=weight,
        label_smoothing=label_smoothing,
        class_weights=class_weights,
    )


def semi_supervised(
    *,
    adversarial_epsilon: float = 0.0,
    adversarial_weight: float = 1.0,
    virtual_adversarial_epsilon: float = 0.0,
    virtual_adversarial_weight: float = 1.0,
    entropy_weight: float = 0.0,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
) -> Objective:
    """Return cross-entropy plus what is asked of answers without knowing a label. An epsilon or weight of 0: no part.

    mean over labelled reviews of cross-entropy + adversarial_weight * that of the disturbed reviews
    + virtual_adversarial_weight * mean over all reviews of KL(p(. | s) || p(. | s + r))
      (Miyato, Dai and Goodfellow 2017, equation 8; :func:`virtual_adversarial_losses`)
    + entropy_weight * mean over unlabelled reviews of the entropy of p(. | s)
      (Grandvalet and Bengio 2005, equation 8; Sachan, Zaheer and Salakhutdinov 2019, equation 5)

    Parameters
    ----------
    adversarial_epsilon, adversarial_weight : as for :func:`adversarial`
    virtual_adversarial_epsilon : float
        Length of a review's perturbation, in units of :meth:`SentimentClassifier.embedding_unit`.
    virtual_adversarial_weight, entropy_weight : float
    label_smoothing, class_weights : as for :func:`supervised`
    """

    def of_labels(clean: CleanPass, targets: Tensor) -> Tensor:
        losses = _cross_entropy(clean.logits, targets, label_smoothing, class_weights)
        if adversarial_epsilon == 0:
            return losses.sum()
        total, moved = adversarial_embeddings(clean, losses, adversarial_epsilon)
        others = _cross_entropy(clean.disturbed_logits(moved), targets, label_smoothing, class_weights)
        return total + adversarial_weight * others.sum()

    def objective(model: SentimentClassifier, batch: Batch | None, unlabelled: Batch | None = None) -> Loss:
        count, total, correct = 0, torch.zeros(()), torch.zeros(())
        over_all, over_unlabelled = [], []
        for own in (batch, unlabelled):
            if own is None:
                continue
            clean = CleanPass(model, own)
            if own is batch:
                targets = targets_of(own)
                count, total, correct = len(own), of_labels(clean, targets), _correct(clean.logits, targets)
            elif entropy_weight > 0:
                over_unlabelled.append(entropy_weight * entropy(clean.logits).sum())
            if virtual_adversarial_epsilon > 0:
                divergences = virtual_adversarial_losses(clean, virtual_adversarial_epsilon)
                over_all.append(virtual_adversarial_weight * divergences.sum())
        return Loss(total, count, {"correct": correct}, _sum(over_all), _sum(over_unlabelled))

    return objective


def targets_of(batch: Batch) -> Tensor:
    """Return what a batch is to be answered with: its teachers' (B, C) probabilities, or its (B,) labels."""
    targets = batch.labels if batch.soft_labels is None else batch.soft_labels
    assert targets is not None, "this objective needs labels"
    return targets


def _sum(terms: Sequence[Tensor]) -> Tensor | None:
    return torch.stack(list(terms)).sum() if terms else None


def _cross_entropy(logits: Tensor, targets: Tensor, label_smoothing: float, class_weights: Tensor | None) -> Tensor:
    """The (B,) losses of reviews: -log p(label), or for soft labels the sum over classes of -target * log p."""
    losses = F.cross_entropy(logits, targets, reduction="none", label_smoothing=label_smoothing)
    return losses if class_weights is None else losses * class_weights.to(losses.device)[targets]


def _correct(logits: Tensor, targets: Tensor) -> Tensor:
    """How often the most probable class is the label, or what the teachers find most probable."""
    labels = targets if targets.dim() == 1 else targets.argmax(1)
    return (logits.detach().argmax(1) == labels).sum()


def balanced_class_weights(class_counts: Sequence[int]) -> Tensor:
    """Return N / (C * N_c) for each class c: rare classes count for more, and the mean weight of a review is 1."""
    counts = torch.tensor(class_counts, dtype=torch.float32)
    return counts.sum() / (len(counts) * counts)
