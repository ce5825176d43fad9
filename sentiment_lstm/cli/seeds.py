"""``train --seeds N``: one recipe with several seeds, a run folder each, and what they say together.

PARENT/recipe.yaml     the configuration that all share
PARENT/seeds.json      the seeds, those that are done, mean and standard deviation
PARENT/seed-1/ …       ordinary run folders
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from sentiment_lstm.cli.baselines import score_baselines, validation_table
from sentiment_lstm.cli.starting import check_folder, check_free, resume_command
from sentiment_lstm.cli.train import run_training
from sentiment_lstm.config import Config
from sentiment_lstm.errors import ArchiveError, UsageError
from sentiment_lstm.files import locked, write_file, write_json
from sentiment_lstm.launch import this_launch

logger = logging.getLogger(__name__)

SEEDS, RECIPE = "seeds.json", "recipe.yaml"
LARGEST_SEED = 2**32 - 1  # as in TrainingConfig


def holds_seeds(folder: Path) -> bool:
    """Whether a folder was made by ``train --seeds``, and is no run itself."""
    return (folder / SEEDS).is_file() and not (folder / "config.yaml").is_file()


def seed_runs(folder: Path) -> list[Path]:
    """Return the runs in a folder of seeds; all of them are done.

    Raises
    ------
    UsageError
        Where one is not.
    """
    record = _read(folder)
    left = [seed for seed in record["seeds"] if seed not in record["done"]]
    if left:
        raise UsageError(f"seed {left[0]} of {folder} is not done: go on with {resume_command(folder)}")
    return [_run_folder(folder, seed) for seed in record["seeds"]]


def train_seeds(
    config: Config, parent: Path, count: int, *, force: bool, baselines: Sequence[str], quiet: bool
) -> None:
    """Train ``count`` runs with the seeds ``training.seed``, ``training.seed`` + 1 ….

    Raises
    ------
    UsageError
        Where the folder is taken.
    """
    from sentiment_lstm.session import claim_folder

    _check_launch()
    check_folder(parent)
    seeds = _seeds(config.training.seed, count)
    with locked(parent):
        check_free(parent, force)
        old = _read(parent)["seeds"] if holds_seeds(parent) else []
        claim_folder(parent, force)
        for seed in old:  # else a run that is replaced would pass for one that is done
            claim_folder(_run_folder(parent, seed), force)
        _train_all(config, parent, {"seeds": seeds, "done": []}, baselines, quiet, force=force)


def resume_seeds(parent: Path, config: Config, count: int | None, *, baselines: Sequence[str], quiet: bool) -> None:
    """Go on with a folder of seeds: pass over those that are done, resume the one that is not, start the rest.

    Parameters
    ----------
    config : Config
        The recipe, perhaps with settings that may change on resume; then no seed passes for done.
    count : int or None
        More seeds than there were.

    Raises
    ------
    UsageError
        Where there are to be fewer seeds, or a setting has changed that must not.
    """
    from sentiment_lstm.recipes import load_config
    from sentiment_lstm.resumption import load_checkpoint

    _check_launch()
    with locked(parent):
        record = _read(parent)
        seeds = record["seeds"]
        if count is not None and count < len(seeds):
            raise UsageError(f"--seeds {count}: {parent} has {len(seeds)} seeds: their number may grow, not shrink")
        record["seeds"] = _seeds(seeds[0], count or len(seeds))
        if config != load_config(str(parent / RECIPE)):
            for seed in seeds:
                if (_run_folder(parent, seed) / "config.yaml").is_file():
                    load_checkpoint(_run_folder(parent, seed), _with_seed(config, seed))  # refuses before it is written
            record["done"] = []
        _train_all(config, parent, record, baselines, quiet)


def _train_all(
    config: Config, parent: Path, record: dict[str, Any], baselines: Sequence[str], quiet: bool, force: bool = False
) -> None:
    if set(record["seeds"]) - set(record["done"]):
        (parent / "evaluation.json").unlink(missing_ok=True)  # of models that will be others
    write_file(parent / RECIPE, config.to_yaml().encode())
    write_json(parent / SEEDS, record)
    with _naming(parent):
        for seed in record["seeds"]:
            folder = _run_folder(parent, seed)
            if seed in record["done"]:
                logger.info("%s is done", folder)
                continue
            if not quiet:
                typer.echo(f"seed {seed}, {folder}", err=True)
            started = (folder / "config.yaml").is_file() and not force
            run_training(_with_seed(config, seed), folder, resume=started, force=force, quiet=quiet, part_of=parent)
            record["done"].append(seed)
            write_json(parent / SEEDS, record)
        summary = _summarize(parent, record)
        if not quiet:
            typer.echo(_describe(summary))
        if baselines:
            facts = _with_baselines(config, summary, baselines, quiet)
            record["baselines"] = {**record.get("baselines", {}), **facts}
        write_json(parent / SEEDS, {**record, **summary})
    if not quiet:
        typer.echo(parent)
        typer.echo(f"next: sentiment-lstm evaluate {parent}", err=True)


@contextmanager
def _naming(parent: Path) -> Iterator[None]:
    """Say of an interruption between two seeds, or before the first step of one, how to go on."""
    try:
        yield
    except KeyboardInterrupt as error:
        if "go on with" not in str(error):
            error.args = (f"{str(error) or 'interrupted'}; go on with: {resume_command(parent)}",)
        raise


def _summarize(parent: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Mean and sample standard deviation of what the runs reached on the validation reviews."""
    from sentiment_lstm.evaluation.comparison import read_object
    from sentiment_lstm.evaluation.statistics import mean_and_deviation

    runs = []
    for seed in record["seeds"]:
        metrics = read_object(_run_folder(parent, seed) / "metrics.json")
        names = ("validation_accuracy", "best_epoch", "seconds")
        runs.append({"seed": seed, **{name: metrics.get(name) for name in names}})
    known = [run["validation_accuracy"] for run in runs if run["validation_accuracy"] is not None]
    mean, deviation = mean_and_deviation(known) if known else (None, None)  # none, where no epoch was finished
    return {
        "runs": runs,
        "validation_accuracy": {"mean": mean, "standard_deviation": deviation},
        "seconds": sum(run["seconds"] for run in runs),
    }


