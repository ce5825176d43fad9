"""The learning rate as a pure function of how far training is, so that a resumed run needs no hidden state."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sentiment_lstm.config import TrainingConfig


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


def layer_factor(config: TrainingConfig, layer: str, epoch: int, taken_over: Sequence[str]) -> float:
    """Return what a layer's learning rate is multiplied by (Howard and Ruder 2018, sections 3.2 and 3.3).

    Parameters
    ----------
    epoch : from 1 on
    taken_over : layers that another run has trained, the top one first
    """
    if layer == "ngrams":
        return config.ngram_rate
    if layer not in taken_over:
        return 1.0
    depths = list(dict.fromkeys(_depth(own) for own in taken_over))
    place = depths.index(_depth(layer))
    if config.gradual_unfreezing and epoch < place + 2:
        return 0.0
    return config.init_rate ** (place + 1)


def _depth(layer: str) -> str:
    """The two directions of a recurrent layer stand side by side, not one above the other."""
    return layer.replace("backwards", "forwards")
