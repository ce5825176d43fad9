"""A trained model's recurrent layers read one word at a time, so that each state can be seen and differentiated.

The formulas are those of ``lstm_by_hand.py``, for a batch. A plain RNN (Elman 1990) is one line: h_t = tanh(z_t).

Letters: B texts of the same length, T steps, D inputs, H hidden numbers per direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch
from torch import Tensor, nn

from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.model.recurrent import Recurrent

DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True)
class Sentence:
    """What a model reads of a text.

    Attributes
    ----------
    words : as written, one a token
    token_ids : (1, T) int64 tensor, on the model's device
    num_tokens : of the whole text, of which the first or the kept ones are here
    """

    words: tuple[str, ...]
    token_ids: Tensor
    num_tokens: int


@dataclass(frozen=True)
class Step:
    """What a recurrent layer computed at one word, (B, H) tensors; a plain RNN has no cell state and no gates."""

    h: Tensor
    c: Tensor | None = None
    i: Tensor | None = None
    f: Tensor | None = None
    o: Tensor | None = None


def read(recurrent: Recurrent, inputs: Tensor) -> list[list[Step]]:
    """Read texts of one length as ``Recurrent`` does once training is over.

    Parameters
    ----------
    inputs : (B, T, D) floating-point tensor

    Returns
    -------
    list of T steps for each direction of the top layer, both in the order of the text
    """
    num_steps = inputs.shape[1]
    size = recurrent.segment_length or num_steps  # a longer text is cut, and each segment read from a zero state
    ahead = range(num_steps)
    starts, ends = ahead[::size], [*ahead[size - 1 :: size], num_steps - 1]
    directions: list[list[Step]] = []
    for forwards, backwards in zip_longest(recurrent.forwards, recurrent.backwards):
        directions = [_read_layer(forwards, inputs, ahead, starts)]
        if backwards is not None:
            directions.append(_read_layer(backwards, inputs, ahead[::-1], ends))
        inputs = outputs_of(directions)
    return directions


def _read_layer(layer: nn.Module, inputs: Tensor, order: Sequence[int], starts: Sequence[int]) -> list[Step]:
    """Read the words in an order, from a zero state at each of ``starts``."""
    assert isinstance(layer, nn.RNNBase)
    W, U, b, b_more = layer.parameters()  # torch has two biases that are always added
    zeros = inputs.new_zeros(len(inputs), layer.hidden_size)
    h = c = zeros
    steps = {}
    for t in order:
        if t in starts:
            h = c = zeros
        z = inputs[:, t] @ W.T + h @ U.T + b + b_more
        if isinstance(layer, nn.LSTM):
            z_i, z_f, z_g, z_o = z.chunk(4, dim=1)
            i, f, g, o = torch.sigmoid(z_i), torch.sigmoid(z_f), torch.tanh(z_g), torch.sigmoid(z_o)
            c = f * c + i * g
            h = o * torch.tanh(c)
            steps[t] = Step(h, c, i, f, o)
        else:
            h = torch.tanh(z)
            steps[t] = Step(h)
    return [steps[t] for t in range(len(steps))]


def outputs_of(directions: Sequence[Sequence[Step]]) -> Tensor:
    """Return the (B, T, H * directions) outputs of a layer."""
    return torch.cat([torch.stack([step.h for step in steps], dim=1) for steps in directions], dim=2)


def recurrent_inputs(model: SentimentClassifier, token_ids: Tensor) -> Tensor:
    """Return what the recurrent layers read, (1, steps, D): embeddings, or a cnn_lstm's pooled groups of them."""
    embedded = model.embed(token_ids)
    if model.conv is None:
        return embedded
    features, _ = model.conv(embedded, torch.tensor([token_ids.shape[1]]))
    return features


def step_words(model: SentimentClassifier, words: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return what to write under each step of the recurrent layers, and how many words have been read after it.

    A step is a word; a cnn_lstm's is a group of neighbouring words, written as its first one and its last one.
    """
    size = model.conv.pool_size if model.conv is not None else 1
    groups = [words[start : start + size] for start in range(0, len(words), size)]
    names = [group[0] if len(group) == 1 else f"{group[0]}…{group[-1]}" for group in groups]
    return tuple(names), tuple(min(size * (number + 1), len(words)) for number in range(len(groups)))
