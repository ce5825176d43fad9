"""Metrics over all reviews of a split at once: no mean of batch means anywhere. Counting is scikit-learn's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn import metrics as sk
from torch import Tensor

from sentiment_lstm.training.scoring import loss_and_accuracy


@dataclass(frozen=True)
class ClassMetrics:
    """Precision, recall and F1 of one class, and how many reviews carry it. All zero where it is never met."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Metrics:
    """What ``evaluate`` reports.

    Attributes
    ----------
    accuracy, loss : float
        Share of right answers; mean cross-entropy in nats.
    macro_f1 : float
        The mean of the classes' F1.
    roc_auc : float or None
        Of the second class where there are two, else one-against-rest, averaged over classes. ``None`` where a class
        does not occur.
    per_class : dict of label to ClassMetrics
    confusion_matrix : list of rows
        ``[i][j]`` counts the reviews of class i that were taken for class j.
    """

    accuracy: float
    loss: float
    num_reviews: int
    macro_f1: float
    roc_auc: float | None
    per_class: dict[str, ClassMetrics]
    labels: list[str]
    confusion_matrix: list[list[int]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, lists and numbers, ready for JSON."""
        return asdict(self)


def compute_metrics(logits: Tensor, targets: np.ndarray, labels: Sequence[str]) -> Metrics:
    """Compute all metrics.

    Parameters
    ----------
    logits : (N, C) float32 tensor
    targets : (N,) int64 array of class indices
    labels : the C names of the classes
    """
    loss, accuracy = loss_and_accuracy(logits, targets)
    predicted = logits.argmax(1).numpy()
    classes = np.arange(len(labels))
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        targets, predicted, labels=classes, zero_division=0
    )
    per_class = {
        name: ClassMetrics(float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
        for i, name in enumerate(labels)
    }
    return Metrics(
        accuracy=accuracy,
        loss=loss,
        num_reviews=len(targets),
        macro_f1=float(np.mean(f1)),
        roc_auc=_roc_auc(logits, targets),
        per_class=per_class,
        labels=list(labels),
        confusion_matrix=sk.confusion_matrix(targets, predicted, labels=classes).tolist(),
    )


def _roc_auc(logits: Tensor, targets: np.ndarray) -> float | None:
    num_classes = logits.shape[1]
    if len(np.unique(targets)) < num_classes:
        return None
    probabilities = logits.double().softmax(1).numpy()
    if num_classes == 2:
        # The difference of the logits ranks as the probability does, without its rounding to 1.
        return float(sk.roc_auc_score(targets, (logits[:, 1] - logits[:, 0]).numpy()))
    return float(sk.roc_auc_score(targets, probabilities, multi_class="ovr", average="macro"))
