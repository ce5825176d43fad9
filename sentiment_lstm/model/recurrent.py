"""LSTM and plain RNN over padded batches, equal to the packed result and many times faster on a CPU.

`pack_padded_sequence` takes a CPU out of oneDNN's fast recurrent kernel (pytorch issue 149194). So nothing is packed
here. Reading forwards, right padding comes after the last word and cannot change what came before it. Reading
backwards it would come first, so each review is reversed within its own length, read by a second *forward* LSTM, and
reversed back. What a kernel writes at padded positions is never read: pooling masks it.

Shapes: B reviews, T tokens, D inputs, H hidden numbers per direction.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sentiment_lstm.model.segments import Segments


def reversal_index(lengths: Tensor, num_steps: int) -> Tensor:
    """Return the (B, T) index that reverses each row within its length and leaves the padding where it is.

    It is its own inverse.

    >>> reversal_index(torch.tensor([3, 2]), 4)
    tensor([[2, 1, 0, 3],
            [1, 0, 2, 3]])
    """
    steps = torch.arange(num_steps, device=lengths.device).expand(len(lengths), -1)
    return torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)


class _Reorder(torch.autograd.Function):
    """Permute the rows of a matrix by an index that is its own inverse, so that the gradient is permuted by it too.

    Autograd's own gradient of a gather is a scatter-add, which does not know that no row is read twice: with it a
    bidirectional 2 x 64 step of 32 x 200 tokens took a tenth longer.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return _Reorder.apply(gradient, index), None


def reorder_steps(sequence: Tensor, index: Tensor) -> Tensor:
    """Take the steps of a (B, T, D) tensor in the order of a (B, T) index that is its own inverse."""
    batch_size, num_steps, dim = sequence.shape
    first_rows = torch.arange(0, batch_size * num_steps, num_steps, device=index.device)
    rows = (first_rows[:, None] + index).flatten()  # (B * T,)
    flat = sequence.reshape(batch_size * num_steps, dim)
    needs_gradient = torch.is_grad_enabled() and sequence.requires_grad
    reordered = _Reorder.apply(flat, rows) if needs_gradient else flat.index_select(0, rows)
    return reordered.view(batch_size, num_steps, dim)


def last_step(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Return the (B, D) step at each review's last token of a (B, T, D) tensor."""
    return outputs[torch.arange(len(lengths), device=outputs.device), lengths - 1]


class Recurrent(nn.Module):
    """Stacked recurrent layers, in one or both directions.

    Parameters
    ----------
    kind : "lstm" (Hochreiter and Schmidhuber 1997, with forget gates) or "rnn" (Elman 1990, tanh)
    input_dim, hidden_dim, num_layers : D, H and the number of layers
    bidirectional : read from both ends (Schuster and Paliwal 1997)
    dropout : between layers, while training
    recurrent_dropout : share of the hidden-to-hidden weights dropped while training; see :meth:`read`
    segment_length : steps that are read on end; a longer review is cut, and each segment read from a zero state
    """

    def __init__(
        self,
        kind: str,
        input_dim: int,
        hidden_dim: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        segment_length: int | None = None,
    ) -> None:
        super().__init__()
        layer_type = {"lstm": nn.LSTM, "rnn": nn.RNN}[kind]
        self.output_dim = hidden_dim * (2 if bidirectional else 1)
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.segment_length = segment_length
        dims = [input_dim] + [self.output_dim] * (num_layers - 1)
        self.forwards = nn.ModuleList(layer_type(dim, hidden_dim, batch_first=True) for dim in dims)
        self.backwards = nn.ModuleList(
            layer_type(dim, hidden_dim, batch_first=True) for dim in (dims if bidirectional else [])
        )

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read a padded batch.

        Parameters
        ----------
        inputs : (B, T, D) floating-point tensor
        lengths : (B,) int64 tensor

        Returns
        -------
        outputs : (B, T, H * directions) tensor
            Of the top layer; what stands at padded positions means nothing.
        last_hidden : (num_layers * directions, B, H) tensor
            The hidden state after each direction's last word, in the order of ``torch.nn.LSTM``'s ``h_n``. Of a review
            in segments it is that of its last segment forwards, and of its first one backwards.
        """
        if self.segment_length is None or inputs.shape[1] <= self.segment_length:
            return self._read_whole(inputs, lengths)
        segments = Segments(lengths, inputs.shape[1], self.segment_length)
        outputs, last_hidden = self._read_whole(segments.cut(inputs), segments.lengths)
        ends = [segments.last, segments.first] if self.backwards else [segments.last]
        own = [hidden[ends[number % len(ends)]] for number, hidden in enumerate(last_hidden)]  # each (B, H)
        return segments.join(outputs), torch.stack(own)

    def _read_whole(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """:meth:`forward` without segments."""
        reversal = reversal_index(lengths, inputs.shape[1]) if self.backwards else None
        last_hidden = []
        outputs = inputs
        for number, forwards in enumerate(self.forwards):
            if number > 0:
                outputs = F.dropout(outputs, self.dropout, self.training)
            ahead, _ = self.read(forwards, outputs)  # (B, T, H)
            last_hidden.append(last_step(ahead, lengths))
            if reversal is None:
                outputs = ahead
                continue
            turned = reorder_steps(outputs, reversal)  # last word first
            behind, _ = self.read(self.backwards[number], turned)  # (B, T, H)
            last_hidden.append(last_step(behind, lengths))
            outputs = torch.cat([ahead, reorder_steps(behind, reversal)], dim=2)  # (B, T, 2H)
        return outputs, torch.stack(last_hidden)

    def read(self, layer: nn.Module, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Call one of the layers, some of its hidden-to-hidden weights dropped while training.

        DropConnect (Wan et al. 2013) as Merity, Keskar and Socher 2018 (section 2) have it: a mask is drawn once a call
        and holds at every step, so the recurrence stays torch's own fast one.

        Parameters
        ----------
        layer : nn.LSTM or nn.RNN
            Of one layer and one direction, ``batch_first``.
        inputs : (B, T, D) floating-point tensor
        state : as the layer takes it, optional
            From zeros where none is given.

        Returns
        -------
        (B, T, H) tensor and the state after the last step, as of the layer
        """
        if not self.training or self.recurrent_dropout == 0:
            return layer(inputs, state)
        assert isinstance(layer, nn.RNNBase)
        # An nn.LSTM keeps a list of its weights besides the parameters, so functional_call would change nothing.
        weights = [
            F.dropout(weight, self.recurrent_dropout) if name.startswith("weight_hh") else weight
            for name, weight in layer.named_parameters()
        ]
        zeros = inputs.new_zeros(1, len(inputs), layer.hidden_size)
        with warnings.catch_warnings():  # on a GPU that the dropped weights do not lie beside the others
            warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
            if isinstance(layer, nn.LSTM):
                hidden_and_cell = (zeros, zeros) if state is None else state
                outputs, *after = torch.lstm(inputs, hidden_and_cell, weights, True, 1, 0.0, True, False, True)
                return outputs, tuple(after)
            hidden = zeros if state is None else state
            return torch.rnn_tanh(inputs, hidden, weights, True, 1, 0.0, True, False, True)
