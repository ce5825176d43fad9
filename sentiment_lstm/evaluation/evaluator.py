"""A run and labelled reviews to metrics and predictions, in memory and on disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from sentiment_lstm.config import DataConfig
from sentiment_lstm.data import cache
from sentiment_lstm.data.prepare import EncodedSplit, encode_split, fingerprint, load_evaluation_split, load_splits
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.errors import ArchiveError, DataError
from sentiment_lstm.evaluation import comparison
from sentiment_lstm.evaluation.baselines import BASELINES, BaselineResult
from sentiment_lstm.evaluation.metrics import Metrics, compute_metrics
from sentiment_lstm.evaluation.plots import plot_confusion
from sentiment_lstm.files import json_line, write_file, write_json
from sentiment_lstm.inference.archive import Archive
from sentiment_lstm.inference.ensemble import check_labels, mean_logits
from sentiment_lstm.training.runtime import Runtime
from sentiment_lstm.training.scoring import compute_logits

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """What a model answered to the reviews of a split: (N, C) float32 logits and the metrics that follow."""

    split: EncodedSplit
    logits: Tensor
    metrics: Metrics


def load_reviews(
    archive: Archive, data: DataConfig | None, split: str, splits: dict[str, list[Review]] | None = None
) -> list[Review]:
    """Return the reviews to evaluate on: a split of the run's own data, or of other data.

    Parameters
    ----------
    archive : Archive
    data : DataConfig or None
        Other data; ``None`` for the run's own, split as it was for training.
    split : "train", "validation" or "test"
    splits : the run's own data, where :func:`load_own_splits` has read it already

    Raises
    ------
    UsageError, DataError
        Where the data cannot be read, or holds no such split.
    """
    own = archive.config.data
    if data is None or (data.source == own.source and data.limit is None):
        if splits is not None:
            return splits[split]
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


def evaluate_together(
    archives: Sequence[Archive],
    reviews: list[Review],
    runtime: Runtime,
    on_batch: Callable[[int], object] | None = None,
) -> Evaluation:
    """Compute the metrics of the mean of several models' logits; of one model, those of :func:`evaluate`.

    Raises
    ------
    UsageError
        Where the models' labels are not the same.
    DataError
        Where a label of a review is none of the models'.
    """
    check_labels(archives)
    evaluations = [evaluate(archive, reviews, runtime, on_batch) for archive in archives]
    first = evaluations[0]
    if len(evaluations) == 1:
        return first
    logits = mean_logits([own.logits for own in evaluations], [archive.labels for archive in archives])
    return Evaluation(first.split, logits, compute_metrics(logits, first.split.labels, archives[0].labels))


def load_own_splits(archive: Archive) -> dict[str, list[Review]]:
    """Return the splits that a run was trained with, for a baseline to be fitted on the very same reviews.

    Raises
    ------
    DataError
        Where the data has changed since.
    """
    splits = load_splits(archive.config.data)
    if fingerprint(splits) != archive.meta.get("data_fingerprint"):
        raise DataError(
            f"{archive.config.data.source} has changed since {archive.folder} was trained: a baseline cannot be fitted "
            "on the same training reviews; leave out --baseline, or train again"
        )
    return splits


def evaluation_report(evaluation: Evaluation, source: str, split: str, runs: Sequence[Path]) -> dict[str, Any]:
    """Return what ``metrics.json`` holds: the metrics, and hashes of the reviews and of the runs' weights."""
    weights = [str(comparison.weights_sha256(run)) for run in runs]
    origin = {
        "reviews_sha256": reviews_sha256(evaluation.split.reviews),
        "weights_sha256": comparison.weights_sha256(runs[0]) if len(runs) == 1 else cache.key(weights),
    }
    return {"data": source, "split": split, **evaluation.metrics.to_dict(), **origin}


