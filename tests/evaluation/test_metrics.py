"""Metrics against worked examples and scikit-learn; pictures that open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from sentiment_lstm.evaluation.metrics import compute_metrics
from sentiment_lstm.evaluation.plots import plot_confusion, plot_curves
from sentiment_lstm.evaluation.report import format_metrics, format_table


def test_worked_example() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0], [1.0, 0.0]])
    metrics = compute_metrics(logits, np.array([0, 0, 1, 1]), ["negative", "positive"])
    assert metrics.accuracy == 0.5
    assert metrics.confusion_matrix == [[1, 1], [1, 1]]
    assert metrics.per_class["positive"].precision == 0.5
    assert metrics.per_class["negative"].support == 2
    assert metrics.roc_auc == 0.75  # margins -2, 1 of class 0 against 3, -1 of class 1: three of four pairs in order
    expected = -np.mean([np.log(1 / (1 + np.exp(-margin))) for margin in (2.0, -1.0, 3.0, -1.0)])
    assert metrics.loss == pytest.approx(expected)


def test_three_classes_are_scikit_learns() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(200, 3), np.random.default_rng(0).integers(0, 3, 200)
    metrics = compute_metrics(logits, targets, ["a", "b", "c"])
    probabilities = logits.double().softmax(1).numpy()
    assert metrics.roc_auc == pytest.approx(sk.roc_auc_score(targets, probabilities, multi_class="ovr"))
    assert metrics.macro_f1 == pytest.approx(sk.f1_score(targets, logits.argmax(1), average="macro"))
    assert sum(map(sum, metrics.confusion_matrix)) == 200


def test_a_class_that_never_occurs() -> None:
    metrics = compute_metrics(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0]), ["a", "b"])
    assert metrics.roc_auc is None
    assert metrics.per_class["b"].recall == 0.0
    assert "ROC-AUC" in format_metrics(metrics)


def test_saturated_scores_still_rank() -> None:
    logits = torch.tensor([[0.0, 100.0], [0.0, 200.0]])
    assert compute_metrics(logits, np.array([0, 1]), ["a", "b"]).roc_auc == 1.0


def test_table_is_aligned() -> None:
    assert format_table([["name", "n"], ["x", "1,000"]], indent="") == "name      n\nx     1,000"


def test_pictures_are_written(tmp_path: Path) -> None:
    history = [
        {"epoch": epoch, "is_best": epoch == 1, "train_loss": 1 / epoch, "validation_loss": 0.5,
         "train_accuracy": 0.5, "validation_accuracy": 0.6}
        for epoch in (1, 2)
    ]  # fmt: skip
    plot_curves(history, tmp_path / "curves.png", "a run")
    metrics = compute_metrics(torch.eye(5), np.arange(5), ["a", "b", "c", "d", "a long label"])
    plot_confusion(metrics, tmp_path / "confusion.png", "data (test)")
    for name in ("curves.png", "confusion.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
