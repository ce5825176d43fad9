"""From the outputs of all words to one vector a review. Padded positions never count.

Shapes: B reviews, T steps, D numbers a step; ``mask`` is (B, T) bool, true where there is a word.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def length_mask(lengths: Tensor, num_steps: int) -> Tensor:
    """Return the (B, T) mask of the positions before each length.

    >>> length_mask(torch.tensor([3, 1]), 4).int()
    tensor([[1, 1, 1, 0],
            [1, 0, 0, 0]], dtype=torch.int32)
    """
    return torch.arange(num_steps, device=lengths.device) < lengths[:, None]


def masked_mean(outputs: Tensor, mask: Tensor) -> Tensor:
    """Return the (B, D) float32 mean over the steps of the mask.

    A matrix product with the mask, (B, 1, T) @ (B, T, D), in a third of the time of a sum. Padded outputs are
    multiplied by zero, so they must be finite, as those of an LSTM are.
    """
    sums = torch.bmm(mask[:, None, :].to(outputs.dtype), outputs).squeeze(1)
    return sums.float() / mask.sum(1, keepdim=True)


def masked_max(outputs: Tensor, mask: Tensor) -> Tensor:
    """Return the (B, D) maximum over the steps of the mask.

    ``max`` remembers where each maximum stood; ``amax`` searches again for its gradient, at twice the time.
    """
    penalty = torch.zeros(mask.shape, dtype=outputs.dtype, device=mask.device).masked_fill(~mask, -torch.inf)
    return (outputs + penalty[:, :, None]).max(1).values


class AttentionPooling(nn.Module):
    """A mean weighted by a softmax over one learned score a step (Yang et al. 2016, equations 5 to 7)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.projection = nn.Linear(dim, dim)
        self.context = nn.Linear(dim, 1, bias=False)

    def forward(self, outputs: Tensor, mask: Tensor) -> Tensor:
        """Pool (B, T, D) outputs to (B, D)."""
        scores = self.context(torch.tanh(self.projection(outputs))).squeeze(2)  # (B, T)
        weights = torch.where(mask, scores.float(), -torch.inf).softmax(1)
        kept = torch.where(mask[:, :, None], outputs, 0).float()
        return torch.einsum("bt,btd->bd", weights, kept)


class Pooling(nn.Module):
    """One of ``last``, ``mean``, ``max``, ``mean_max`` and ``attention``.

    ``last`` is the top layer's hidden state after each direction's last word.
    """

    def __init__(self, kind: str, dim: int) -> None:
        super().__init__()
        self.kind = kind
        self.output_dim = 2 * dim if kind == "mean_max" else dim
        self.attention = AttentionPooling(dim) if kind == "attention" else None

    def forward(self, outputs: Tensor, lengths: Tensor, last_hidden: Tensor) -> Tensor:
        """Pool to a (B, output_dim) float32 tensor.

        Parameters
        ----------
        outputs : (B, T, D) tensor
        lengths : (B,) int64 tensor
        last_hidden : (directions, B, D / directions) tensor
            The top layer's.
        """
        if self.kind == "last":
            return torch.cat(list(last_hidden), dim=1).float()
        mask = length_mask(lengths, outputs.shape[1])
        if self.attention is not None:
            return self.attention(outputs, mask)
        if self.kind == "mean":
            return masked_mean(outputs, mask)
        if self.kind == "max":
            return masked_max(outputs, mask).float()
        return torch.cat([masked_mean(outputs, mask), masked_max(outputs, mask).float()], dim=1)
