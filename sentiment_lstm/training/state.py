"""All that decides how training goes on, between two steps: taken out of a trainer, and put into another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from torch import Tensor

from sentiment_lstm.errors import ArchiveError
from sentiment_lstm.training.progress import EpochRecord, Progress
from sentiment_lstm.training.runtime import random_state, set_random_state
from sentiment_lstm.training.spikes import LossWatch
from sentiment_lstm.training.trainer import TIME_LIMIT, Trainer


def training_state(trainer: Trainer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the state as tensors by name, and as values for JSON. All processes must call it together.

    The learning rate is not in it: it follows from the position. Nor is the order of the batches: it follows from
    (seed, epoch).
    """
    progress = asdict(trainer.progress)
    progress["seconds_before"] = trainer.progress.seconds if trainer.progress.steps else 0.0
    del progress["started"]  # a reading of this process's clock
    values = {
        "progress": progress,
        "steps_done": trainer.steps_done,
        "plateau_rate": trainer.plateau_rate,
        "best_score": list(trainer.best_score) if trainer.history else None,
        "epochs_without_better": trainer.epochs_without_better,
        "piece_tokens": trainer.pieces.tokens,
        "loss_watch": asdict(trainer.loss_watch),
        "seconds": trainer.seconds,
        "history": [asdict(record) for record in trainer.history],
    }
    carried = {f"carried.{name}": value for name, value in trainer.carried_tensors().items()}
    tensors = {**_weights(trainer), **_average(trainer), **_optimizer_state(trainer), **_random_states(trainer)}
    return {**tensors, **carried}, values


def kept_weights(trainer: Trainer, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return, from a state's tensors, the weights that :meth:`Trainer.kept_weights` returned at that moment."""
    own = {name: tensors[f"model.{name}"] for name in trainer.model.state_dict()}
    return {**own, **_under("average.", tensors)}


def restore(trainer: Trainer, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """Put a state into a trainer that has taken no step.

    Raises
    ------
    ArchiveError
        Where it is the state of something else.
    """
    expected = {f"model.{name}": tuple(value.shape) for name, value in trainer.model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items() if name.startswith("model.")}
    unlike = [
        f"{name}: checkpoint has {found.get(name, 'nothing')}, this run has {expected.get(name, 'nothing')}"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]
    if unlike:
        raise ArchiveError(f"the checkpoint is of another model: {'; '.join(unlike[:3])}")
    try:
        trainer.model.load_state_dict({name.removeprefix("model."): tensors[name] for name in expected})
        if trainer.average is not None:
            trainer.average.restore(_under("average.", tensors))
        _restore_optimizer(trainer, tensors)
        trainer.progress = Progress(**values["progress"])
        trainer.history = [EpochRecord(**record) for record in values["history"]]
        trainer.steps_done = int(values["steps_done"])
        trainer.plateau_rate = float(values["plateau_rate"])
        accuracy, negative_loss = values["best_score"] or (-math.inf, -math.inf)
        trainer.best_score = (float(accuracy), float(negative_loss))
        trainer.epochs_without_better = int(values["epochs_without_better"])
        trainer.pieces.tokens = values["piece_tokens"]
        trainer.loss_watch = LossWatch(**values["loss_watch"])
        trainer.seconds_before = float(values["seconds"])
        _allow_more_time(trainer)
        trainer.take_up(_under("carried.", tensors))
        _restore_random_state(trainer, tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ArchiveError(f"the checkpoint does not fit this version: {error}") from error


def _allow_more_time(trainer: Trainer) -> None:
    """A run that stopped because its time was up goes on where the limit has been raised."""
    limit, reason = trainer.config.max_seconds, trainer.history[-1].stop_reason if trainer.history else None
    if reason and reason.startswith(TIME_LIMIT) and (limit is None or limit > trainer.seconds_before):
        trainer.history[-1] = replace(trainer.history[-1], stop_reason=None)


def _weights(trainer: Trainer) -> dict[str, Tensor]:
    return {f"model.{name}": value for name, value in trainer.model.state_dict().items()}


def _average(trainer: Trainer) -> dict[str, Tensor]:
    averages = {} if trainer.average is None else trainer.average.state()
    return {f"average.{name}": value for name, value in averages.items()}


def _optimizer_state(trainer: Trainer) -> dict[str, Tensor]:
    """Each parameter's moments and counters, by its name."""
    return {
        f"optimizer.{name}.{key}": value
        for name, parameter in trainer.parameters.items()
        for key, value in trainer.optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def _restore_optimizer(trainer: Trainer, tensors: Mapping[str, Tensor]) -> None:
    optimizer = trainer.optimizer.state_dict()
    in_order = {
        name: trainer.parameters[name] for names in trainer.layers.values() for name in names
    }  # as in the groups
    for number, (name, parameter) in enumerate(in_order.items()):
        own = _under(f"optimizer.{name}.", tensors)
        for key, value in own.items():
            if value.shape not in (parameter.shape, ()):
                raise ValueError(f"{name}: its {key} has the shape {tuple(value.shape)}")
        if own:
            optimizer["state"][number] = own
    trainer.optimizer.load_state_dict(optimizer)


def _random_states(trainer: Trainer) -> dict[str, Tensor]:
    """Those of all processes, by rank."""
    return {
        f"random.{rank}.{kind}": own
        for kind, value in random_state(trainer.runtime.device).items()
        for rank, own in enumerate(trainer.processes.gather(value))
    }


def _restore_random_state(trainer: Trainer, tensors: Mapping[str, Tensor]) -> None:
    own = _under(f"random.{trainer.processes.rank}.", tensors)
    if own:  # a process that the interrupted run had not goes on from its own seed
        set_random_state(own, trainer.runtime.device)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
