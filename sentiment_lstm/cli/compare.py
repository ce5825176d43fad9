"""``sentiment-lstm compare``. It reads what ``evaluate`` has written: no model, no data, no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sentiment_lstm.cli.baselines import Baselines
from sentiment_lstm.config import find_classifier
from sentiment_lstm.errors import UsageError

if TYPE_CHECKING:
    from sentiment_lstm.evaluation.comparison import Contestant

PICTURES = (".png", ".svg")


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders, or folders of seeds; two or more.")],
    baseline: Baselines = None,
    format_: Annotated[
        Literal["table", "csv", "markdown"], typer.Option("--format", help="How to print it.")
    ] = "table",
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Picture, .png or .svg: accuracy against training time.")
    ] = None,
) -> None:
    """Put evaluated runs side by side.

    Accuracy with its 95% bootstrap interval, McNemar's test against the first run, parameters, seconds of training,
    tokens a second, and the settings that differ. All must have been evaluated on the same reviews.
    """
    check_picture(output)
    from sentiment_lstm.evaluation import report
    from sentiment_lstm.evaluation.comparison import compare, load_run, setting_differences

    folders = each_run(runs)
    if len(folders) + len(baseline or []) < 2:
        raise UsageError(f"{folders[0]} alone compares with nothing: name another run, or a --baseline")
    contestants = [load_run(folder) for folder in folders]
    contestants += [_baseline(name, folders) for name in baseline or []]
    rows, differences = compare(contestants), setting_differences(contestants)
    if output is not None:
        from sentiment_lstm.evaluation.plots import plot_comparison

        data, _, split = contestants[0].about.rpartition(", ")
        plot_comparison(rows, output, f"{Path(data).name} ({split})")
    write = {
        "table": report.format_comparison,
        "csv": report.comparison_csv,
        "markdown": report.comparison_markdown,
    }[format_]
    typer.echo(write(rows, differences))


def check_picture(output: Path | None) -> None:
    """Refuse a picture of an unknown format.

    Raises
    ------
    UsageError
        Where the name does not say a known one.
    """
    if output is not None and output.suffix not in PICTURES:
        raise UsageError(f"--output {output}: a picture's name ends in {' or '.join(PICTURES)}")


def each_run(runs: list[Path]) -> list[Path]:
    """Return the runs that are named; where a folder of seeds is, those in it.

    Raises
    ------
    UsageError
        Where one is named twice, or a seed is not done.
    """
    from sentiment_lstm.cli.seeds import holds_seeds, seed_runs

    named = [find_classifier(run) for run in runs]
    folders = [folder for run in named for folder in (seed_runs(run) if holds_seeds(run) else [run])]
    twice = next((folder for place, folder in enumerate(folders) if folder in folders[:place]), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice: name each run once")
    return folders


def _baseline(name: str, folders: list[Path]) -> Contestant:
    """A baseline's answers, from the first run that was evaluated with it."""
    from sentiment_lstm.evaluation.comparison import evaluate_command, load_baseline

    for folder in folders:
        if (found := load_baseline(folder, name)) is not None:
            return found
    raise UsageError(f"no run was evaluated beside {name}: run {evaluate_command(folders[0], name)}")
