"""``sentiment-lstm evaluate``."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sentiment_lstm.cli.baselines import Baselines, score_baselines
from sentiment_lstm.cli.runs import Device, resolve_run
from sentiment_lstm.cli.starting import check_folder, quieten
from sentiment_lstm.config import DataConfig, answers_folder
from sentiment_lstm.errors import ArchiveError, UsageError
from sentiment_lstm.recipes import validate_config

if TYPE_CHECKING:
    from sentiment_lstm.data.reviews import Review
    from sentiment_lstm.evaluation.baselines import BaselineResult
    from sentiment_lstm.evaluation.behaviour import Behaviour, Pair
    from sentiment_lstm.evaluation.evaluator import Evaluation
    from sentiment_lstm.evaluation.statistics import McNemar
    from sentiment_lstm.inference.archive import Archive

logger = logging.getLogger(__name__)


def evaluate(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN",
            help="Run folder, or folder of seeds; default: the newest under runs/. Several: the mean of their logits.",
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Other data: a folder, a file, imdb or sample; default: the run's own.")
    ] = None,
    split: Annotated[Literal["train", "validation", "test"], typer.Option(help="Which split.")] = "test",
    text_column: Annotated[str | None, typer.Option(help="Column with the text, for --data.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column with the label, for --data.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="A stratified sample of so many reviews.")] = None,
    baseline: Baselines = None,
    pairs: Annotated[
        Path | None, typer.Option(help="Folder of other minimal pairs: sentences.jsonl and twins.jsonl.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for the files; default: the run's evaluation folder; of several runs: none."),
    ] = None,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no notes.")] = False,
) -> None:
    """Measure a run, or several that answer together, on labelled reviews.

    Loss, accuracy, precision, recall, F1, ROC-AUC and the confusion matrix, exact over all reviews. Writes
    metrics.json, predictions.jsonl and confusion.png into the run's evaluation folder, and what baselines answered;
    of several runs only where --output says, of the one that comes with the program under runs/shipped.
    """
    quieten(quiet)
    from sentiment_lstm.cli.seeds import holds_seeds, seed_runs

    named = [resolve_run(run) for run in runs] if runs else [resolve_run(None)]
    folders = [own for folder in named for own in (seed_runs(folder) if holds_seeds(folder) else [folder])]
    seeds_alone = len(named) == 1 and holds_seeds(named[0])
    other = None
    if data is not None:
        values = {"source": data, "text_column": text_column, "label_column": label_column}
        other = validate_config({"data": values}, where="--data").with_absolute_paths().data
    elif text_column or label_column:
        raise UsageError("--text-column and --label-column go with --data")
    if output is not None:
        if seeds_alone:
            raise UsageError("--output is for one evaluation: leave it out with a folder of seeds")
        _check_output(output)
    question = Question(other, split, limit, baseline or [], device, quiet, output, pairs)
    if seeds_alone:
        _report_seeds(named[0], [question.put_to([own]) for own in folders], as_json)
    else:
        measured = question.put_to(folders)
        typer.echo(measured.as_json() if as_json else measured.as_text())


def _check_output(folder: Path) -> None:
    """Refuse a folder where the files would be taken for a run's own.

    Raises
    ------
    UsageError
        Where it is a run folder or in one, or cannot be written.
    """
    if any((path / "config.yaml").is_file() for path in (folder, folder.absolute().parent)):
        raise UsageError(f"{folder} is a run folder, or in one: choose another --output")
    check_folder(folder)


@dataclass
class Question:
    """What is asked of each run: which reviews, which baselines, how."""

    data: DataConfig | None
    split: str
    limit: int | None
    baselines: list[str]
    device: str
    quiet: bool
    output: Path | None = None
    pairs: Path | None = None
    _fitted: dict[tuple[str, str], list[BaselineResult]] = field(default_factory=dict)

    def put_to(self, folders: Sequence[Path]) -> Measured:
        """Evaluate runs that answer together, and baselines beside them, and write the answers where they belong."""
        from tqdm import tqdm

        from sentiment_lstm.data.splits import stratified_sample
        from sentiment_lstm.evaluation import evaluator
        from sentiment_lstm.evaluation.behaviour import measure_behaviour
        from sentiment_lstm.inference.archive import load_archive
        from sentiment_lstm.inference.ensemble import Ensemble
        from sentiment_lstm.training.runtime import build_runtime

        archives = [load_archive(folder) for folder in folders]
        archive = archives[0]
        answers = self._folder_for(folders)
        runtime = build_runtime(self.device, "fp32")
        ensemble = Ensemble(archives, runtime)
        pair_sets = self._load_pairs(ensemble.labels)
        if self.data is None:
            _warn_of_other_splits(archives)
        splits = evaluator.load_own_splits(archive) if self.baselines else None
        reviews = evaluator.load_reviews(archive, self.data, self.split, splits)
        if self.limit is not None:
            reviews = stratified_sample(reviews, self.limit, archive.config.data.split_seed)
        silent = self.quiet or not sys.stderr.isatty()
        with tqdm(total=len(reviews) * len(archives), unit=" reviews", disable=silent, leave=False) as bar:
            evaluation = evaluator.evaluate_together(archives, reviews, runtime, bar.update)
        source = self.data.source if self.data else archive.config.data.source
        report = evaluator.evaluation_report(evaluation, source, self.split, folders)
        if answers is not None:
            evaluator.save_evaluation(evaluation, answers, source, self.split, folders)
        results = self._score_baselines(splits["train"], reviews) if splits else []
        for result in results:
            if answers is not None:
                evaluator.save_baseline(result, reviews, answers)
        behaviours = measure_behaviour(ensemble, pair_sets=pair_sets)
        return Measured(list(folders), source, self.split, evaluation, report, results, behaviours, self.pairs)

    def _load_pairs(self, labels: Sequence[str]) -> dict[str, list[Pair]] | None:
        """Read the pairs of ``--pairs``, before any review is; ``None`` for the shipped ones."""
        from sentiment_lstm.evaluation.behaviour import load_pair_sets, poles_of

        if self.pairs is None:
            return None
        if poles_of(labels) is None:
            raise UsageError(f"--pairs is for a model of positive and negative; this one's labels: {', '.join(labels)}")
        return load_pair_sets(self.pairs)

    def _folder_for(self, folders: Sequence[Path]) -> Path | None:
        """Where the answers are written: where one is told to, or to a single run's own folder."""
        if self.output is not None:
            return self.output
        if len(folders) > 1:
            return None
        own = answers_folder(folders[0])
        if own.is_symlink():  # a run from elsewhere must not make the program write elsewhere
            raise ArchiveError(f"{own} leads out of the run folder: remove that link")
        return own

    def _score_baselines(self, train: list[Review], reviews: list[Review]) -> list[BaselineResult]:
        """Fit baselines on a run's training reviews, once for all runs that share them."""
        from sentiment_lstm.evaluation.evaluator import reviews_sha256

        key = (reviews_sha256(train), reviews_sha256(reviews))
        if key not in self._fitted:
            self._fitted[key] = score_baselines(self.baselines, train, reviews)
        return self._fitted[key]


