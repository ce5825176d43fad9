"""A loss that jumps: named with its step and its reviews, while one can still look at them."""

from __future__ import annotations

import math
from dataclasses import dataclass

DECAY = 0.98  # of the running mean and variance: they remember about 50 steps
SETTLED_STEPS = 50
DEVIATIONS = 6.0


@dataclass
class LossWatch:
    """The running mean and variance of the loss of single steps (West 1979, with exponential weights).

    Attributes
    ----------
    chance : float
        The loss of guessing, log C. No loss below it is a spike, however calm the steps before were.
    """

    chance: float
    steps: int = 0
    mean: float = 0.0
    variance: float = 0.0

    def is_spike(self, loss: float) -> bool:
        """Take in the loss of a step, and say whether it stands out from those before."""
        limit = max(self.mean + DEVIATIONS * math.sqrt(self.variance), self.chance)
        spike = self.steps >= SETTLED_STEPS and loss > limit
        share = max(1 - DECAY, 1 / (self.steps + 1))  # the first steps count equally
        change = loss - self.mean
        self.steps += 1
        self.mean += share * change
        self.variance = (1 - share) * (self.variance + share * change**2)
        return spike
