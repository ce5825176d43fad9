"""The padded recurrence against torch's packed one: outputs, last states, gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
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


def plain_recurrence(layer: nn.Module, hidden_weight: Tensor, inputs: Tensor) -> Tensor:
    """The (B, T, H) outputs, step by step as the equations have it."""
    steps = inputs @ layer.weight_ih_l0.T + layer.bias_ih_l0 + layer.bias_hh_l0
    hidden = cell = inputs.new_zeros(len(inputs), layer.hidden_size)
    outputs = []
    for step in steps.unbind(1):
        gates = step + hidden @ hidden_weight.T
        if isinstance(layer, nn.RNN):
            hidden = gates.tanh()
        else:
            enter, forget, new, leave = gates.chunk(4, 1)
            cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
            hidden = leave.sigmoid() * cell.tanh()
        outputs.append(hidden)
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("kind", ["lstm", "rnn"])
def test_dropped_recurrent_weights_equal_the_plain_recurrence(kind: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    recurrent = Recurrent(kind, 3, 5, recurrent_dropout=0.4).to(dtype)
    (layer,) = recurrent.forwards
    inputs, lengths = torch.randn(4, 6, 3, dtype=dtype, requires_grad=True), torch.tensor([6, 6, 6, 6])
    read = [inputs, *layer.parameters()]
    torch.manual_seed(1)
    outputs, _ = recurrent(inputs, lengths)
    gradients = torch.autograd.grad((outputs**2).sum(), read)
    torch.manual_seed(1)
    dropped = F.dropout(layer.weight_hh_l0, 0.4)
    assert 0 < (dropped == 0).sum() < dropped.numel()
    expected = plain_recurrence(layer, dropped, inputs)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(outputs, expected, atol=tolerance, rtol=0)
    for own, other in zip(gradients, torch.autograd.grad((expected**2).sum(), read), strict=True):
        torch.testing.assert_close(own, other, atol=10 * tolerance, rtol=0)


def test_recurrent_weights_are_dropped_anew_each_pass_and_only_while_training() -> None:
    recurrent, plain = Recurrent("lstm", 3, 4, 2, True, recurrent_dropout=0.5), Recurrent("lstm", 3, 4, 2, True)
    plain.load_state_dict(recurrent.state_dict())
    inputs, lengths = torch.randn(2, 5, 3), torch.tensor([5, 2])
    assert not torch.equal(recurrent(inputs, lengths)[0], recurrent(inputs, lengths)[0])
    assert torch.equal(recurrent.eval()(inputs, lengths)[0], plain(inputs, lengths)[0])


@pytest.mark.parametrize(("layers", "both"), [(1, False), (2, True)])
@pytest.mark.parametrize("size", [1, 3, 4, 11])
def test_segments_equal_each_one_read_alone(layers: int, both: bool, size: int) -> None:
    torch.manual_seed(0)
    recurrent = Recurrent("lstm", 3, 5, layers, both, segment_length=size).double()
    inputs, lengths = torch.randn(4, 12, 3, dtype=torch.float64, requires_grad=True), torch.tensor([12, 1, 7, 4])
    mask = (torch.arange(12) < lengths[:, None])[:, :, None]
    outputs, last_hidden = recurrent(inputs, lengths)
    assert torch.isfinite(outputs).all(), "a mean multiplies padding by zero"
    read = [inputs, *recurrent.parameters()]
    gradients = torch.autograd.grad((outputs * mask).square().sum() + last_hidden.square().sum(), read)

    recurrent.segment_length, total = None, torch.zeros((), dtype=torch.float64)
    for number, length in enumerate(lengths):
        alone = [recurrent(part[None], torch.tensor([len(part)])) for part in inputs[number, :length].split(size)]
        expected, ends = torch.cat([part[0] for part, _ in alone]), [end[:, 0] for _, end in alone]
        last = ends[-1]
        if both:  # backwards a review ends with its first segment
            last = torch.stack([ends[0][i] if i % 2 else ends[-1][i] for i in range(2 * layers)])
        torch.testing.assert_close(outputs[number, :length], expected)
        torch.testing.assert_close(last_hidden[:, number], last)
        total = total + expected.square().sum() + last.square().sum()
    for own, other in zip(gradients, torch.autograd.grad(total, read), strict=True):
        torch.testing.assert_close(own, other)


@pytest.mark.parametrize("width", [6, 8])
def test_reviews_that_fit_into_a_segment_are_read_as_without(width: int) -> None:
    whole, cut = Recurrent("lstm", 3, 5, 2, True), Recurrent("lstm", 3, 5, 2, True, segment_length=6)
    cut.load_state_dict(whole.state_dict())
    inputs, lengths = torch.randn(3, width, 3), torch.tensor([6, 2, 5])
    (outputs, last_hidden), (expected, expected_hidden) = cut(inputs, lengths), whole(inputs, lengths)
    mask = (torch.arange(width) < lengths[:, None])[:, :, None]
    assert torch.equal(outputs * mask, expected * mask)
    assert torch.equal(last_hidden, expected_hidden)
