"""Tables for people as plain text, and for programs as CSV and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentiment_lstm.evaluation.comparison import Row
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


COMPARISON_HEAD = ("", "accuracy", "95% interval", "difference", "McNemar p", "parameters", "seconds", "tokens/s")


def format_comparison(rows: Sequence[Row], differences: Mapping[str, Sequence[Any]]) -> str:
    """Return the report that ``compare`` prints."""
    first = rows[0].contestant
    text = [
        f"{len(first.answers.ids):,} reviews ({first.about}); difference and p are against {first.name}",
        format_table([COMPARISON_HEAD, *map(_comparison_cells, rows)]),
    ]
    if differences:
        lines = [f"  {key}: {' | '.join(map(_shown, values))}" for key, values in differences.items()]
        text.append("\n".join(["settings that differ, in this order of runs:", *lines]))
    return "\n\n".join(text)


def comparison_markdown(rows: Sequence[Row], differences: Mapping[str, Sequence[Any]]) -> str:
    """Return the comparison as a Markdown table, and a second one of the settings that differ."""
    first = rows[0].contestant
    text = [
        f"{len(first.answers.ids):,} reviews ({first.about}); difference and p are against {first.name}",
        _markdown_table([("run", *COMPARISON_HEAD[1:]), *map(_comparison_cells, rows)]),
    ]
    if differences:
        names = [row.contestant.name for row in rows if row.contestant.settings]
        settings = [[key, *map(_shown, values)] for key, values in differences.items()]
        text.append(_markdown_table([["setting", *names], *settings]))
    return "\n\n".join(text)


def comparison_csv(rows: Sequence[Row], differences: Mapping[str, Sequence[Any]]) -> str:
    """Return the comparison as CSV, a line a run, all digits, and a column for each setting that differs."""
    columns = ["run", "reviews", "accuracy", "interval_low", "interval_high", "difference", "mcnemar_p"]
    columns += ["only_first_right", "only_this_right", "parameters", "seconds", "tokens_per_second"]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*columns, *differences])
    run = 0
    for row in rows:
        own, test = row.contestant, row.test
        tested = (test.p_value, test.only_first, test.only_second) if test else ("", "", "")
        known = [own.parameters, own.seconds, own.tokens_per_second]
        settings: list[Any] = [""] * len(differences)
        if own.settings:
            settings = [_shown(values[run]) for values in differences.values()]
            run += 1
        writer.writerow(
            [own.name, len(own.answers.ids), row.accuracy, *row.interval, row.difference, *tested, *known, *settings]
        )
    return stream.getvalue().rstrip("\n")


def format_p(p_value: float) -> str:
    """Return a p-value as a table shows it."""
    return "<0.0001" if p_value < 0.0001 else f"{p_value:.4f}"


def format_seconds(seconds: float) -> str:
    """Return seconds as a table shows them: with a decimal where they are few."""
    return f"{seconds:.1f}" if seconds < 10 else f"{seconds:,.0f}"


def _comparison_cells(row: Row) -> list[str]:
    own = row.contestant
    return [
        own.name,
        f"{row.accuracy:.4f}",
        f"{row.interval[0]:.4f} to {row.interval[1]:.4f}",
        "-" if row.difference is None else f"{row.difference:+.4f}",
        "-" if row.test is None else format_p(row.test.p_value),
        "-" if own.parameters is None else f"{own.parameters:,}",
        "-" if own.seconds is None else format_seconds(own.seconds),
        "-" if own.tokens_per_second is None else f"{own.tokens_per_second:,.0f}",
    ]


def _markdown_table(rows: Sequence[Sequence[str]]) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    rule = ["---", *(["---:"] * (len(rows[0]) - 1))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (escaped[0], rule, *escaped[1:]))


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
