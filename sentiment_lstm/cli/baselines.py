"""``--baseline``: the option, and what it does after training. No numpy here: ``--help`` asks too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sentiment_lstm.data.reviews import Review
    from sentiment_lstm.evaluation.baselines import BaselineResult

NAMES = ("tfidf", "nb-ngrams")  # a test holds them to those of evaluation/baselines.py


def _once_each(names: list[str] | None) -> list[str]:
    for name in names or ():
        if name not in NAMES:
            raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, NAMES))}.")
    return list(dict.fromkeys(names or ()))


Baselines = Annotated[
    list[str] | None,
    typer.Option(
        "--baseline",
        metavar="|".join(NAMES),
        callback=_once_each,
        help="Compare with a classifier without a network, fitted on the same training reviews; repeatable.",
    ),
]


def score_baselines(names: Sequence[str], train: list[Review], reviews: list[Review]) -> list[BaselineResult]:
    """Fit baselines on training reviews and let them answer to others."""
    from sentiment_lstm.evaluation.baselines import BASELINES, score_baseline

    return [score_baseline(name, train, reviews) for name in BASELINES if name in names]


def validation_table(run: tuple[str, float | None, float], results: Sequence[BaselineResult], num_reviews: int) -> str:
    """Return accuracies on the validation reviews: of a run with its name and seconds, then of baselines."""
    from sentiment_lstm.evaluation.report import format_seconds, format_table

    name, accuracy, seconds = run
    rows = [
        ["", "accuracy", "seconds"],
        [name, "-" if accuracy is None else f"{accuracy:.4f}", format_seconds(seconds)],
    ]
    rows += [[own.name, f"{own.accuracy:.4f}", format_seconds(own.fit_seconds)] for own in results]
    return f"\non the {num_reviews:,} validation reviews\n{format_table(rows)}"