def _warn_of_other_splits(archives: Sequence[Archive]) -> None:
    """Say where the reviews of the first run's split may have taught another run."""
    first = archives[0]
    for other in archives[1:]:
        if other.meta.get("data_fingerprint") != first.meta.get("data_fingerprint"):
            logger.warning(
                "%s was trained on other reviews than %s, whose split is used: it may have seen what it is measured on",
                other.folder, first.folder,
            )  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """What a run, or several together, and baselines beside them answered."""

    folders: list[Path]
    source: str
    split: str
    evaluation: Evaluation
    report: dict[str, Any]
    baselines: list[BaselineResult]
    behaviours: dict[str, Behaviour] | None
    pairs: Path | None = None

    @property
    def name(self) -> str:
        """The runs as they are called."""
        return " + ".join(map(str, self.folders))

    def as_dict(self) -> dict[str, Any]:
        """Return one object for programs."""
        together = {"runs": list(map(str, self.folders))} if len(self.folders) > 1 else {}
        answer: dict[str, Any] = {"run": self.name, **together, **self.report}
        if self.behaviours:
            answer["minimal_pairs"] = {name: own.to_dict() for name, own in self.behaviours.items()}
        if self.pairs is not None:
            answer["minimal_pairs_folder"] = str(self.pairs)
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

        text = f"{self.name} on {self.source} ({self.split})\n\n{format_metrics(self.evaluation.metrics)}"
        if self.behaviours:
            origin = "" if self.pairs is None else f"pairs of {self.pairs}\n\n"
            text += f"\n\n{origin}{format_behaviour(self.behaviours)}"
        if not self.baselines:
            return text
        rows = [["on the same reviews", "accuracy", "McNemar p", "fitted in"]]
        network = "this network" if len(self.folders) == 1 else "these networks together"
        rows.append([network, f"{self.evaluation.metrics.accuracy:.4f}", "-", "-"])
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
    sets = list(first.behaviours or {}) if first.pairs is not None else []
    rows = [["", "accuracy", "loss", "macro F1", *(f"{name} both right" for name in sets)]]
    for own in measured:
        metrics = own.evaluation.metrics
        rows.append([own.folders[0].name, f"{metrics.accuracy:.4f}", f"{metrics.loss:.4f}", f"{metrics.macro_f1:.4f}"])
        rows[-1] += [f"{own.behaviours[name].overall.pair_accuracy:.4f}" for name in sets if own.behaviours]
    rows += [[result.name, f"{result.accuracy:.4f}", "-", "-", *("-" for _ in sets)] for result in first.baselines]
    typer.echo(f"{folder} on {first.source} ({first.split}), {first.evaluation.metrics.num_reviews:,} reviews")
    typer.echo(f"\n{format_table(rows)}\n\n{len(measured)} seeds: {spread('accuracy', mean, deviation)}")
