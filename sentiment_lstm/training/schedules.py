"""The learning rate as a pure function of how far training is, so that a resumed run needs no hidden state."""

from __future__ import annotations

import math


def schedule_factor(schedule: str, progress: float, warmup_share: float) -> float:
    """Return what the peak learning rate is multiplied by.

    Parameters
    ----------
    schedule : "constant", "cosine", "one_cycle" or "reduce_on_plateau"
        All rise linearly over the warm-up. Then the first stays (as does the last, whose reductions the trainer
        applies), ``cosine`` falls to zero along half a cosine (Loshchilov and Hutter 2017, equation 5), ``one_cycle``
        falls to zero along a straight line (Smith and Topin 2018).
    progress : float
        Optimiser steps done, as a share of all, in [0, 1].
    warmup_share : float
        In [0, 1).
    """
    if progress < warmup_share:
        return progress / warmup_share
    decay = (progress - warmup_share) / (1 - warmup_share)
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * decay))
    if schedule == "one_cycle":
        return 1 - decay
    return 1.0