def _describe(summary: dict[str, Any]) -> str:
    runs, accuracy = summary["runs"], summary["validation_accuracy"]
    return f"{len(runs)} seeds: {spread('validation accuracy', **accuracy)}, {summary['seconds']:.0f} s in all"


def spread(what: str, mean: float | None, standard_deviation: float | None) -> str:
    """Return a mean with its sample standard deviation in words."""
    if mean is None:
        return f"{what} unknown"
    deviation = "" if standard_deviation is None else f", standard deviation {standard_deviation:.4f}"
    return f"{what} {mean:.4f} (mean{deviation})"


def _with_baselines(
    config: Config, summary: dict[str, Any], names: Sequence[str], quiet: bool
) -> dict[str, dict[str, Any]]:
    """Fit baselines once for all seeds, which share their training and validation reviews."""
    from sentiment_lstm.data.prepare import load_splits
    from sentiment_lstm.evaluation.evaluator import baseline_facts

    splits = load_splits(config.data)
    results = score_baselines(names, splits["train"], splits["validation"])
    if not quiet:
        run = (f"mean of {len(summary['runs'])} seeds", summary["validation_accuracy"]["mean"], summary["seconds"])
        typer.echo(validation_table(run, results, len(splits["validation"])))
    return {result.name: baseline_facts(result) for result in results}


def _run_folder(parent: Path, seed: int) -> Path:
    return parent / f"seed-{seed}"


def _with_seed(config: Config, seed: int) -> Config:
    return config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})


def _seeds(first: int, count: int) -> list[int]:
    if first + count - 1 > LARGEST_SEED:
        raise UsageError(f"--seeds {count}: seeds end at {LARGEST_SEED:,}: start them at a smaller --seed")
    return [first + place for place in range(count)]


def _check_launch() -> None:
    if this_launch().count > 1:
        raise UsageError("--seeds is for one process: under torchrun train one seed at a time, with --seed")


def _read(folder: Path) -> dict[str, Any]:
    """The seeds, those that are done, and what is known of baselines.

    Raises
    ------
    ArchiveError
        Where the file is damaged.
    """
    path = folder / SEEDS
    try:
        values = json.loads(path.read_bytes())
        record = {name: values[name] for name in ("seeds", "done")}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArchiveError(f"{path} is damaged; train again, or copy it again") from error
    for numbers in (record["seeds"], record["done"]):
        if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
            raise ArchiveError(f"{path} is damaged: seeds and done must be whole numbers; copy it again")
    if not record["seeds"]:
        raise ArchiveError(f"{path} is damaged: it holds no seeds; copy it again")
    if isinstance(baselines := values.get("baselines"), dict):
        record["baselines"] = baselines
    return record
