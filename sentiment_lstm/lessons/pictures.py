"""How the lessons' pictures look: Okabe and Ito's colours, which colour-blind readers can tell, and large letters."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from sentiment_lstm.errors import UsageError
from sentiment_lstm.files import write_file

matplotlib.rcParams["text.parse_math"] = False  # a word of the user's may well be $1

BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#888888"
COLOURS = (BLUE, ORANGE, GREEN, PINK, "#E69F00", "#56B4E9")
DIVERGING = "PuOr"  # orange to purple through white: the signs can be told without red and green
FORMATS = (".png", ".svg")
DPI = 150


def new_figure(columns: int = 1, rows: int = 1, width: float = 5.5, height: float = 4.2) -> tuple[Figure, Any]:
    """Return a figure and its axes (one, or an array), each of so many inches, readable at half size."""
    with plt.rc_context({"font.size": 12, "axes.titlesize": 13}):
        return plt.subplots(rows, columns, figsize=(width * columns, height * rows), layout="constrained")


def logarithmic(axis: Axes) -> None:
    """Give an axis a logarithmic height whose powers of ten are written plainly, as 1e-05."""
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}" if value < 1e-3 else f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.grid(alpha=0.3, color=GREY)


def check_format(path: Path) -> None:
    """Refuse a file whose ending is neither .png nor .svg.

    Raises
    ------
    UsageError
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: a picture's name ends in .png or .svg")


def save(figure: Figure, path: Path) -> None:
    """Write a picture whole or not at all, and forget the figure."""
    picture, kind = io.BytesIO(), path.suffix.lower()[1:]
    metadata = {"Date": None} if kind == "svg" else {}  # the same numbers, the same file
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a word in a script that the font lacks: a box
        figure.savefig(picture, format=kind, dpi=DPI, metadata=metadata)
    plt.close(figure)
    write_file(path, picture.getvalue())
