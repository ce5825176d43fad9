"""Pictures, whatever the labels and files are called."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sentiment_lstm.evaluation.metrics import compute_metrics
from sentiment_lstm.evaluation.plots import plot_confusion


@pytest.mark.parametrize("names", [["$x", "$\\frac$"], ["a\nb", "\0"], ["映画", "\U0001f600"], [""]])
def test_a_name_is_never_a_formula(names: list[str], tmp_path: Path) -> None:
    labels = [*names, "other"]
    metrics = compute_metrics(torch.eye(len(labels)), torch.arange(len(labels)).numpy(), labels)
    plot_confusion(metrics, tmp_path / "confusion.png", f"{names[0]}.csv")
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["confusion.png"]
