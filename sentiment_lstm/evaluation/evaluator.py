"""A run and labelled reviews to metrics and predictions, in memory and on disk."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from sentiment_lstm.config import DataConfig
from sentiment_lstm.data.prepare import EncodedSplit, encode_split, fingerprint, load_evaluation_split, load_splits
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.evaluation.metrics import Metrics, compute_metrics
from sentiment_lstm.evaluation.plots import plot_confusion
from sentiment_lstm.files import write_file, write_json
from sentiment_lstm.inference.archive import Archive
from sentiment_lstm.training.runtime import Runtime
from sentiment_lstm.training.scoring import compute_logits

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """What a model answered to the reviews of a split: (N, C) float32 logits and the metrics that follow."""

    split: EncodedSplit
    logits: Tensor
    metrics: Metrics


def load_reviews(archive: Archive, data: DataConfig | None, split: str) -> list[Review]:
    """Return the reviews to evaluate on: a split of the run's own data, or of other data.

    Parameters
    ----------
    archive : Archive
    data : DataConfig or None
        Other data; ``None`` for the run's own, split as it was for training.
    split : "train", "validation" or "test"

    Raises
    ------
    UsageError, DataError
        Where the data cannot be read, or holds no such split.
    """
    own = archive.config.data
    if data is None or (data.source == own.source and data.limit is None):
        splits = load_splits(own)
        if fingerprint(splits) != archive.meta.get("data_fingerprint"):
            logger.warning(
                "%s has changed since this run was trained: the split may hold reviews it has seen", own.source
            )
        return splits[split]
    return _with_labels_of(archive.labels, load_evaluation_split(data, split))


def evaluate(
    archive: Archive, reviews: list[Review], runtime: Runtime, on_batch: Callable[[int], object] | None = None
) -> Evaluation:
    """Compute the metrics of a model on labelled reviews, in float32, exact over all of them.

    Raises
    ------
    DataError
        Where a label is none of the model's.
    """
    split = encode_split(reviews, archive.tokenizer, archive.labels, archive.config.tokenizer)
    archive.model.to(runtime.device)
    logits = compute_logits(archive.model, split.token_ids, runtime, on_batch)
    return Evaluation(split, logits, compute_metrics(logits, split.labels, archive.labels))


def save_evaluation(evaluation: Evaluation, folder: Path, source: str, split: str) -> None:
    """Write ``metrics.json``, ``predictions.jsonl`` (a review a line, in order) and ``confusion.png``."""
    write_json(folder / "metrics.json", {"data": source, "split": split, **evaluation.metrics.to_dict()})
    labels = evaluation.metrics.labels
    rows = []
    probabilities = evaluation.logits.double().softmax(1)
    for review, own, best in zip(
        evaluation.split.reviews, probabilities.tolist(), evaluation.logits.argmax(1).tolist(), strict=True
    ):
        shown = {label: round(value, 6) for label, value in zip(labels, own, strict=True)}
        rows.append({"id": review.id, "label": review.label, "predicted": labels[best], "probabilities": shown})
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_file(folder / "predictions.jsonl", lines.encode("utf-8", "backslashreplace"))
    plot_confusion(evaluation.metrics, folder / "confusion.png", f"{Path(source).name} ({split})")


def _with_labels_of(labels: list[str], reviews: list[Review]) -> list[Review]:
    """Where other data says 0 and 1 and the model has names, read the numbers as class indices, and say so."""
    names = {review.label for review in reviews} - set(labels)
    indices = {str(index): label for index, label in enumerate(labels)}
    if not names or not {str(review.label) for review in reviews} <= indices.keys():
        return reviews
    shown = ", ".join(f"{index} as {label}" for index, label in indices.items())
    logger.info("labels are read by their place among the model's: %s", shown)
    return [Review(review.text, indices[str(review.label)], review.id) for review in reviews]
