"""``sentiment-lstm pretrain``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sentiment_lstm.cli.options import Force, MaxTime, Quiet, Resume, ResumedRun, RunOutput, Settings, TextEpochs
from sentiment_lstm.cli.runs import new_folder
from sentiment_lstm.cli.starting import (
    data_settings,
    given,
    held,
    loop_settings,
    quieten,
    refuse_named,
    resolve,
    resolve_resumable,
    sizes_of,
)
from sentiment_lstm.cli.train import train_in
from sentiment_lstm.config import SHIPPED
from sentiment_lstm.errors import UsageError
from sentiment_lstm.recipes import find_recipe

if TYPE_CHECKING:
    from sentiment_lstm.experiment import Experiment
    from sentiment_lstm.session import Result

RECIPE = "language_model"

Texts = Annotated[str | None, typer.Option(help="imdb, a folder, a .txt file (a text a line), or a table of reviews.")]
Starts = Annotated[
    list[str] | None,
    typer.Option(help="Run to start from: its words, and its layers where they read the same way; twice: both."),
]


def pretrain(
    run: ResumedRun = None,
    config: Annotated[str | None, typer.Option(help=f"Recipe by name, or a YAML file; default: {RECIPE}.")] = None,
    data: Texts = None,
    limit: Annotated[int | None, typer.Option(help="A sample of so many texts.")] = None,
    backward: Annotated[bool, typer.Option("--backward", help="Read each text from its end.")] = False,
    init: Starts = None,
    epochs: TextEpochs = None,
    seed: Annotated[int | None, typer.Option(help="Weights and the order of the texts follow from it.")] = None,
    max_time: MaxTime = None,
    settings: Settings = None,
    output: RunOutput = None,
    force: Force = False,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Learn a language model from text without labels, for train --init.

    Reads a source's training and unsupervised texts, never its test reviews. Of them one in a hundred is held out, and
    the epoch of the lowest perplexity on those is kept.
    """
    changes = given(
        {
            **data_settings(data, limit),
            "pretraining.backward": backward or None,
            **(_start_settings(init, backward) if init else {}),
            **loop_settings(epochs, seed, max_time),
        }
    )
    quieten(quiet)
    if resume:
        if output is not None or force:
            raise UsageError("--resume goes on in the run's own folder: leave out --output and --force")
        folder = resolve_resumable(run)
        recipe = config or str(folder / "config.yaml")
    else:
        refuse_named(run)
        recipe = config or RECIPE
        folder = output or new_folder(find_recipe(recipe).stem)
    resolved = resolve(recipe, settings, changes)
    if resolved.model.kind != "lstm":
        raise UsageError(f"model.kind is {resolved.model.kind!r}: a language model is an lstm")
    if resolved.training.auto_batch:
        raise UsageError("training.auto_batch is for train: lower pretraining.streams instead")
    with held(folder, resume=resume, force=force):
        experiment, result = train_in(folder, resolved, force=force, resume=resume, quiet=quiet, command="pretrain")
    if not quiet:
        _report(folder, experiment, result)


def _start_settings(runs: list[str], backward: bool) -> dict[str, object]:
    """Return the settings that follow from the runs to start from, of which the first gives the words.

    The words of one that reads the other way stay as they are, so that a classifier can take over both.
    """
    from sentiment_lstm.inference.archive import load_settings

    first = load_settings(Path(runs[0]))
    other_way = first.pretraining.backward != backward and runs[0] != SHIPPED
    settings = {"model.freeze_embedding": True} if other_way else {}
    return {**sizes_of(runs), **settings, "model.bidirectional": False}


def _report(folder: Path, experiment: Experiment, result: Result) -> None:
    if result.best is not None:
        perplexity = math.exp(result.best.validation_loss)
        typer.echo(
            f"{result.stop_reason}; kept epoch {result.best.epoch}: "
            f"perplexity {perplexity:.1f} on held-out text, {result.seconds:.0f} s\n{folder}"
        )
        typer.echo(_matrix_share(experiment, result.best.tokens_per_second), err=True)
        typer.echo(f"next: sentiment-lstm train --init {folder}", err=True)


def _matrix_share(experiment: Experiment, words_per_second: float) -> str:
    """Say how near training came to the rate at which the machine multiplies matrices."""
    from sentiment_lstm.model.language_model import flops_per_word
    from sentiment_lstm.training.pretrainer import compared_words
    from sentiment_lstm.training.runtime import matrix_rates

    config, runtime = experiment.config, experiment.runtime
    compared = compared_words(config.pretraining.sampled_words, len(experiment.tokenizer))
    operations = flops_per_word(config.model, compared)
    rate = words_per_second * operations / 1e9
    text = f"{words_per_second:,.0f} words/s, {operations / 1e6:.3g} MFLOP each: {rate:,.3g} GFLOP/s in matrix products"
    fp32, bf16 = matrix_rates()
    machine = bf16 if runtime.precision == "bf16" else fp32
    if runtime.device.type != "cpu" or not machine:
        return text
    return f"{text}, {rate / machine:.0%} of the machine's {machine:,.0f} (square products, {runtime.precision})"
