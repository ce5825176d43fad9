"""``sentiment-lstm evaluate``."""

from __future__ import annotations

import json
import logging
import sys
from typing import Annotated, Literal

import typer

from sentiment_lstm.cli.runs import Device, resolve_run
from sentiment_lstm.config import validate_config
from sentiment_lstm.errors import ArchiveError, UsageError


def evaluate(
    run: Annotated[str | None, typer.Argument(help="Run folder; default: the newest under runs/.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Other data: a folder, a file, imdb or sample; default: the run's own.")
    ] = None,
    split: Annotated[Literal["train", "validation", "test"], typer.Option(help="Which split.")] = "test",
    text_column: Annotated[str | None, typer.Option(help="Column with the text, for --data.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column with the label, for --data.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="A stratified sample of so many reviews.")] = None,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no notes.")] = False,
) -> None:
    """Measure a run on labelled reviews.

    Loss, accuracy, precision, recall, F1, ROC-AUC and the confusion matrix, exact over all reviews. Writes
    metrics.json, predictions.jsonl and confusion.png into the run's evaluation folder.
    """
    if quiet:
        logging.getLogger().setLevel(logging.ERROR)
    folder = resolve_run(run)
    from tqdm import tqdm

    from sentiment_lstm.data.splits import stratified_sample
    from sentiment_lstm.evaluation import evaluator
    from sentiment_lstm.evaluation.report import format_metrics
    from sentiment_lstm.inference.archive import load_archive
    from sentiment_lstm.training.runtime import build_runtime

    archive = load_archive(folder)
    if (folder / "evaluation").is_symlink():  # a run from elsewhere must not make the program write elsewhere
        raise ArchiveError(f"{folder / 'evaluation'} leads out of the run folder: remove that link")
    other = None
    if data is not None:
        values = {"source": data, "text_column": text_column, "label_column": label_column}
        other = validate_config({"data": values}, where="--data").with_absolute_paths().data
    elif text_column or label_column:
        raise UsageError("--text-column and --label-column go with --data")
    reviews = evaluator.load_reviews(archive, other, split)
    if limit is not None:
        reviews = stratified_sample(reviews, limit, archive.config.data.split_seed)
    runtime = build_runtime(device, "fp32")
    with tqdm(total=len(reviews), unit=" reviews", disable=quiet or not sys.stderr.isatty(), leave=False) as bar:
        evaluation = evaluator.evaluate(archive, reviews, runtime, bar.update)
    source = other.source if other else archive.config.data.source
    evaluator.save_evaluation(evaluation, folder / "evaluation", source, split)
    if as_json:
        answer = {"run": str(folder), "data": source, "split": split, **evaluation.metrics.to_dict()}
        typer.echo(json.dumps(answer, ensure_ascii=False))
    else:
        typer.echo(f"{folder} on {source} ({split})\n\n{format_metrics(evaluation.metrics)}")
