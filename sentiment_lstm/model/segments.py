"""Long reviews cut into segments, which a recurrent layer reads side by side, each from a zero state."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


class Segments:
    """Where the segments of a padded batch lie.

    Each review is cut from its first step on into segments of S steps, the last one of what is left. Segments without
    a word are left out, so they cost nothing. Letters: B reviews, T steps, N segments that hold a word.

    Parameters
    ----------
    lengths : (B,) int64 tensor
        At least 1.
    num_steps : T
    size : S

    Attributes
    ----------
    lengths : (N,) int64 tensor
        Of the segments, in the order of the reviews and within one of its text.
    first, last : (B,) int64 tensors
        Which segment each review begins and ends with.

    >>> segments = Segments(torch.tensor([5, 2]), num_steps=6, size=2)
    >>> segments.lengths, segments.first, segments.last
    (tensor([2, 2, 1, 2]), tensor([0, 3]), tensor([2, 3]))
    """

    def __init__(self, lengths: Tensor, num_steps: int, size: int) -> None:
        starts = torch.arange(0, num_steps, size, device=lengths.device)
        every = (lengths[:, None] - starts).clamp(0, size)  # (B, ceil(T / S))
        self._shape = (len(lengths), num_steps, len(starts), size)
        self._rows = every.flatten().nonzero().squeeze(1)  # (N,) of the B * ceil(T / S)
        self.lengths = every.flatten()[self._rows]
        self.last = (every > 0).sum(1).cumsum(0) - 1
        self.first = F.pad(self.last[:-1] + 1, (1, 0))

    def cut(self, inputs: Tensor) -> Tensor:
        """Turn a (B, T, D) tensor into an (N, S, D) one."""
        batch_size, num_steps, count, size = self._shape
        padded = F.pad(inputs, (0, 0, 0, count * size - num_steps))
        return padded.reshape(batch_size * count, size, -1).index_select(0, self._rows)

    def join(self, outputs: Tensor) -> Tensor:
        """Turn an (N, S, D) tensor into a (B, T, D) one, zero where a segment was left out."""
        batch_size, num_steps, count, size = self._shape
        every = outputs.new_zeros(batch_size * count, size, outputs.shape[2]).index_copy(0, self._rows, outputs)
        return every.view(batch_size, count * size, -1)[:, :num_steps]