def save_evaluation(
    evaluation: Evaluation, folder: Path, source: str, split: str, runs: Sequence[Path] | None = None
) -> dict[str, Any]:
    """Write ``metrics.json``, ``predictions.jsonl`` (a review a line, in order) and ``confusion.png``.

    What baselines answered to other reviews is removed: a folder holds answers to the same reviews only.

    Parameters
    ----------
    evaluation : Evaluation
    folder : where to write
    source, split : what the reviews are, in words
    runs : that have answered; default: the one that the folder is in

    Returns
    -------
    dict
        What ``metrics.json`` holds.
    """
    reviews = evaluation.split.reviews
    report = evaluation_report(evaluation, source, split, runs or [folder.parent])
    digest = report["reviews_sha256"]
    write_json(folder / "metrics.json", report)
    probabilities = evaluation.logits.double().softmax(1).tolist()
    predictions = _prediction_lines(
        reviews, evaluation.metrics.labels, probabilities, evaluation.logits.argmax(1).tolist()
    )
    write_file(folder / comparison.PREDICTIONS, predictions)
    if _stored_baselines(folder, digest) is None:
        for name in (comparison.BASELINES_FILE, *map(comparison.baseline_predictions, BASELINES)):
            (folder / name).unlink(missing_ok=True)
    plot_confusion(evaluation.metrics, folder / "confusion.png", f"{Path(source).name} ({split})")
    return report


def save_baseline(result: BaselineResult, reviews: Sequence[Review], folder: Path) -> None:
    """Write a baseline's answers beside those of the model, and add its facts to ``baselines.json``."""
    digest = reviews_sha256(reviews)
    best = result.probabilities.argmax(1).tolist()
    lines = _prediction_lines(reviews, result.labels, result.probabilities.tolist(), best)
    write_file(folder / comparison.baseline_predictions(result.name), lines)
    stored = {**(_stored_baselines(folder, digest) or {}), result.name: baseline_facts(result)}
    write_json(folder / comparison.BASELINES_FILE, {"reviews_sha256": digest, "baselines": stored})


def baseline_facts(result: BaselineResult) -> dict[str, Any]:
    """Return what is written down of a baseline besides its answers."""
    names = ("accuracy", "parameters", "fit_seconds", "scoring_seconds")
    return {name: getattr(result, name) for name in names}


def reviews_sha256(reviews: Sequence[Review]) -> str:
    """Hash the texts and labels of reviews, in the order of their ids."""
    ordered = sorted(reviews, key=lambda review: review.id)
    return cache.key(part for review in ordered for part in (review.text, str(review.label)))


def _stored_baselines(folder: Path, digest: str) -> dict[str, Any] | None:
    """What is stored of baselines that answered to the reviews with this hash."""
    try:
        stored = comparison.read_object(folder / comparison.BASELINES_FILE)
    except ArchiveError:
        return None  # none, or damaged: written anew
    return dict(stored.get("baselines") or {}) if stored.get("reviews_sha256") == digest else None


def _prediction_lines(
    reviews: Sequence[Review], labels: Sequence[str], probabilities: list[list[float]], best: list[int]
) -> bytes:
    rows = []
    for review, own, place in zip(reviews, probabilities, best, strict=True):
        shown = {label: round(value, 6) for label, value in zip(labels, own, strict=True)}
        rows.append({"id": review.id, "label": review.label, "predicted": labels[place], "probabilities": shown})
    return "".join(json_line(row) for row in rows).encode("utf-8", "backslashreplace")


def _with_labels_of(labels: list[str], reviews: list[Review]) -> list[Review]:
    """Where other data says 0 and 1 and the model has names, read the numbers as class indices, and say so."""
    names = {review.label for review in reviews} - set(labels)
    indices = {str(index): label for index, label in enumerate(labels)}
    if not names or not {str(review.label) for review in reviews} <= indices.keys():
        return reviews
    shown = ", ".join(f"{index} as {label}" for index, label in indices.items())
    logger.info("labels are read by their place among the model's: %s", shown)
    return [Review(review.text, indices[str(review.label)], review.id) for review in reviews]
