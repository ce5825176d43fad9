"""Random crops: while training, a piece of a review in place of the whole, drawn anew each epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

CROPS = 1  # tells these draws apart from those of the batches' order, whose key is (seed, epoch)


def draw_crops(
    token_ids: Sequence[np.ndarray], longest: int, shortest: int | None, share: float, key: tuple[int, ...]
) -> list[np.ndarray]:
    """Cut a piece out of each review.

    What becomes of a review is a pure function of the key and its index, so a run that is resumed, and every process
    of several, draws the same.

    Parameters
    ----------
    token_ids : list of N (T,) integer arrays
    longest : tokens of a piece, at most; a review that is not longer is read whole
    shortest : where given, each review's own limit is drawn between it and ``longest``, evenly in its logarithm
    share : of the reviews that are cut at all, in expectation
    key : (seed, epoch)

    Returns
    -------
    list of N (at most ``longest``,) integer arrays
        Views into the reviews; longer ones where ``share`` left them whole.
    """
    is_cut, size, place = np.random.default_rng((*key, CROPS)).random((len(token_ids), 3)).T
    limits = np.full(len(token_ids), longest)
    if shortest is not None:  # floor(exp(u)) with u uniform on [log shortest, log(longest + 1))
        limits = (shortest * np.exp(size * math.log((longest + 1) / shortest))).astype(np.int64)
        limits = limits.clip(shortest, longest)  # whatever the logarithm rounds to
    pieces = []
    for ids, drawn, limit, where in zip(token_ids, is_cut < share, limits.tolist(), place.tolist(), strict=True):
        spare = len(ids) - limit  # places besides the first where a piece can begin
        start = int(where * (spare + 1))
        pieces.append(ids[start : start + limit] if drawn and spare > 0 else ids)
    return pieces
