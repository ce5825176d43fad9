"""What ``train``, ``pretrain`` and ``distill`` do before they start: settings from options, the run and its folder."""

from __future__ import annotations

import logging
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sentiment_lstm.cli.runs import RUNS_FOLDER, program_name
from sentiment_lstm.config import Config
from sentiment_lstm.errors import UsageError
from sentiment_lstm.files import is_free, locked
from sentiment_lstm.launch import this_launch
from sentiment_lstm.recipes import load_config

logger = logging.getLogger(__name__)

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def given(changes: Mapping[str, object]) -> dict[str, object]:
    """Return the settings whose options were given: those that are not ``None``."""
    return {key: value for key, value in changes.items() if value is not None}


def resolve(recipe: str, settings: Sequence[str] | None, changes: Mapping[str, object]) -> Config:
    """Return the configuration of a run: a recipe with ``--set`` and the other options, its paths absolute.

    Raises
    ------
    UsageError, ConfigError
        As :func:`sentiment_lstm.recipes.load_config`.
    """
    return load_config(recipe, settings or [], changes).with_absolute_paths()


def data_settings(
    source: str | None,
    limit: int | None,
    text_column: str | None = None,
    label_column: str | None = None,
    validation_data: str | None = None,
    test_data: str | None = None,
) -> dict[str, object]:
    """Return the settings that ``--data``, ``--limit`` and the like change, ``None`` where not given."""
    return {
        "data.source": source,
        "data.text_column": text_column,
        "data.label_column": label_column,
        "data.validation_data": validation_data,
        "data.test_data": test_data,
        "data.limit": limit,
    }


def loop_settings(epochs: int | None, seed: int | None, max_time: str | None) -> dict[str, object]:
    """Return the settings that ``--epochs``, ``--seed`` and ``--max-time`` change, ``None`` where not given.

    Raises
    ------
    UsageError
        Where ``max_time`` is no duration.
    """
    return {
        "training.epochs": epochs,
        "training.seed": seed,
        "training.max_seconds": None if max_time is None else parse_duration(max_time),
    }


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


def sizes_of(runs: Sequence[str], recipe: str | None = None) -> dict[str, object]:
    """Return the settings that a run which starts from other ones has in common with them; none without such runs.

    A recipe with a convolution, where one is named, takes over their words alone and keeps its own layers.
    """
    if not runs:
        return {}
    if list(runs) == ["none"]:
        return {"model.init": []}
    from sentiment_lstm.inference.archive import load_settings

    starts = [load_settings(Path(run)) for run in runs]
    first = starts[0]
    settings: dict[str, object] = {"model.init": list(runs), "model.embedding_dim": first.model.embedding_dim}
    settings |= {f"tokenizer.{name}": getattr(first.tokenizer, name) for name in ("kind", "min_frequency", "max_size")}
    if recipe is not None and load_config(recipe).model.kind == "cnn_lstm":
        return settings
    settings |= {f"model.{name}": getattr(first.model, name) for name in ("kind", "hidden_dim", "num_layers")}
    if any(start.pretraining.backward for start in starts):
        settings["model.bidirectional"] = True
    return settings


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


def refuse_named(run: Path | None) -> None:
    """Refuse a run that is named without ``--resume``.

    Raises
    ------
    UsageError
        Where one is.
    """
    if run is not None:
        raise UsageError(
            f"{run}: a run is named to go on with it, which takes --resume; a new one's folder is --output"
        )


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


@contextmanager
def held(folder: Path, *, resume: bool, force: bool) -> Iterator[None]:
    """Hold a run folder for this process alone, once it can be written to and, for a new run, is free.

    Raises
    ------
    UsageError
        As :func:`check_folder`, :func:`check_free` and :func:`sentiment_lstm.files.locked`.
    """
    check_folder(folder)
    with locked(folder):
        if not resume:
            check_free(folder, force)
        yield


def quieten(quiet: bool) -> None:
    """With ``--quiet``, let nothing but errors be printed."""
    if quiet:
        logging.getLogger().setLevel(logging.ERROR)


def resume_command(folder: Path, command: str = "train") -> str:
    """Return what to type to go on with a run."""
    return f"{program_name()} {command} --resume {shlex.quote(str(folder))}"
