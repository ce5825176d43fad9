"""``sentiment-lstm evaluate``."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sentiment_lstm.cli.baselines import Baselines, score_baselines
from sentiment_lstm.cli.runs import Device, resolve_run
from sentiment_lstm.config import DataConfig, validate_config
from sentiment_lstm.errors import ArchiveError, UsageError

if TYPE_CHECKING:
    from sentiment_lstm.data.reviews import Review
    from sentiment_lstm.evaluation.baselines import BaselineResult
    from sentiment_lstm.evaluation.behaviour import Behaviour
    from sentiment_lstm.evaluation.evaluator import Evaluation
    from sentiment_lstm.evaluation.statistics import McNemar


def evaluate(
    run: Annotated[
        str | None, typer.Argument(help="Run folder, or folder of seeds; default: the newest run under runs/.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Other data: a folder, a file, imdb or sample; default: the run's own.")
    ] = None,
    split: Annotated[Literal["train", "validation", "test"], typer.Option(help="Which split.")] = "test",
    text_column: Annotated[str | None, typer.Option(help="Column with the text, for --data.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column with the label, for --data.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="A stratified sample of so many reviews.")] = None,
    baseline: Baselines = None,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no notes.")] = False,
) -> None:
    """Measure a run on labelled reviews.

    Loss, accuracy, precision, recall, F1, ROC-AUC and the confusion matrix, exact over all reviews. Writes
    metrics.json, predictions.jsonl and confusion.png into the run's evaluation folder, and what baselines answered.
    """
    if quiet:
        logging.getLogger().setLevel(logging.ERROR)
    from sentiment_lstm.cli.seeds import holds_seeds, seed_runs

    folder = resolve_run(run)
    other = None
    several = holds_seeds(folder)
    folders = seed_runs(folder) if several else [folder]
    if data is not None:
        values = {"source": data, "text_column": text_column, "label_column": label_column}
        other = validate_config({"data": values}, where="--data").with_absolute_paths().data
    elif text_column or label_column:
        raise UsageError("--text-column and --label-column go with --data")
    question = Question(other, split, limit, baseline or [], device, quiet)
    measured = [question.put_to(own) for own in folders]
    if several:
        _report_seeds(folder, measured, as_json)
    else:
        typer.echo(measured[0].as_json() if as_json else measured[0].as_text())


@dataclass
class Question:
    """What is asked of each run: which reviews, which baselines, how."""

    data: DataConfig | None
    split: str
    limit: int | None
    baselines: list[str]
    device: str
    quiet: bool
    _fitted: dict[tuple[str, str], list[BaselineResult]] = field(default_factory=dict)

    def put_to(self, folder: Path) -> Measured:
        """Evaluate a run, and baselines beside it, and write the answers into its folder."""
        from tqdm import tqdm

        from sentiment_lstm.data.splits import stratified_sample
        from sentiment_lstm.evaluation import evaluator
        from sentiment_lstm.evaluation.behaviour import measure_behaviour
        from sentiment_lstm.inference.archive import load_archive
        from sentiment_lstm.inference.predictor import Predictor
        from sentiment_lstm.training.runtime import build_runtime

        archive = load_archive(folder)
        if (folder / "evaluation").is_symlink():  # a run from elsewhere must not make the program write elsewhere
            raise ArchiveError(f"{folder / 'evaluation'} leads out of the run folder: remove that link")
        splits = evaluator.load_own_splits(archive) if self.baselines else None
        reviews = evaluator.load_reviews(archive, self.data, self.split, splits)
        if self.limit is not None:
            reviews = stratified_sample(reviews, self.limit, archive.config.data.split_seed)
        runtime = build_runtime(self.device, "fp32")
        silent = self.quiet or not sys.stderr.isatty()
        with tqdm(total=len(reviews), unit=" reviews", disable=silent, leave=False) as bar:
            evaluation = evaluator.evaluate(archive, reviews, runtime, bar.update)
        source = self.data.source if self.data else archive.config.data.source
        report = evaluator.save_evaluation(evaluation, folder / "evaluation", source, self.split)
        results = self._score_baselines(splits["train"], reviews) if splits else []
        for result in results:
            evaluator.save_baseline(result, reviews, folder / "evaluation")
        behaviours = measure_behaviour(Predictor(archive, runtime))
        return Measured(folder, source, self.split, evaluation, report, results, behaviours)

    def _score_baselines(self, train: list[Review], reviews: list[Review]) -> list[BaselineResult]:
        """Fit baselines on a run's training reviews, once for all runs that share them."""
        from sentiment_lstm.evaluation.evaluator import reviews_sha256

        key = (reviews_sha256(train), reviews_sha256(reviews))
        if key not in self._fitted:
            self._fitted[key] = score_baselines(self.baselines, train, reviews)
        return self._fitted[key]


