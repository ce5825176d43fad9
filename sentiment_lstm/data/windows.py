"""Texts to the windows a language model reads: joined to streams side by side, cut to pieces that follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sentiment_lstm.data.tokenizer import PAD_ID


@dataclass(frozen=True)
class Window:
    """A piece of all streams.

    Attributes
    ----------
    token_ids, targets : (B, T) int64 tensors
        Words, and for each the one that comes after it.
    index : int
        Where it stands in its epoch; the first one starts without a state.
    """

    token_ids: Tensor
    targets: Tensor
    index: int

    def to(self, device: torch.device) -> Window:
        """Return the window with its tensors on a device."""
        return Window(self.token_ids.to(device), self.targets.to(device), self.index)


class Streams:
    """Texts in an order that ``shuffle_key`` alone decides, joined, and laid out as ``num_streams`` rows.

    Between two texts stands ``<pad>``: as an input it is the zero vector, a fresh start; as a target it is the end.
    What is left over when the rows are filled evenly, less than a word a row, is not read in this order.

    Parameters
    ----------
    token_ids : list of (T,) int32 arrays
    num_streams, window : B and T
    shuffle_key : (seed, epoch), or ``None`` for the order of ``token_ids``
    backward : bool
        Read each text from its last word to its first.
    """

    def __init__(
        self,
        token_ids: Sequence[np.ndarray],
        num_streams: int,
        window: int,
        shuffle_key: tuple[int, int] | None = None,
        backward: bool = False,
    ) -> None:
        order = np.arange(len(token_ids))
        if shuffle_key is not None:
            order = np.random.default_rng(shuffle_key).permutation(order)
        end = np.array([PAD_ID], dtype=np.int32)
        parts = [end]
        for index in order.tolist():
            parts += [token_ids[index][::-1] if backward else token_ids[index], end]
        words = np.concatenate(parts)
        self.window = window
        self.num_streams = max(min(num_streams, len(words) - 1), 1)
        length = (len(words) - 1) // self.num_streams
        self._inputs = words[: length * self.num_streams].reshape(self.num_streams, length)
        self._targets = words[1 : length * self.num_streams + 1].reshape(self.num_streams, length)

    def __len__(self) -> int:
        """Return the number of windows; the last one may be shorter."""
        return -(-self._inputs.shape[1] // self.window)

    def __getitem__(self, index: int) -> Window:
        start, end = index * self.window, (index + 1) * self.window
        inputs, targets = self._inputs[:, start:end], self._targets[:, start:end]
        return Window(torch.from_numpy(inputs.astype(np.int64)), torch.from_numpy(targets.astype(np.int64)), index)
