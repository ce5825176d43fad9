"""The running average of the weights, which generalises better than the weights that each step leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class WeightAverage:
    """Exponential moving average of parameters (Polyak and Juditsky 1992).

    After optimiser step t, counted from 1, ``average = d * average + (1 - d) * parameter`` with
    ``d = min(decay, (1 + t) / (10 + t))``: the first steps, from which weights still move far, are soon forgotten.

    Parameters
    ----------
    parameters : dict of floating-point tensors by name
        Read where they are, after every step.
    decay : in [0, 1)
    """

    def __init__(self, parameters: Mapping[str, Tensor], decay: float) -> None:
        self.decay = decay
        self._parameters = {name: value.detach() for name, value in parameters.items()}  # the same memory
        self._averages = {name: value.clone() for name, value in self._parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the parameters as optimiser step ``step`` has left them."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self._averages.values()), list(self._parameters.values()), 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the parameters hold their averages.

        Numbers are copied and no tensor is replaced: on a GPU an LSTM's weights must stay where they lie in memory.
        """
        own = {name: value.clone() for name, value in self._parameters.items()}
        self._copy(self._averages, self._parameters)
        try:
            yield
        finally:
            self._copy(own, self._parameters)

    def state(self) -> dict[str, Tensor]:
        """Return the averages by the parameters' names."""
        return dict(self._averages)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`state` returned."""
        self._copy({name: state[name] for name in self._averages}, self._averages)

    @staticmethod
    @torch.no_grad()
    def _copy(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
        torch._foreach_copy_(list(target.values()), list(source.values()))
