"""``sentiment-lstm train``."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sentiment_lstm.cli.baselines import Baselines, score_baselines, validation_table
from sentiment_lstm.cli.runs import RUNS_FOLDER, new_folder, program_name
from sentiment_lstm.config import Config, find_recipe, load_config
from sentiment_lstm.errors import RunFailure, TrainingError, UsageError
from sentiment_lstm.files import is_free, locked, write_json
from sentiment_lstm.launch import this_launch

if TYPE_CHECKING:
    from sentiment_lstm.experiment import Experiment
    from sentiment_lstm.session import Result

logger = logging.getLogger(__name__)

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def train(
    run: Annotated[Path | None, typer.Argument(help="With --resume: the run; default: the newest under runs/.")] = None,
    config: Annotated[
        str | None, typer.Option(help="Recipe by name (see config list), or a YAML file; default: imdb.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="imdb, sample, a folder, or a CSV, TSV, JSONL, parquet file.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Column with the text; default: guessed.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column with the label; default: guessed.")] = None,
    validation_data: Annotated[str | None, typer.Option(help="File with the validation reviews.")] = None,
    test_data: Annotated[str | None, typer.Option(help="File with the test reviews.")] = None,
    limit: Annotated[int | None, typer.Option(help="A stratified sample of so many reviews a split.")] = None,
    vectors: Annotated[str | None, typer.Option(help="Word vectors to start from (GloVe, word2vec, fastText).")] = None,
    init: Annotated[
        list[str] | None,
        typer.Option(help="Run to start from, a language model's or a classifier's; shipped; none; twice: both ways."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training reviews.")] = None,
    seed: Annotated[int | None, typer.Option(help="Weights, dropout and batch order follow from it.")] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Train N runs, with --seed and the seeds after it: mean and deviation."),
    ] = None,
    baseline: Baselines = None,
    max_time: Annotated[str | None, typer.Option(help="Stop after, for example, 90s, 10m or 1h30m.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one setting; repeatable.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Run folder; default: runs/<config>-<date>-<time>.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that is in --output.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with RUN from its newest checkpoint.")] = False,
    auto_batch: Annotated[
        bool, typer.Option("--auto-batch", help="Out of memory: go on with batches in halves.")
    ] = False,
    overfit_batch: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Learn N reviews by heart, to prove the wiring; keeps nothing."),
    ] = None,
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
        **(sizes_of(init) if init else {}),
        "training.epochs": epochs,
        "training.min_steps": None if epochs is None else 0,
        "training.seed": seed,
        "training.max_seconds": None if max_time is None else parse_duration(max_time),
    }
    changes = {key: value for key, value in changes.items() if value is not None}
    if auto_batch:
        changes["training.auto_batch"] = True
    if quiet:
        logging.getLogger().setLevel(logging.ERROR)
    if resume:
        if output is not None or force or dry_run or overfit_batch is not None:
            raise UsageError("--resume goes on in the run's own folder: leave out --output, --force, --dry-run and "
                             "--overfit-batch")  # fmt: skip
        folder = resolve_resumable(run)
        recipe = folder / ("config.yaml" if (folder / "config.yaml").is_file() else "recipe.yaml")
        if recipe.name == "config.yaml" and seeds is not None:
            raise UsageError(f"{folder} is one run: --seeds N --resume goes on with a folder that --seeds has made")
        if recipe.name == "recipe.yaml" and seed is not None:
            raise UsageError(f"{folder} has seeds of its own: leave out --seed")
        resolved = load_config(config or str(recipe), settings or [], changes).with_absolute_paths()
        check_processes(resolved)
        if recipe.name == "recipe.yaml":
            from sentiment_lstm.cli.seeds import resume_seeds

            resume_seeds(folder, resolved, seeds, baselines=baseline or [], quiet=quiet)
        else:
            run_training(resolved, folder, resume=True, quiet=quiet, baselines=baseline or [])
        return
    if run is not None:
        raise UsageError(
            f"{run}: a run is named to go on with it, which takes --resume; a new one's folder is --output"
        )
    if (dry_run or overfit_batch is not None) and (seeds is not None or baseline):
        raise UsageError("--seeds and --baseline go with training to the end: leave out --dry-run and --overfit-batch")
    resolved = load_config(config or "imdb", settings or [], changes).with_absolute_paths()
    check_processes(resolved)
    if overfit_batch is not None:
        overfit(resolved, overfit_batch)
    elif dry_run:
        show(resolved, quiet=quiet)
    else:
        folder = output or new_folder(find_recipe(config or "imdb").stem)
        if seeds is not None:
            from sentiment_lstm.cli.seeds import train_seeds

            train_seeds(resolved, folder, seeds, force=force, baselines=baseline or [], quiet=quiet)
        else:
            run_training(resolved, folder, force=force, quiet=quiet, baselines=baseline or [])


def show(config: Config, *, quiet: bool) -> None:
    """Prepare everything and print the table, but train nothing."""
    from sentiment_lstm.cli.progress import QuietReporter, TerminalReporter
    from sentiment_lstm.experiment import prepare_experiment
    from sentiment_lstm.training.processes import exchange

    with exchange():
        experiment = prepare_experiment(config)
    (QuietReporter() if quiet or not this_launch().is_main else TerminalReporter()).on_start(experiment)


def run_training(
    config: Config,
    folder: Path,
    *,
    force: bool = False,
    resume: bool = False,
    quiet: bool = False,
    baselines: Sequence[str] = (),
    part_of: Path | None = None,
    command: str = "train",
) -> None:
    """Prepare, show the table, train, and say what to do next. Under torchrun the first process alone speaks.

    Parameters
    ----------
    baselines : names to compare with on the validation reviews
    part_of : folder of several runs that this one is among, and that says by itself what comes next
    command : ``train`` or ``distill``, to name in what to type next
    """
    if not this_launch().is_main:
        train_in(folder, config, force=force, resume=resume, quiet=True)
        return
    check_folder(folder)
    with locked(folder):
        if not resume:
            check_free(folder, force)
        stored = _stored_baselines(folder) if resume else {}
        experiment, result = train_in(
            folder, config, force=force, resume=resume, quiet=quiet, command=command, part_of=part_of
        )
        if not quiet:
            _report(folder, result)
        if baselines or stored:
            _compare_with_baselines(folder, experiment, result, baselines, stored, quiet)
        if not quiet and part_of is None:
            if experiment.config.data.source == "sample":
                typer.echo(_first_lesson(experiment, folder))
            typer.echo(f"next: sentiment-lstm evaluate {folder}", err=True)


def train_in(
    folder: Path,
    config: Config,
    *,
    force: bool,
    resume: bool,
    quiet: bool,
    command: str = "train",
    part_of: Path | None = None,
) -> tuple[Experiment, Result]:
    """Prepare and train in a folder that is held; ``command`` is ``train``, ``pretrain`` or ``distill``."""
    from tqdm.contrib.logging import logging_redirect_tqdm

    from sentiment_lstm.cli.progress import PretrainingReporter, QuietReporter, TerminalReporter, scoring_bar
    from sentiment_lstm.data.check import cheap_findings
    from sentiment_lstm.distillation import distil
    from sentiment_lstm.experiment import prepare_experiment, prepare_pretraining
    from sentiment_lstm.resumption import check_resumption, load_checkpoint
    from sentiment_lstm.session import claim_folder
    from sentiment_lstm.session import train as train_session
    from sentiment_lstm.training.processes import exchange

    pretrains = command == "pretrain"
    reporter = QuietReporter() if quiet else PretrainingReporter() if pretrains else TerminalReporter()
    checkpoint = load_checkpoint(folder, config) if resume else None
    with exchange(), logging_redirect_tqdm():  # a warning goes above the bar, not into it
        experiment = prepare_pretraining(config) if pretrains else prepare_experiment(config)
        if config.distillation.teachers and not pretrains:
            experiment = distil(experiment, folder if resume else None, scoring_bar(quiet))
        if checkpoint is not None:
            check_resumption(checkpoint, experiment, folder)
        elif resume:
            logger.info("no checkpoint in %s yet: starting from the beginning", folder)
        elif experiment.runtime.processes.is_main:
            claim_folder(folder, force)
            for finding in cheap_findings(experiment.splits) if not pretrains else []:
                logger.warning("%s", finding.line)
        try:
            result = train_session(experiment, folder, reporter, checkpoint)
        except (KeyboardInterrupt, RunFailure) as error:
            can_go_on = config.training.keep_checkpoints and (folder / "config.yaml").is_file()
            if can_go_on and not isinstance(error, TrainingError):  # which would only come again
                error.args = (f"{error}; go on with: {resume_command(part_of or folder, command)}",)
            raise
    return experiment, result


def _report(folder: Path, result: Result) -> None:
    if result.best is not None:
        typer.echo(
            f"{result.stop_reason}; kept epoch {result.best.epoch}: "
            f"validation accuracy {result.best.validation_accuracy:.4f}, {result.seconds:.0f} s\n{folder}"
        )


def _compare_with_baselines(
    folder: Path,
    experiment: Experiment,
    result: Result,
    names: Sequence[str],
    stored: dict[str, Any],
    quiet: bool,
) -> None:
    """Fit baselines on the training reviews, tell how they do on the validation reviews, add it to ``metrics.json``.

    The test split is not looked at. What an earlier process of this run found out is kept.
    """
    from sentiment_lstm.evaluation.evaluator import baseline_facts

    validation = experiment.splits["validation"]
    results = score_baselines(names, experiment.splits["train"], validation)
    facts: dict[str, Any] = {**stored, **{own.name: baseline_facts(own) for own in results}}
    path = folder / "metrics.json"
    write_json(path, {**json.loads(path.read_bytes()), "baselines": facts})
    if results and not quiet:
        accuracy = result.best.validation_accuracy if result.best else None
        typer.echo(validation_table(("this network", accuracy, result.seconds), results, len(validation)))


def _stored_baselines(folder: Path) -> dict[str, Any]:
    try:
        stored = json.loads((folder / "metrics.json").read_bytes()).get("baselines", {})
    except (OSError, ValueError, AttributeError):
        return {}  # stopped before there was one, or damaged: training writes it anew
    return stored if isinstance(stored, dict) else {}


def resume_command(folder: Path, command: str = "train") -> str:
    """Return what to type to go on with a run."""
    return f"{program_name()} {command} --resume {shlex.quote(str(folder))}"


def sizes_of(runs: Sequence[str]) -> dict[str, object]:
    """Return the settings that a run which starts from other ones has in common with them."""
    if list(runs) == ["none"]:
        return {"model.init": []}
    from sentiment_lstm.inference.archive import load_settings

    starts = [load_settings(Path(run)) for run in runs]
    first = starts[0]
    settings: dict[str, object] = {"model.init": list(runs), "model.kind": first.model.kind}
    settings |= {f"model.{name}": getattr(first.model, name) for name in ("embedding_dim", "hidden_dim", "num_layers")}
    settings |= {f"tokenizer.{name}": getattr(first.tokenizer, name) for name in ("kind", "min_frequency", "max_size")}
    if any(start.pretraining.backward for start in starts):
        settings["model.bidirectional"] = True
    return settings


def check_processes(config: Config) -> None:
    """Refuse what several processes cannot do together.

    Raises
    ------
    UsageError
        Where batches would be cut to the memory of one process: the others would wait for it in vain.
    """
    if config.training.auto_batch and this_launch().count > 1:
        raise UsageError(
            "training.auto_batch is for one process: under torchrun leave out --auto-batch (or add "
            "--set training.auto_batch=false) and lower training.batch_tokens"
        )
    if config.distillation.teachers and this_launch().count > 1:
        raise UsageError("a student of teachers is trained by one process: start it without torchrun")


def resolve_resumable(run: Path | None) -> Path:
    """Return the run folder to go on with: the one named, or the one under ``runs/`` that was written to last.

    Raises
    ------
    UsageError
        Where there is none, or nothing to go on with.
    """
    if run is None:
        configs = [*RUNS_FOLDER.glob("*/config.yaml"), *RUNS_FOLDER.glob("*/seeds.json")]
        if not configs:
            raise UsageError(f"no run under {RUNS_FOLDER}/ to resume: name a run folder")
        run = max((path.parent for path in configs), key=lambda folder: folder.stat().st_mtime)
        logger.info("resuming %s", run)
    run = run.expanduser()
    if not run.is_dir():
        raise UsageError(f"no run at {run}: expected a folder written by sentiment-lstm train")
    if not (run / "config.yaml").is_file() and not (run / "seeds.json").is_file():
        raise UsageError(
            f"{run} holds no run to resume (no config.yaml): it stopped before training began; train again"
        )
    return run


def overfit(config: Config, number: int) -> None:
    """Train on a few reviews until they are known by heart, and say whether that worked.

    Raises
    ------
    TrainingError
        Where it did not.
    """
    from sentiment_lstm.experiment import prepare_experiment
    from sentiment_lstm.training.processes import exchange
    from sentiment_lstm.wiring import overfit_batch

    say = typer.echo if this_launch().is_main else lambda line: None
    with exchange():
        report = overfit_batch(prepare_experiment(config), number, say)
    say(report)


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made or written to, before minutes are spent on reading data.

    Raises
    ------
    UsageError
        Where it or a parent of it is no folder, or not writable.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise UsageError(f"{nearest} is a file: choose another --output")
    if not os.access(nearest, os.W_OK):
        raise UsageError(f"{nearest} is not writable: choose another --output")


def check_free(folder: Path, force: bool) -> None:
    """Refuse a folder that holds something, unless ``force`` allows to replace it.

    Raises
    ------
    UsageError
        Where it does.
    """
    if not force and not is_free(folder):
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


def _first_lesson(experiment: Experiment, folder: Path) -> str:
    """The sample corpus is built so that counting words fails: show both, on its test split."""
    from sentiment_lstm.evaluation.baselines import tfidf_accuracy
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
