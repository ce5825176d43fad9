"""Tables for people, as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentiment_lstm.evaluation.metrics import Metrics


def format_table(rows: Sequence[Sequence[str]], indent: str = "  ") -> str:
    """Align the columns of a table: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def format_metrics(metrics: Metrics) -> str:
    """Return the report that ``evaluate`` prints."""
    auc = "-" if metrics.roc_auc is None else f"{metrics.roc_auc:.4f}"
    summary = [
        ["reviews", f"{metrics.num_reviews:,}"],
        ["accuracy", f"{metrics.accuracy:.4f}"],
        ["loss", f"{metrics.loss:.4f}"],
        ["macro F1", f"{metrics.macro_f1:.4f}"],
        ["ROC-AUC", auc],
    ]
    classes = [["class", "precision", "recall", "F1", "reviews"]]
    for name, own in metrics.per_class.items():
        classes.append([name, f"{own.precision:.4f}", f"{own.recall:.4f}", f"{own.f1:.4f}", f"{own.support:,}"])
    confusion = [["true \\ predicted", *metrics.labels]]
    for name, row in zip(metrics.labels, metrics.confusion_matrix, strict=True):
        confusion.append([name, *(f"{count:,}" for count in row)])
    return "\n\n".join(format_table(table) for table in (summary, classes, confusion))
