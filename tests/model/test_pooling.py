"""Pooling: worked examples, and padding that holds anything."""

from __future__ import annotations

import pytest
import torch

from sentiment_lstm.model.pooling import Pooling, length_mask, masked_max, masked_mean

OUTPUTS = torch.tensor([[[1.0, -2.0], [3.0, -4.0], [99.0, 99.0]], [[5.0, -6.0], [-99.0, 99.0], [99.0, 1e30]]])
LENGTHS = torch.tensor([2, 1])


def test_worked_example() -> None:
    mask = length_mask(LENGTHS, 3)
    assert mask.tolist() == [[True, True, False], [True, False, False]]
    assert masked_mean(OUTPUTS, mask).tolist() == [[2.0, -3.0], [5.0, -6.0]]
    assert masked_max(OUTPUTS, mask).tolist() == [[3.0, -2.0], [5.0, -6.0]]


@pytest.mark.parametrize("kind", ["last", "mean", "max", "mean_max", "attention"])
def test_padding_never_counts(kind: str) -> None:
    torch.manual_seed(0)
    pooling = Pooling(kind, 4)
    lengths = torch.tensor([3, 1, 5])
    outputs, last_hidden = torch.randn(3, 5, 4), torch.randn(2, 3, 2)
    poisoned = torch.where(length_mask(lengths, 5)[:, :, None], outputs, 1e30)
    pooled = pooling(outputs, lengths, last_hidden)
    assert pooled.shape == (3, pooling.output_dim)
    assert pooled.dtype == torch.float32
    torch.testing.assert_close(pooling(poisoned, lengths, last_hidden), pooled, atol=0, rtol=0)


@pytest.mark.parametrize("kind", ["mean", "max", "mean_max", "attention"])
def test_gradient_reaches_words_and_never_padding(kind: str) -> None:
    torch.manual_seed(0)
    outputs = torch.randn(2, 4, 6, requires_grad=True)
    lengths = torch.tensor([4, 2])
    Pooling(kind, 6)(outputs, lengths, torch.randn(1, 2, 6)).square().sum().backward()
    assert outputs.grad is not None
    assert outputs.grad[1, 2:].abs().max() == 0
    assert (outputs.grad[1, :2].abs().sum(0) > 0).all()


def test_attention_weights_are_a_mean_of_the_words() -> None:
    pooling = Pooling("attention", 3)
    constant = torch.full((1, 5, 3), 2.0)
    torch.testing.assert_close(pooling(constant, torch.tensor([4]), torch.zeros(1, 1, 3)), torch.full((1, 3), 2.0))
