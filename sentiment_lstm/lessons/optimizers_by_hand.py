"""Four optimisers, each its formula: gradient descent, momentum, RMSprop and Adam.

Each is asked for the next step with the parameters ``w`` and the gradient ``g`` of the loss by them, tensors of one
shape, and returns the new parameters. What it remembers from step to step (``v``, ``m``, ``t``) begins at 0. ``rate``
is the learning rate. All operations are element by element: every parameter is moved on its own.

    sgd        w <- w - rate g

    momentum   v <- beta v + g
               w <- w - rate v

    rmsprop    v <- beta v + (1 - beta) g^2
               w <- w - rate g / (sqrt(v) + epsilon)

    adam       m <- beta_1 m + (1 - beta_1) g
               v <- beta_2 v + (1 - beta_2) g^2
               w <- w - rate (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)

``torch.optim`` computes the same; ``tests/lessons/test_descent.py`` holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

EPSILON = 1e-8  # keeps the division finite where the gradient has been 0


class Optimizer(Protocol):
    """What moves parameters."""

    rate: float

    def step(self, w: Tensor, g: Tensor) -> Tensor:
        """Return the parameters after a step."""


@dataclass
class SGD:
    """Gradient descent: a step against the gradient, as long as the gradient is steep."""

    rate: float

    def step(self, w: Tensor, g: Tensor) -> Tensor:
        """Return the parameters after a step."""
        return w - self.rate * g


@dataclass
class Momentum:
    """Polyak 1964, the heavy ball: steps in a lasting direction grow, up to 1 / (1 - beta) times as long."""

    rate: float
    beta: float = 0.9
    v: Tensor | float = 0.0

    def step(self, w: Tensor, g: Tensor) -> Tensor:
        """Return the parameters after a step."""
        self.v = self.beta * self.v + g
        return w - self.rate * self.v


@dataclass
class RMSprop:
    """Tieleman and Hinton 2012: each gradient is divided by the root of the mean of its squares so far."""

    rate: float
    beta: float = 0.9
    v: Tensor | float = 0.0

    def step(self, w: Tensor, g: Tensor) -> Tensor:
        """Return the parameters after a step."""
        self.v = self.beta * self.v + (1 - self.beta) * g**2
        return w - self.rate * g / (torch.sqrt(self.v) + EPSILON)


@dataclass
class Adam:
    """Kingma and Ba 2015, algorithm 1: momentum and RMSprop together.

    ``m`` and ``v`` begin at 0 and are too small at first; the divisions by ``1 - beta^t`` make up for it.
    """

    rate: float
    beta_1: float = 0.9
    beta_2: float = 0.999
    m: Tensor | float = 0.0
    v: Tensor | float = 0.0
    t: int = 0

    def step(self, w: Tensor, g: Tensor) -> Tensor:
        """Return the parameters after a step."""
        self.t += 1
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g**2
        m = self.m / (1 - self.beta_1**self.t)
        v = self.v / (1 - self.beta_2**self.t)
        return w - self.rate * m / (torch.sqrt(v) + EPSILON)
