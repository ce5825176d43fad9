"""Pictures, drawn without a screen. Colours are from Okabe and Ito's palette, which colour-blind readers can tell."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np

from sentiment_lstm.files import write_file

if TYPE_CHECKING:  # they import torch, which compare does without
    from sentiment_lstm.evaluation.comparison import Row
    from sentiment_lstm.evaluation.metrics import Metrics

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

matplotlib.rcParams["text.parse_math"] = False  # a label or a file may well be named $1.csv

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#888888"
COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^DvP*X"  # told apart without colour too
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
            if None not in values:  # pretraining measures no accuracy while it trains
                axis.plot(epochs, values, color=colour, marker=marker, linewidth=2, label=split)
        if kept is not None:
            axis.axvline(kept, color=GREY, linestyle=":", label=f"kept: epoch {kept}")
        axis.set_xlabel("epoch")
        axis.set_ylabel(quantity)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    figure.suptitle(title)
    save(figure, path)


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
    save(figure, path)


def plot_comparison(rows: Sequence[Row], path: Path, title: str) -> None:
    """Draw the accuracy of runs and baselines, with its 95% interval, against the minutes of training.

    Those whose seconds are not known are left out. Minutes are drawn on a logarithmic axis where the longest are more
    than eight times the shortest.

    Parameters
    ----------
    rows : as :func:`sentiment_lstm.evaluation.comparison.compare` returns them
    path : file to write; its ending chooses the format
    title : the data and the split
    """
    figure, axis = plt.subplots(figsize=(9, max(5, 0.35 * len(rows))), layout="constrained")
    shown = [row for row in rows if row.contestant.seconds]
    for place, row in enumerate(shown):
        below, above = row.accuracy - row.interval[0], row.interval[1] - row.accuracy
        axis.errorbar(
            (row.contestant.seconds or 0) / 60,
            row.accuracy,
            yerr=[[below], [above]],
            color=COLOURS[place % len(COLOURS)],
            marker=MARKERS[place % len(MARKERS)],
            markersize=10,
            capsize=6,
            linewidth=2,
            linestyle="none",
            label=f"{short(row.contestant.name)}  {row.accuracy:.4f}",
        )
    minutes = [(row.contestant.seconds or 0) / 60 for row in shown]
    if minutes and max(minutes) > 8 * min(minutes):
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_minor_formatter(NullFormatter())
    else:
        axis.set_xlim(left=0, right=1.1 * max(minutes, default=1))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_xlabel("minutes of training", fontsize=14)
    axis.set_ylabel("accuracy, 95% interval", fontsize=14)
    axis.tick_params(labelsize=13)
    axis.grid(alpha=0.3)
    axis.set_title(title, fontsize=14)
    if shown:
        figure.legend(loc="outside right upper", fontsize=13, frameon=False)
    save(figure, path)


def short(name: str) -> str:
    """The end of a path, which tells runs apart; its start is mostly shared."""
    return name if len(name) <= 30 else f"…{name[-29:]}"


def save(figure: Figure, path: Path) -> None:
    """Write a picture whole or not at all."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a character that the font lacks is drawn as a box
        figure.savefig(content, format=path.suffix.removeprefix("."), dpi=DPI)
    plt.close(figure)
    write_file(path, content.getvalue())
