"""``sentiment-lstm train``."""

from __future__ import annotations

import logging
import os
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sentiment_lstm.cli.runs import RUNS_FOLDER
from sentiment_lstm.config import Config, find_recipe, load_config
from sentiment_lstm.errors import UsageError

if TYPE_CHECKING:
    from sentiment_lstm.experiment import Experiment

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def train(
    config: Annotated[str, typer.Option(help="Recipe by name (see config list), or a YAML file.")] = "imdb",
    data: Annotated[
        str | None, typer.Option(help="imdb, sample, a folder, or a CSV, TSV, JSONL, parquet file.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Column with the text; default: guessed.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column with the label; default: guessed.")] = None,
    validation_data: Annotated[str | None, typer.Option(help="File with the validation reviews.")] = None,
    test_data: Annotated[str | None, typer.Option(help="File with the test reviews.")] = None,
    limit: Annotated[int | None, typer.Option(help="A stratified sample of so many reviews a split.")] = None,
    vectors: Annotated[str | None, typer.Option(help="Word vectors to start from (GloVe, word2vec, fastText).")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training reviews.")] = None,
    seed: Annotated[int | None, typer.Option(help="Weights, dropout and batch order follow from it.")] = None,
    max_time: Annotated[str | None, typer.Option(help="Stop after, for example, 90s, 10m or 1h30m.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one setting; repeatable.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Run folder; default: runs/<config>-<date>-<time>.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that is in --output.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop before the first step, write nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Train a classifier in a run folder.

    The best epoch, by accuracy on the validation reviews, is what is kept.
    """
    changes = {
        "data.source": data,
        "data.text_column": text_column,
        "data.label_column": label_column,
        "data.validation_data": validation_data,
        "data.test_data": test_data,
        "data.limit": limit,
        "model.vectors": vectors,
        "training.epochs": epochs,
        "training.seed": seed,
        "training.max_seconds": None if max_time is None else parse_duration(max_time),
    }
    changes = {key: value for key, value in changes.items() if value is not None}
    resolved = load_config(config, settings or [], changes).with_absolute_paths()
    if quiet:
        logging.getLogger().setLevel(logging.ERROR)
    name = find_recipe(config).stem
    folder = output or _new_folder(name)
    run_training(resolved, folder, force=force, dry_run=dry_run, quiet=quiet)


def run_training(config: Config, folder: Path, *, force: bool, dry_run: bool, quiet: bool) -> None:
    """Prepare, show the table, train, and say what to do next."""
    if not dry_run:
        check_folder(folder, force)
    from sentiment_lstm import experiment as experiments
    from sentiment_lstm.cli.progress import QuietReporter, TerminalReporter

    experiment = experiments.prepare_experiment(config)
    reporter = QuietReporter() if quiet else TerminalReporter()
    if dry_run:
        reporter.on_start(experiment)
        return
    experiments.claim_folder(folder, force)
    result = experiments.train(experiment, folder, reporter)
    if quiet:
        return
    if result.best is not None:
        typer.echo(
            f"{result.stop_reason}; kept epoch {result.best.epoch}: "
            f"validation accuracy {result.best.validation_accuracy:.4f}, {result.seconds:.0f} s\n{folder}"
        )
    if config.data.source == "sample":
        typer.echo(_first_lesson(experiment, folder))
    typer.echo(f"next: sentiment-lstm evaluate {folder}", err=True)


def check_folder(folder: Path, force: bool) -> None:
    """Refuse a folder in use, or one that cannot be made, before minutes are spent on reading data.

    Raises
    ------
    UsageError
        Where it is not empty and ``force`` is not given, or it or a parent of it is no folder, or not writable.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise UsageError(f"{nearest} is a file: choose another --output")
    if not os.access(nearest, os.W_OK):
        raise UsageError(f"{nearest} is not writable: choose another --output")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder} is not empty: choose another --output, or add --force to replace the run")


def parse_duration(text: str) -> float:
    """Return the seconds of ``90s``, ``10m``, ``1h30m`` or a plain number of seconds.

    Raises
    ------
    UsageError
        Where it is none of these, or zero.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0.0, 0.0, 0.0)
    total = hours * 3600 + minutes * 60 + seconds
    if total <= 0:
        raise UsageError(f"--max-time {text!r} is not a duration such as 90s, 10m or 1h30m")
    return total


def _new_folder(name: str) -> Path:
    """A folder under runs/ that does not exist yet."""
    base = RUNS_FOLDER / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    folder, number = base, 2
    while folder.exists():
        folder, number = base.with_name(f"{base.name}-{number}"), number + 1
    return folder


def _first_lesson(experiment: Experiment, folder: Path) -> str:
    """The sample corpus is built so that counting words fails: show both, on its test split."""
    from sentiment_lstm.evaluation.baseline import tfidf_accuracy
    from sentiment_lstm.evaluation.evaluator import evaluate, save_evaluation
    from sentiment_lstm.inference.archive import load_archive

    test = experiment.splits["test"]
    evaluation = evaluate(load_archive(folder), test, experiment.runtime)
    save_evaluation(evaluation, folder / "evaluation", "sample", "test")
    bag_of_words = tfidf_accuracy(experiment.splits["train"], test)
    return (
        "\nThe first lesson, on the test split of the sample corpus:\n"
        f"  a bag of words (TF-IDF + logistic regression)   {bag_of_words:.3f}\n"
        f"  this network, which reads the words in order    {evaluation.metrics.accuracy:.3f}\n"
    )