@dataclass(frozen=True)
class Measured:
    """What a run, and baselines beside it, answered."""

    folder: Path
    source: str
    split: str
    evaluation: Evaluation
    report: dict[str, Any]
    baselines: list[BaselineResult]
    behaviours: dict[str, Behaviour] | None

    def as_dict(self) -> dict[str, Any]:
        """Return one object for programs."""
        answer: dict[str, Any] = {"run": str(self.folder), **self.report}
        if self.behaviours:
            answer["minimal_pairs"] = {name: own.to_dict() for name, own in self.behaviours.items()}
        if self.baselines:
            from sentiment_lstm.evaluation.evaluator import baseline_facts

            answer["baselines"] = {
                result.name: {**baseline_facts(result), "mcnemar_p": self._test(result).p_value}
                for result in self.baselines
            }
        return answer

    def as_json(self) -> str:
        """Return the object as a line."""
        return json.dumps(self.as_dict(), ensure_ascii=False)

    def as_text(self) -> str:
        """Return the tables for people."""
        from sentiment_lstm.evaluation.behaviour import format_behaviour
        from sentiment_lstm.evaluation.report import format_metrics, format_p, format_seconds, format_table

        text = f"{self.folder} on {self.source} ({self.split})\n\n{format_metrics(self.evaluation.metrics)}"
        if self.behaviours:
            text += f"\n\n{format_behaviour(self.behaviours)}"
        if not self.baselines:
            return text
        rows = [["on the same reviews", "accuracy", "McNemar p", "fitted in"]]
        rows.append(["this network", f"{self.evaluation.metrics.accuracy:.4f}", "-", "-"])
        for result in self.baselines:
            p_value = format_p(self._test(result).p_value)
            rows.append([result.name, f"{result.accuracy:.4f}", p_value, f"{format_seconds(result.fit_seconds)} s"])
        return f"{text}\n\n{format_table(rows)}"

    def _test(self, result: BaselineResult) -> McNemar:
        """McNemar's test of the run against a baseline."""
        import numpy as np

        from sentiment_lstm.evaluation.statistics import mcnemar

        labels = [review.label for review in self.evaluation.split.reviews]
        network = self.evaluation.logits.argmax(1).numpy() == self.evaluation.split.labels
        return mcnemar(network, np.array(result.predicted) == np.array(labels))


def _report_seeds(folder: Path, measured: list[Measured], as_json: bool) -> None:
    """Tell what runs that differ in their seed alone reach together."""
    from sentiment_lstm.cli.seeds import spread
    from sentiment_lstm.evaluation.report import format_table
    from sentiment_lstm.evaluation.statistics import mean_and_deviation
    from sentiment_lstm.files import write_json

    first = measured[0]
    mean, deviation = mean_and_deviation([own.evaluation.metrics.accuracy for own in measured])
    summary = {
        "run": str(folder),
        "data": first.source,
        "split": first.split,
        "accuracy": {"mean": mean, "standard_deviation": deviation},
        "runs": [own.as_dict() for own in measured],
    }
    write_json(folder / "evaluation.json", {name: value for name, value in summary.items() if name != "run"})
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    rows = [["", "accuracy", "loss", "macro F1"]]
    for own in measured:
        metrics = own.evaluation.metrics
        rows.append([own.folder.name, f"{metrics.accuracy:.4f}", f"{metrics.loss:.4f}", f"{metrics.macro_f1:.4f}"])
    rows += [[result.name, f"{result.accuracy:.4f}", "-", "-"] for result in first.baselines]
    typer.echo(f"{folder} on {first.source} ({first.split}), {first.evaluation.metrics.num_reviews:,} reviews")
    typer.echo(f"\n{format_table(rows)}\n\n{len(measured)} seeds: {spread('accuracy', mean, deviation)}")
