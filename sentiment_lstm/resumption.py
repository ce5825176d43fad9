"""What a resumed run may not change: the settings, reviews, labels and words it began with."""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sentiment_lstm.config import Config
from sentiment_lstm.data.prepare import review_hashes
from sentiment_lstm.errors import UsageError
from sentiment_lstm.experiment import UNLABELLED_SPLIT, Experiment
from sentiment_lstm.training.checkpoint import Checkpoint, Checkpoints, differences
from sentiment_lstm.training.runtime import Runtime

logger = logging.getLogger(__name__)

# What may differ between a run and its resumption, by section. Data may have been moved: its reviews are compared, one
# by one. Another machine is warned about. When to save and when to stop decide nothing; `epochs` has a rule of its own.
FREE_SETTINGS = {
    "data": ("source", "test_data", "validation_data"),
    "model": ("vectors", "init"),  # where training began
    "training": (
        *("epochs", "max_seconds", "device", "threads", "auto_batch"),
        *("checkpoint_every_steps", "checkpoint_every_minutes", "keep_checkpoints"),
    ),
    "distillation": ("teachers", "unlabelled_data"),  # their answers and its texts are compared
}


def load_checkpoint(folder: Path, config: Config) -> Checkpoint | None:
    """Return the newest whole checkpoint of a run; ``None`` where it was stopped before its first.

    Raises
    ------
    ArchiveError
        Where all of its checkpoints are damaged.
    UsageError
        Where the run was started with other settings.
    """
    checkpoint = Checkpoints(folder, keep=1).load_newest()
    if checkpoint is not None:
        _refuse(differences(_with_defaults(checkpoint.values.get("config", {})), _fixed_settings(config)), folder)
        _check_epochs(checkpoint, config)
    return checkpoint


def check_resumption(checkpoint: Checkpoint, experiment: Experiment, folder: Path) -> None:
    """Refuse to go on with other reviews, labels or words than the run began with; warn of another machine.

    Raises
    ------
    UsageError
        With the first three differences.
    """
    _refuse([*_data_differences(checkpoint, experiment), *_identity_differences(checkpoint, experiment)], folder)
    for line in differences(checkpoint.values.get("machine", {}), _machine(experiment.runtime)):
        logger.warning("%s: the numbers can differ in their last digits", line)


def identity(experiment: Experiment) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what a checkpoint says of the run it is from: tensors, and values for JSON."""
    reviews = {f"reviews.{name}": torch.from_numpy(own) for name, own in _reviews(experiment).items()}
    return reviews, {"machine": _machine(experiment.runtime), **_identity(experiment)}


def _fixed_settings(config: Config) -> dict[str, Any]:
    """The settings that decide the outcome."""
    values = config.model_dump(mode="json")
    for section, names in FREE_SETTINGS.items():
        for name in names:
            del values[section][name]
    return values


def _identity(experiment: Experiment) -> dict[str, Any]:
    """What a checkpoint says of the run it is from."""
    return {
        "config": _fixed_settings(experiment.config),
        "epochs": experiment.config.training.epochs,
        "labels": experiment.labels,
        "teachers": None if experiment.answers is None else experiment.answers.sha256,
        "vocabulary": {"entries": len(experiment.tokenizer), "sha256": experiment.tokenizer.fingerprint},
    }


def _machine(runtime: Runtime) -> dict[str, Any]:
    """What changes the last digits of every number."""
    return {
        "threads": torch.get_num_threads(),
        "processes": runtime.processes.count,
        "device": runtime.device.type,
        "precision": runtime.precision,
        "torch": version("torch"),
    }


def _with_defaults(then: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint of an earlier version, which lacks a setting, ran as its default says."""
    return {section: {**values, **then.get(section, {})} for section, values in _fixed_settings(Config()).items()}


def _check_epochs(checkpoint: Checkpoint, config: Config) -> None:
    then, now = checkpoint.values.get("epochs", 0), config.training.epochs
    if now < then:
        raise UsageError(f"training.epochs: checkpoint has {then}, this run has {now}: it may grow, not shrink")


def _reviews(experiment: Experiment) -> dict[str, np.ndarray]:
    names = [name for name in ("train", "validation", UNLABELLED_SPLIT) if name in experiment.splits]
    return {name: review_hashes(experiment.splits[name]) for name in names}


def _data_differences(checkpoint: Checkpoint, experiment: Experiment) -> list[str]:
    """Where the reviews that are read differ from those of the checkpoint."""
    lines = []
    for name, now in _reviews(experiment).items():
        tensor = checkpoint.tensors.get(f"reviews.{name}")
        then = np.zeros(0, dtype=np.int64) if tensor is None else tensor.numpy()
        if len(then) != len(now):
            lines.append(f"{name} reviews: checkpoint has {len(then):,}, this run has {len(now):,}")
        size = min(len(then), len(now))
        changed = np.flatnonzero(then[:size] != now[:size])
        if len(changed):
            first = experiment.splits[name][int(changed[0])].id
            lines.append(f"{name} reviews: {len(changed):,} are not the checkpoint's, the first is {first}")
    return lines


def _identity_differences(checkpoint: Checkpoint, experiment: Experiment) -> list[str]:
    now = {name: value for name, value in _identity(experiment).items() if name in ("labels", "teachers", "vocabulary")}
    return differences({name: checkpoint.values.get(name) for name in now}, now)


def _refuse(lines: list[str], folder: Path) -> None:
    if lines:
        more = f" (and {len(lines) - 3} more)" if len(lines) > 3 else ""
        raise UsageError(f"cannot resume {folder}: {'; '.join(lines[:3])}{more}; train anew with another --output")
