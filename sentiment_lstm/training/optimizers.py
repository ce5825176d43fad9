"""The optimiser, and the length of the gradient that it is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sentiment_lstm.config import TrainingConfig


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
    norms = torch.stack(
        [torch.linalg.vector_norm(torch.stack([_norm(parameters[name]) for name in names])) for names in layers]
    )
    values: list[float] = torch.cat([norms, torch.linalg.vector_norm(norms)[None]]).tolist()
    return values


def _norm(parameter: Tensor) -> Tensor:
    gradient = parameter.grad
    return torch.zeros((), device=parameter.device) if gradient is None else torch.linalg.vector_norm(gradient)
