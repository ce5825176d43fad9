"""``sentiment-lstm distill``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sentiment_lstm.cli.options import Force, MaxTime, Quiet, Resume, Settings, Source, TextEpochs
from sentiment_lstm.cli.runs import new_folder
from sentiment_lstm.cli.starting import (
    data_settings,
    given,
    loop_settings,
    quieten,
    resolve,
    resolve_resumable,
    sizes_of,
)
from sentiment_lstm.cli.train import run_training
from sentiment_lstm.config import Config, find_classifier
from sentiment_lstm.errors import UsageError
from sentiment_lstm.recipes import find_recipe

Teachers = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEACHER", help="Runs that teach, or shipped. With --resume: the run; default: the newest."),
]
Recipe = Annotated[
    str | None, typer.Option(help="The student's recipe by name, or a YAML file; default: the first teacher's.")
]
Starts = Annotated[
    list[str] | None, typer.Option(help="Run that the student starts from; shipped; none; twice: both ways.")
]
Unlabelled = Annotated[
    bool | None,
    typer.Option("--unlabelled/--no-unlabelled", help="The data's reviews without a label; default: if it has any."),
]
MoreTexts = Annotated[str | None, typer.Option(help="More texts: a .txt file (a text a line), a table or a folder.")]
Counterfactuals = Annotated[
    int | None, typer.Option(help="Also learn from so many texts made by negating and joining short sentences.")
]
Temperature = Annotated[
    float | None, typer.Option(help="What the teachers' logits are divided by: above 1 answers get softer.")
]
LabelWeight = Annotated[float | None, typer.Option(help="Share of the true label beside the teachers' answer, 0 to 1.")]


def distill(
    runs: Teachers = None,
    config: Recipe = None,
    data: Source = None,
    limit: Annotated[int | None, typer.Option(help="A sample of so many reviews a split, unlabelled ones too.")] = None,
    init: Starts = None,
    unlabelled: Unlabelled = None,
    unlabelled_data: MoreTexts = None,
    sentences: Annotated[int | None, typer.Option(help="Also learn from so many pieces of 1 to 3 sentences.")] = None,
    counterfactuals: Counterfactuals = None,
    temperature: Temperature = None,
    label_weight: LabelWeight = None,
    epochs: TextEpochs = None,
    seed: Annotated[int | None, typer.Option(help="Weights, batch order and the pieces follow from it.")] = None,
    max_time: MaxTime = None,
    settings: Settings = None,
    output: Annotated[Path | None, typer.Option(help="Run folder; default: runs/distilled-<date>-<time>.")] = None,
    force: Force = False,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Train one student on what other runs answer.

    Their averaged answers take the place of the labels, on the training reviews, on those without a label and on pieces
    of a few sentences. Validation reviews keep their labels. The teachers are asked once; --resume needs none.
    """
    changes = given(
        {
            **data_settings(data, limit),
            **sizes_of(init or []),
            **loop_settings(epochs, seed, max_time),
            "distillation.unlabelled": unlabelled,
            "distillation.unlabelled_data": unlabelled_data,
            "distillation.sentences": sentences,
            "distillation.counterfactuals": counterfactuals,
            "distillation.temperature": temperature,
            "distillation.label_weight": label_weight,
        }
    )
    quieten(quiet)
    if resume:
        if output is not None or force or (runs and len(runs) > 1):
            raise UsageError(
                "--resume goes on in the folder of the one run that is named: leave out --output, --force and teachers"
            )
        folder = resolve_resumable(Path(runs[0]) if runs else None)
        resolved = resolve(config or str(folder / "config.yaml"), settings, changes)
        if not resolved.distillation.teachers:
            raise UsageError(f"{folder} has no teachers: go on with train --resume")
    else:
        resolved = _load_new(runs or [], config, settings, changes)
        folder = output or new_folder(find_recipe(config).stem if config else "distilled")
    run_training(resolved, folder, force=force, resume=resume, quiet=quiet, command="distill")


def _load_new(runs: list[str], config: str | None, settings: list[str] | None, changes: dict[str, object]) -> Config:
    """Return the student's configuration, once its teachers are known to be there and to agree on their labels."""
    from sentiment_lstm.distillation import load_teachers

    if runs:
        changes = {"distillation.teachers": expand(runs), **changes}
        first = runs[0]
    elif config is None:
        raise UsageError("no teacher: name one or more runs, or a recipe that has distillation.teachers")
    recipe = config or _recipe_of(first)
    resolved = resolve(recipe, settings, changes)
    if not resolved.distillation.teachers:
        raise UsageError(f"no teacher: {recipe} has none, so name one or more runs")
    load_teachers(resolved)
    return resolved


def expand(runs: list[str]) -> list[str]:
    """Return the runs that are named, those in folders of seeds one by one."""
    from sentiment_lstm.cli.seeds import holds_seeds, seed_runs

    named = [(run, Path(run).expanduser()) for run in runs]
    return [str(own) for run, folder in named for own in (seed_runs(folder) if holds_seeds(folder) else [run])]


def _recipe_of(run: str) -> str:
    from sentiment_lstm.cli.seeds import holds_seeds

    folder = find_classifier(Path(run))
    if holds_seeds(folder):
        return str(folder / "recipe.yaml")
    from sentiment_lstm.inference.archive import load_settings

    load_settings(folder)  # says by itself what is wrong with it
    return str(folder / "config.yaml")
