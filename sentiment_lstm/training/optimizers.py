"""The optimiser, the length of the gradient that it is given, and how far its step moves the weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sentiment_lstm.config import TrainingConfig

MEASURED_EVERY = 20  # of an epoch's steps, from its first on: copying the weights more often would be felt


def build_optimizer(parameters: Sequence[Any], config: TrainingConfig) -> torch.optim.Optimizer:
    """Build the optimiser the configuration names, for parameters or groups of them.

    ``fused`` updates all weights in one pass over memory.
    """
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, rate, weight_decay=decay, fused=True)
    if config.optimizer == "momentum":
        return torch.optim.SGD(parameters, rate, momentum=config.momentum, weight_decay=decay, fused=True)
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, rate, weight_decay=decay)
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, rate, weight_decay=decay, fused=True)
    return torch.optim.AdamW(parameters, rate, weight_decay=decay, fused=True)


def gradient_norms(parameters: Mapping[str, Tensor], layers: Iterable[Sequence[str]]) -> list[float]:
    """Return the norm of each layer's gradient, and of the whole gradient last.

    Parameters
    ----------
    parameters : tensors by name
        One that no loss has reached counts as zero.
    layers : the names in each layer; together all of them
    """
    gradients = {name: value.new_zeros(()) if value.grad is None else value.grad for name, value in parameters.items()}
    norms = layer_norms(gradients, layers)
    values: list[float] = torch.cat([norms, torch.linalg.vector_norm(norms)[None]]).tolist()
    return values


def clip_gradient(parameters: Iterable[Tensor], norm: float, limit: float | None) -> bool:
    """Scale the gradient, whose norm is given, down to ``limit`` where it is longer; return whether it was."""
    if limit is None or norm <= limit:
        return False
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.mul_(limit / norm)
    return True


@torch.no_grad()
def measured_step(
    optimizer: torch.optim.Optimizer, parameters: Mapping[str, Tensor], layers: Sequence[Sequence[str]]
) -> list[float]:
    """Take the optimiser's step; return for each layer the norm of the change over the norm of its weights.

    The weights are those after the step: some layers start from zero. A layer that is still zero gives 0.
    """
    change = {name: value.clone() for name, value in parameters.items()}
    optimizer.step()
    for name, value in parameters.items():
        change[name] -= value  # before less after, whose norm is the same
    ratios: list[float] = (layer_norms(change, layers) / layer_norms(parameters, layers)).nan_to_num(0.0).tolist()
    return ratios


def layer_norms(tensors: Mapping[str, Tensor], layers: Iterable[Sequence[str]]) -> Tensor:
    """Return the Euclidean norm of each layer's numbers together, (layers,) float32.

    Parameters
    ----------
    tensors : by name
    layers : the names in each layer
    """
    norm = torch.linalg.vector_norm
    return torch.stack([norm(torch.stack([norm(tensors[name]) for name in names])) for names in layers])
