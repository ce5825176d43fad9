"""Draw accuracy on IMDB's test reviews against minutes of training, from docs/recipes.csv.

    .venv/bin/python scripts/plot_recipes.py docs/images/recipes.png

A published result whose time is not known is a dashed line. "below" in the last column moves a name out of its
neighbour's way.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

TABLE = Path(__file__).resolve().parent.parent / "docs" / "recipes.csv"
# Okabe and Ito's palette: told apart by people who do not see red or green, and by shape besides.
STYLES = {"recipe": ("o", "#0072B2"), "baseline": ("s", "#E69F00"), "published": ("D", "#7F7F7F")}
LABELS = {"recipe": "recipes here, one or two cores", "baseline": "baselines here", "published": "published"}


def main() -> None:
    rows = list(csv.DictReader(TABLE.open(encoding="utf-8", newline="")))
    figure, axes = plt.subplots(figsize=(8.5, 5.2), layout="constrained")
    for kind, (marker, colour) in STYLES.items():
        own = [row for row in rows if row["kind"] == kind and row["minutes"]]
        minutes, accuracy = ([float(row[name]) for row in own] for name in ("minutes", "accuracy"))
        axes.scatter(minutes, accuracy, marker=marker, color=colour, s=48, label=LABELS[kind], zorder=3)
        for row, x, y in zip(own, minutes, accuracy, strict=True):
            right, height = x < 1000, -14 if row["label"] == "below" else 4
            axes.annotate(
                row["name"], (x, y), xytext=(7 if right else -7, height), textcoords="offset points", fontsize=9,
                ha="left" if right else "right", color="#222222",
            )  # fmt: skip
    for row in rows:
        if not row["minutes"]:
            accuracy = float(row["accuracy"])
            axes.axhline(accuracy, color=STYLES["published"][1], linewidth=0.9, linestyle="--", zorder=1)
            axes.annotate(
                f"{row['name']} ({row['source']})", (1, accuracy), xycoords=("axes fraction", "data"),
                xytext=(-4, 2), textcoords="offset points", fontsize=8, ha="right", color="#555555",
            )  # fmt: skip
    axes.set(xscale="log", xlabel="minutes of training (logarithmic)", ylabel="accuracy on IMDB's 25,000 test reviews")
    axes.set_xlim(0.1, 5000)
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right", frameon=True)
    axes.set_title("What training time buys on IMDB, with its 100,000 reviews and nothing else")
    figure.savefig(sys.argv[1], dpi=130)


if __name__ == "__main__":
    main()
