"""``sentiment-lstm data``: what is in a data set, before a model is trained on it."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from sentiment_lstm.cli.options import LabelColumn, TestData, TextColumn, ValidationData
from sentiment_lstm.config import MAX_LENGTH
from sentiment_lstm.errors import DataError
from sentiment_lstm.recipes import validate_config

if TYPE_CHECKING:
    from sentiment_lstm.data.findings import Report, Severity, SplitSummary

app = typer.Typer(help="Check a data set before training on it.", no_args_is_help=True)
logger = logging.getLogger(__name__)

SHOWN_LABELS = 12
LABEL_WIDTH = 24


@app.callback()
def _group() -> None:
    """Keep ``check`` a command of its own: typer makes an app of one command that command."""


@app.command()
def check(
    path: Annotated[str, typer.Argument(help="imdb, sample, a folder, or a CSV, TSV, JSONL, parquet file.")],
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    test_data: TestData = None,
    validation_data: ValidationData = None,
    max_length: Annotated[int, typer.Option(min=1, help="Tokens that a model would keep of a review.")] = MAX_LENGTH,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where there is an error or a warning.")] = False,
) -> None:
    """Say what is wrong with a data set.

    Labels and lengths; missing texts and labels; copies, near copies, and copies across splits; texts with several
    labels; faulty characters. An error is what train refuses, a warning spoils the model or its measurement, and a
    note may well be meant so. Texts are never printed: findings name rows (file-0 is a file's first) or bytes.
    """
    values = {
        "source": path,
        "text_column": text_column,
        "label_column": label_column,
        "test_data": test_data,
        "validation_data": validation_data,
    }
    config = validate_config({"data": values}, where="data check").data
    from sentiment_lstm.data.check import check_source

    report = check_source(config, max_length)
    for note in report.notes:
        logger.info("%s", note)
    typer.echo(json.dumps(report.to_dict(), ensure_ascii=False) if as_json else format_report(report))
    unreadable = next((finding.message for finding in report.findings if finding.kind == "unreadable"), None)
    if unreadable:
        raise DataError(unreadable)
    if strict and (found := _totals(report, ["error", "warning"])):
        raise DataError(f"{path} has {found}: mend them, or check without --strict")


def format_report(report: Report) -> str:
    """Return the report as text: reviews by label, lengths, and the findings one a line, the worst first."""
    parts = [report.source]
    if report.splits:
        parts += [_reviews_table(report.splits), _lengths_table(report.splits, report.max_length)]
    if report.findings:
        lines = [f"  {finding.severity:<7}  {finding.line}" for finding in report.findings]
        parts.append("\n".join(["findings", *lines]))
    parts.append(_totals(report, ["error", "warning", "note"]) or "nothing found")
    return "\n\n".join(parts)


def _reviews_table(splits: dict[str, SplitSummary]) -> str:
    """Rows of a split by what they hold; where there are many labels, the first of them one by one."""
    every = list(splits.values())
    labels = list(dict.fromkeys(label for split in every for label in split.labels))
    rows = [["all", *(f"{split.reviews:,}" for split in every)]]
    shown, rest = labels[:SHOWN_LABELS], labels[SHOWN_LABELS:]
    rows += [[_short(label), *(f"{split.labels.get(label, 0):,}" for split in every)] for label in shown]
    if rest:
        others = [sum(split.labels.get(label, 0) for label in rest) for split in every]
        rows.append([f"{len(rest):,} more", *(f"{count:,}" for count in others)])
    rows.append(["without a label", *(f"{split.without_label:,}" for split in every)])
    rows.append(["without a text", *(f"{split.without_text:,}" for split in every)])
    rows.append(["largest label", *(f"{split.largest_share:.1%}" for split in every)])
    return _table(["reviews", *splits], rows)


def _lengths_table(splits: dict[str, SplitSummary], max_length: int) -> str:
    """How long the texts are: so many of a hundred have no more tokens than this."""
    every = list(splits.values())
    names = list(dict.fromkeys(name for split in every for name in split.lengths))
    rows = [[name, *(f"{split.lengths.get(name, 0):,}" for split in every)] for name in names]
    rows.append([f"over {max_length:,}", *(f"{split.truncated_share:.1%}" for split in every)])
    return _table(["tokens", *splits], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Names to the left, numbers to the right."""
    lines = [head, *rows]
    first, *widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    return "\n".join(
        "  ".join(["", name.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))])
        for name, *cells in lines
    )


def _short(label: str) -> str:
    """A label as a table shows it: on one line, and not as long as a text that was taken for one."""
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in label)
    return shown if len(shown) <= LABEL_WIDTH else shown[: LABEL_WIDTH - 1] + "…"


def _totals(report: Report, severities: Sequence[Severity]) -> str:
    counts = {severity: report.count(severity) for severity in severities}
    return ", ".join(f"{count} {name}{'s' if count != 1 else ''}" for name, count in counts.items() if count)
