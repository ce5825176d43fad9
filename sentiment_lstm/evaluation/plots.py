"""Pictures, drawn without a screen. Colours are from Okabe and Ito's palette, which colour-blind readers can tell."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from sentiment_lstm.evaluation.metrics import Metrics
from sentiment_lstm.files import write_file

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

matplotlib.rcParams["text.parse_math"] = False  # a label or a file may well be named $1.csv

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#888888"
DPI = 150
LARGEST_INCHES = 40  # of a picture's side; hundreds of classes would need more pixels than there can be


def plot_curves(history: Sequence[Mapping[str, Any]], path: Path, title: str) -> None:
    """Draw loss and accuracy of training and validation against the epoch, the kept epoch marked.

    Parameters
    ----------
    history : records as in ``history.jsonl``, at least one
    path : file to write; its ending chooses the format
    title : the run's name
    """
    epochs = [record["epoch"] for record in history]
    kept = max((record["epoch"] for record in history if record["is_best"]), default=None)
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, quantity in zip(axes, ("loss", "accuracy"), strict=True):
        for split, colour, marker in (("train", BLUE, "o"), ("validation", ORANGE, "s")):
            values = [record[f"{split}_{quantity}"] for record in history]
            axis.plot(epochs, values, color=colour, marker=marker, linewidth=2, label=split)
        if kept is not None:
            axis.axvline(kept, color=GREY, linestyle=":", label=f"kept: epoch {kept}")
        axis.set_xlabel("epoch")
        axis.set_ylabel(quantity)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    figure.suptitle(title)
    _save(figure, path)


def plot_confusion(metrics: Metrics, path: Path, title: str) -> None:
    """Draw the confusion matrix, each cell with its count and its share of the true class."""
    counts = np.array(metrics.confusion_matrix)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = min(max(4.2, 0.9 * len(counts) + 2), LARGEST_INCHES)
    figure, axis = plt.subplots(figsize=(size + 0.6, size), layout="constrained")
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{counts[row, column]:,}\n{share:.1%}"
        axis.text(column, row, text, ha="center", va="center", color="white" if share > 0.5 else "black")
    axis.set_xticks(range(len(counts)), metrics.labels, rotation=0 if len(counts) < 5 else 45)
    axis.set_yticks(range(len(counts)), metrics.labels)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    axis.set_title(f"{title}\naccuracy {metrics.accuracy:.4f}, {metrics.num_reviews:,} reviews", fontsize=10)
    figure.colorbar(image, ax=axis, label="share of the true class", fraction=0.046)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    """Write a picture whole or not at all."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a character that the font lacks is drawn as a box
        figure.savefig(content, format=path.suffix.removeprefix("."), dpi=DPI)
    plt.close(figure)
    write_file(path, content.getvalue())
