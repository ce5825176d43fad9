"""When memory runs out: the same work again, with half as much of a batch in memory at once."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from sentiment_lstm.config import TrainingConfig
from sentiment_lstm.errors import OutOfMemory

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, the machine's or the GPU's, does not suffice."""
    message = str(error).lower()
    return isinstance(error, MemoryError) or any(
        sign in message for sign in ("out of memory", "can't allocate memory", "could not create a memory object")
    )


def within_memory(compute: Callable[[], Result], make_room: Callable[[BaseException], None]) -> Result:
    """Return ``compute()``, tried again after each ``make_room(problem)`` while memory does not suffice.

    Other errors are left as they are; so is what ``make_room`` raises where no room can be made.
    """
    while True:
        try:
            return compute()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            problem = error.with_traceback(None)  # lets go of the tensors of the failed pass
        make_room(problem)


class Pieces:
    """The pieces in which batches go through the model: whole ones, until memory runs out.

    Attributes
    ----------
    tokens : int or None
        Tokens of a piece, padding included, at most; ``None``: as many as the batch has.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        self.tokens: int | None = None

    def cut(self, indices: np.ndarray, lengths: Sequence[int]) -> list[np.ndarray]:
        """Return a batch, the indices of its reviews, in pieces; ``lengths`` are those of all reviews, in tokens."""
        if not len(indices):
            return []
        longest = max(max(lengths[index] for index in indices), 1)
        rows = len(indices) if self.tokens is None else max(self.tokens // longest, 1)
        return [indices[start : start + rows] for start in range(0, len(indices), rows)]

    def halve(self, batches: Sequence[tuple[np.ndarray, Sequence[int]]], step: int, problem: BaseException) -> None:
        """Let half as many tokens through at once, as the largest piece of ``batches`` has, each as :meth:`cut` takes.

        Raises
        ------
        OutOfMemory
            Where ``auto_batch`` is off, or a single review is too much.
        """
        pieces = [
            (len(piece), max(max(lengths[index] for index in piece), 1))
            for indices, lengths in batches
            for piece in self.cut(indices, lengths)
        ]
        rows, longest = max(pieces, key=math.prod)
        tokens = rows * longest
        what = f"out of memory at step {step}: {rows} reviews of up to {longest} tokens"
        if not self.config.auto_batch or rows == 1:
            limit = self.config.batch_tokens
            advice = "" if self.config.auto_batch else ", or add --auto-batch"
            raise OutOfMemory(
                f"{what}, {tokens:,} in all, at once: halve training.batch_tokens (to {max(tokens // 2, 1):,}; it is "
                f"{limit:,}) or tokenizer.max_length{advice}"
            ) from problem
        self.tokens = tokens // 2
        logger.warning("%s: going on with at most %d tokens at once", what, self.tokens)
