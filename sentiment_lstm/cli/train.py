"""``sentiment-lstm train``."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sentiment_lstm.cli.baselines import Baselines, score_baselines, validation_table
from sentiment_lstm.cli.options import (
    Force,
    LabelColumn,
    MaxTime,
    Quiet,
    Resume,
    ResumedRun,
    RunOutput,
    Settings,
    Source,
    TestData,
    TextColumn,
    ValidationData,
)
from sentiment_lstm.cli.runs import new_folder
from sentiment_lstm.cli.starting import (
    check_processes,
    data_settings,
    given,
    held,
    loop_settings,
    quieten,
    refuse_named,
    resolve,
    resolve_resumable,
    resume_command,
    sizes_of,
)
from sentiment_lstm.config import Config
from sentiment_lstm.errors import RunFailure, TrainingError, UsageError
from sentiment_lstm.files import write_json
from sentiment_lstm.launch import this_launch
from sentiment_lstm.recipes import find_recipe

if TYPE_CHECKING:
    from sentiment_lstm.experiment import Experiment
    from sentiment_lstm.session import Result

logger = logging.getLogger(__name__)

RECIPE = "imdb"

Recipe = Annotated[
    str | None, typer.Option(help=f"Recipe by name (see config list), or a YAML file; default: {RECIPE}.")
]
Vectors = Annotated[str | None, typer.Option(help="Word vectors to start from (GloVe, word2vec, fastText).")]
Starts = Annotated[
    list[str] | None,
    typer.Option(help="Run to start from, a language model's or a classifier's; shipped; none; twice: both ways."),
]
Seeds = Annotated[
    int | None,
    typer.Option(min=2, metavar="N", help="Train N runs, with --seed and the seeds after it: mean and deviation."),
]
AutoBatch = Annotated[bool, typer.Option("--auto-batch", help="Out of memory: go on with batches in halves.")]
OverfitBatch = Annotated[
    int | None, typer.Option(min=2, metavar="N", help="Learn N reviews by heart, to prove the wiring; keeps nothing.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Stop before the first step, write nothing.")]
ExplainStep = Annotated[
    bool, typer.Option("--explain-step", help="First tell one step of training with its real numbers, in six parts.")
]


def train(
    run: ResumedRun = None,
    config: Recipe = None,
    data: Source = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    validation_data: ValidationData = None,
    test_data: TestData = None,
    limit: Annotated[int | None, typer.Option(help="A stratified sample of so many reviews a split.")] = None,
    vectors: Vectors = None,
    init: Starts = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training reviews.")] = None,
    seed: Annotated[int | None, typer.Option(help="Weights, dropout and batch order follow from it.")] = None,
    seeds: Seeds = None,
    baseline: Baselines = None,
    max_time: MaxTime = None,
    settings: Settings = None,
    output: RunOutput = None,
    force: Force = False,
    resume: Resume = False,
    auto_batch: AutoBatch = False,
    overfit_batch: OverfitBatch = None,
    dry_run: DryRun = False,
    explain_step: ExplainStep = False,
    quiet: Quiet = False,
) -> None:
    """Train a classifier in a run folder.

    The best epoch, by accuracy on the validation reviews, is what is kept.
    """
    changes = given(
        {
            **data_settings(data, limit, text_column, label_column, validation_data, test_data),
            "model.vectors": vectors,
            **sizes_of(init or [], config),
            **loop_settings(epochs, seed, max_time),
            "training.min_steps": None if epochs is None else 0,
            "training.auto_batch": auto_batch or None,
        }
    )
    quieten(quiet)
    if explain_step and (resume or quiet or dry_run or overfit_batch is not None or seeds is not None):
        raise UsageError("--explain-step tells of the first step of one new run: leave out --resume, --quiet, "
                         "--dry-run, --overfit-batch and --seeds")  # fmt: skip
    if explain_step and this_launch().count > 1:
        raise UsageError("--explain-step is for one process: start it without torchrun")
    if resume:
        if output is not None or force or dry_run or overfit_batch is not None:
            raise UsageError("--resume goes on in the run's own folder: leave out --output, --force, --dry-run and "
                             "--overfit-batch")  # fmt: skip
        _go_on(run, config, settings, changes, seeds, baseline or [], quiet)
        return
    refuse_named(run)
    if (dry_run or overfit_batch is not None) and (seeds is not None or baseline):
        raise UsageError("--seeds and --baseline go with training to the end: leave out --dry-run and --overfit-batch")
    resolved = resolve(config or RECIPE, settings, changes)
    check_processes(resolved)
    if overfit_batch is not None:
        overfit(resolved, overfit_batch)
    elif dry_run:
        show(resolved, quiet=quiet)
    else:
        folder = output or new_folder(find_recipe(config or RECIPE).stem)
        if seeds is not None:
            from sentiment_lstm.cli.seeds import train_seeds

            train_seeds(resolved, folder, seeds, force=force, baselines=baseline or [], quiet=quiet)
        else:
            run_training(resolved, folder, force=force, quiet=quiet, baselines=baseline or [], explains=explain_step)


def _go_on(
    run: Path | None,
    config: str | None,
    settings: Sequence[str] | None,
    changes: Mapping[str, object],
    seeds: int | None,
    baselines: Sequence[str],
    quiet: bool,
) -> None:
    """Go on with one run, or with a folder of several seeds."""
    folder = resolve_resumable(run)
    recipe = folder / ("config.yaml" if (folder / "config.yaml").is_file() else "recipe.yaml")
    if recipe.name == "config.yaml" and seeds is not None:
        raise UsageError(f"{folder} is one run: --seeds N --resume goes on with a folder that --seeds has made")
    if recipe.name == "recipe.yaml" and "training.seed" in changes:
        raise UsageError(f"{folder} has seeds of its own: leave out --seed")
    resolved = resolve(config or str(recipe), settings, changes)
    check_processes(resolved)
    if recipe.name == "recipe.yaml":
        from sentiment_lstm.cli.seeds import resume_seeds

        resume_seeds(folder, resolved, seeds, baselines=baselines, quiet=quiet)
    else:
        run_training(resolved, folder, resume=True, quiet=quiet, baselines=baselines)


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
    explains: bool = False,
) -> None:
    """Prepare, show the table, train, and say what to do next. Under torchrun the first process alone speaks.

    Parameters
    ----------
    baselines : names to compare with on the validation reviews
    part_of : folder of several runs that this one is among, and that says by itself what comes next
    command : ``train`` or ``distill``, to name in what to type next
    explains : whether one step is told before training begins
    """
    if not this_launch().is_main:
        train_in(folder, config, force=force, resume=resume, quiet=True)
        return
    with held(folder, resume=resume, force=force):
        stored = _stored_baselines(folder) if resume else {}
        experiment, result = train_in(
            folder, config, force=force, resume=resume, quiet=quiet, command=command, part_of=part_of, explains=explains
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
    explains: bool = False,
) -> tuple[Experiment, Result]:
    """Prepare and train in a folder that is held; ``command`` is ``train``, ``pretrain`` or ``distill``."""
    from tqdm.contrib.logging import logging_redirect_tqdm

    from sentiment_lstm.augmentation import augment
    from sentiment_lstm.cli.explain import explain_first_step
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
        elif not pretrains:
            experiment = augment(experiment)
        if checkpoint is not None:
            check_resumption(checkpoint, experiment, folder)
        elif resume:
            logger.info("no checkpoint in %s yet: starting from the beginning", folder)
        elif experiment.runtime.processes.is_main:
            claim_folder(folder, force)
            for finding in cheap_findings(experiment.splits) if not pretrains else []:
                logger.warning("%s", finding.line)
        if explains:
            explain_first_step(experiment)
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
