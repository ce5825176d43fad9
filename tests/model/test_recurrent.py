"""The padded recurrence against torch's packed one: outputs, last states, gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sentiment_lstm.model.recurrent import Recurrent, reversal_index

LENGTHS = [[7, 7, 7], [9, 1, 4], [1], [1, 1], [3, 12, 5, 12, 2], list(range(1, 34))]


def packed_twin(recurrent: Recurrent, kind: str, input_dim: int, hidden_dim: int, layers: int, both: bool) -> nn.Module:
    """torch's own recurrence, as its documentation would have one use it, with the same weights."""
    twin = {"lstm": nn.LSTM, "rnn": nn.RNN}[kind](input_dim, hidden_dim, layers, batch_first=True, bidirectional=both)
    with torch.no_grad():
        for layer in range(layers):
            directions = [("", recurrent.forwards)] + ([("_reverse", recurrent.backwards)] if both else [])
            for suffix, modules in directions:
                for name, value in modules[layer].named_parameters():
                    getattr(twin, name.replace("_l0", f"_l{layer}") + suffix).copy_(value)
    return twin


def weights_of(twin: nn.Module, recurrent: Recurrent, layers: int, both: bool) -> list[tuple[Tensor, Tensor]]:
    """Pairs of corresponding parameters."""
    pairs = []
    for layer in range(layers):
        directions = [("", recurrent.forwards)] + ([("_reverse", recurrent.backwards)] if both else [])
        for suffix, modules in directions:
            for name, value in modules[layer].named_parameters():
                pairs.append((value, getattr(twin, name.replace("_l0", f"_l{layer}") + suffix)))
    return pairs


@pytest.mark.parametrize("kind", ["lstm", "rnn"])
@pytest.mark.parametrize(("layers", "both"), [(1, False), (1, True), (2, True), (3, False)])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_equals_packed(kind: str, layers: int, both: bool, lengths: list[int]) -> None:
    torch.manual_seed(0)
    recurrent = Recurrent(kind, 5, 6, layers, both)
    twin = packed_twin(recurrent, kind, 5, 6, layers, both)
    sizes = torch.tensor(lengths)
    width = max(lengths) + 3  # padding past the longest too
    ours = torch.randn(len(lengths), width, 5, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()

    outputs, last_hidden = recurrent(ours, sizes)
    packed = pack_padded_sequence(theirs, sizes, batch_first=True, enforce_sorted=False)
    packed_outputs, state = twin(packed)
    expected, _ = pad_packed_sequence(packed_outputs, batch_first=True, total_length=width)
    expected_hidden = state[0] if kind == "lstm" else state

    mask = (torch.arange(width) < sizes[:, None])[:, :, None]
    torch.testing.assert_close(outputs * mask, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(last_hidden, expected_hidden, atol=1e-5, rtol=0)

    probe = torch.randn_like(expected) * mask
    hidden_probe = torch.randn_like(expected_hidden)
    ((outputs * probe).sum() + (last_hidden * hidden_probe).sum()).backward()
    ((expected * probe).sum() + (expected_hidden * hidden_probe).sum()).backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=0)
    for own, other in weights_of(twin, recurrent, layers, both):
        torch.testing.assert_close(own.grad, other.grad, atol=1e-5, rtol=1e-5)


def test_reversal_is_its_own_inverse() -> None:
    lengths = torch.tensor([4, 1, 3])
    index = reversal_index(lengths, 5)
    rows = torch.arange(5).expand(3, 5)
    assert torch.equal(rows.gather(1, index).gather(1, index), rows)
    assert index[0].tolist() == [3, 2, 1, 0, 4]


def test_dropout_stands_between_layers_only_while_training() -> None:
    recurrent = Recurrent("lstm", 3, 4, 2, True, dropout=0.9)
    inputs, lengths = torch.randn(2, 5, 3), torch.tensor([5, 2])
    torch.manual_seed(0)
    first, _ = recurrent(inputs, lengths)
    second, _ = recurrent(inputs, lengths)
    assert not torch.equal(first, second)
    recurrent.eval()
    assert torch.equal(recurrent(inputs, lengths)[0], recurrent(inputs, lengths)[0])
