"""The lesson ``learn lstm``: the backward pass by hand against autograd, finite differences and ``torch.nn.LSTM``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sentiment_lstm.lessons.language import Say, table
from sentiment_lstm.lessons.lstm_by_hand import Weights, backward, forward

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AUTOGRAD_LIMIT = 1e-8  # largest difference that passes
DIFFERENCES_LIMIT = 1e-5  # central differences are themselves only so exact
CELL_LIMIT = 1e-10
STEP = 1e-5  # of the finite differences: errors of about STEP^2 for the curve's bend and 1e-16 / STEP for rounding
SIZES = {"words": 6, "V": 7, "E": 3, "H": 4, "C": 2}  # every number can still be read


@dataclass(frozen=True)
class Row:
    """One parameter's check.

    Attributes
    ----------
    name, shape : of the parameter
    gradient_norm : Euclidean, of its gradient by hand
    autograd, differences : largest absolute difference of the gradient by hand from these
    """

    name: str
    shape: tuple[int, ...]
    gradient_norm: float
    autograd: float
    differences: float


@dataclass(frozen=True)
class LSTMCheck:
    """What the three checks gave.

    Attributes
    ----------
    seed : of weights and words
    loss : of the sentence
    cell : largest absolute difference of the hidden and cell states by hand from those of ``torch.nn.LSTM``
    rows : a row a parameter
    arriving : norm of dL/dh that arrives at each word, first word first
    """

    seed: int
    loss: float
    cell: float
    rows: tuple[Row, ...]
    arriving: tuple[float, ...]

    @property
    def autograd(self) -> float:
        """The largest difference from autograd."""
        return max(row.autograd for row in self.rows)

    @property
    def differences(self) -> float:
        """The largest difference from finite differences."""
        return max(row.differences for row in self.rows)

    @property
    def passed(self) -> bool:
        """Whether every difference is small enough."""
        return self.autograd <= AUTOGRAD_LIMIT and self.differences <= DIFFERENCES_LIMIT and self.cell <= CELL_LIMIT


def check(seed: int = 1) -> LSTMCheck:
    """Draw a small classifier and a sentence, and compare every gradient by hand with autograd and with differences."""
    draw = torch.Generator().manual_seed(seed)
    weights = draw_weights(draw)
    words = torch.randint(SIZES["V"], (SIZES["words"],), generator=draw).tolist()
    label = int(torch.randint(SIZES["C"], (), generator=draw))
    loss, p, steps = forward(weights, words, label)
    by_hand, arriving = backward(weights, words, label, p, steps)
    by_autograd = autograd_gradient(weights, words, label)
    by_differences = difference_gradient(weights, words, label)
    rows = [
        Row(name, tuple(own.shape), float(own.norm()), _largest(own, other), _largest(own, third))
        for (name, own), (_, other), (_, third) in zip(
            by_hand.items(), by_autograd.items(), by_differences.items(), strict=True
        )
    ]
    h, c = (torch.stack([getattr(step, name) for step in steps]) for name in ("h", "c"))
    cell = max(_largest(own, other) for own, other in zip((h, c), torch_states(weights, words), strict=True))
    return LSTMCheck(seed, float(loss), cell, tuple(rows), tuple(float(own.norm()) for own in arriving))


def draw_weights(draw: torch.Generator) -> Weights:
    """Return float64 weights of the sizes in ``SIZES``, normally distributed with standard deviation 0.5."""
    V, E, H, C = (SIZES[name] for name in "VEHC")
    shapes = ((V, E), (4 * H, E), (4 * H, H), (4 * H,), (C, H), (C,))
    return Weights(*(0.5 * torch.randn(shape, generator=draw, dtype=torch.float64) for shape in shapes))


def autograd_gradient(weights: Weights, words: list[int], label: int) -> Weights:
    """Return what autograd finds for the same forward pass."""
    leaves = Weights(*(own.clone().requires_grad_() for _, own in weights.items()))
    loss, _, _ = forward(leaves, words, label)
    return Weights(*torch.autograd.grad(loss, [own for _, own in leaves.items()]))


def difference_gradient(weights: Weights, words: list[int], label: int) -> Weights:
    """Return central differences: (loss(w + STEP) - loss(w - STEP)) / (2 STEP), one number of the weights at a time."""
    gradient = Weights(*(torch.zeros_like(own) for _, own in weights.items()))
    for (_, own), (_, found) in zip(weights.items(), gradient.items(), strict=True):
        numbers, results = own.view(-1), found.view(-1)  # the same memory
        for place, number in enumerate(numbers.tolist()):
            numbers[place] = number + STEP
            above, _, _ = forward(weights, words, label)
            numbers[place] = number - STEP
            below, _, _ = forward(weights, words, label)
            numbers[place] = number
            results[place] = (above - below) / (2 * STEP)
    return gradient


def torch_states(weights: Weights, words: list[int]) -> tuple[Tensor, Tensor]:
    """Return the (T, H) hidden and cell states of ``torch.nn.LSTM`` with the same weights, word by word."""
    cell = nn.LSTM(weights.W.shape[1], weights.U.shape[1]).double()
    with torch.no_grad():
        # torch has two biases that are always added: one of them is enough.
        values = (weights.W, weights.U, weights.b, torch.zeros_like(weights.b))
        for own, value in zip(cell.parameters(), values, strict=True):
            own.copy_(value)
        inputs = F.embedding(torch.tensor(words), weights.embedding)  # (T, E)
        states, hidden, state = [], [], None
        for x in inputs:
            output, state = cell(x[None], state)
            hidden.append(output[0])
            states.append(state[1][0])
    return torch.stack(hidden), torch.stack(states)


def _largest(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().max())


def lines(result: LSTMCheck, say: Say) -> Iterator[str]:
    """Tell the checks as a table."""
    yield say("lstm.title", seed=result.seed, **SIZES)
    yield ""
    yield say("lstm.code")
    yield ""
    head = [say(f"lstm.column_{name}") for name in ("parameter", "shape", "norm", "autograd", "differences")]
    body = []
    for row in result.rows:
        shape, errors = "x".join(map(str, row.shape)), (f"{row.autograd:.1e}", f"{row.differences:.1e}")
        body.append([row.name, shape, f"{row.gradient_norm:.4f}", *errors])
    yield from table(head, body)
    yield ""
    yield say("lstm.cell", cell=f"{result.cell:.1e}", limit=f"{CELL_LIMIT:.0e}")
    limits = {"autograd_limit": f"{AUTOGRAD_LIMIT:.0e}", "differences_limit": f"{DIFFERENCES_LIMIT:.0e}"}
    found = {"autograd": f"{result.autograd:.1e}", "differences": f"{result.differences:.1e}"}
    yield say("lstm.passed" if result.passed else "lstm.failed", **found, **limits)


def to_dict(result: LSTMCheck) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    return {"lesson": "lstm", **asdict(result), "passed": result.passed}


def draw(result: LSTMCheck, say: Say) -> Figure:
    """Draw the largest difference of each parameter beside its limit, and the gradient that arrives at each word."""
    from sentiment_lstm.lessons.pictures import BLUE, ORANGE, logarithmic, new_figure

    figure, (left, right) = new_figure(2, width=6.5)
    names = [row.name for row in result.rows]
    places = range(len(names))
    for values, limit, colour, marker, key in (
        ([row.autograd for row in result.rows], AUTOGRAD_LIMIT, BLUE, "o", "autograd"),
        ([row.differences for row in result.rows], DIFFERENCES_LIMIT, ORANGE, "s", "differences"),
    ):
        left.plot(
            places, [max(value, 1e-18) for value in values], marker, color=colour, label=say(f"lstm.column_{key}")
        )
        left.axhline(limit, color=colour, linestyle=":", label=say("lstm.limit", limit=f"{limit:.0e}"))
    logarithmic(left)
    left.set_ylim(3e-19, 1e-1)
    left.set_xticks(places, names)
    left.set_xlabel(say("lstm.column_parameter"))
    left.set_ylabel(say("lstm.largest_difference"))
    left.legend(frameon=False, ncols=2, loc="upper center")
    words = range(1, len(result.arriving) + 1)
    right.plot(words, result.arriving, marker="o", color=BLUE, linewidth=2)
    logarithmic(right)
    right.set_ylim(bottom=min(1e-2, min(result.arriving) / 2), top=10 * max(result.arriving))
    right.set_xlabel(say("lstm.word"))
    right.set_ylabel(say("lstm.arriving"))
    return figure
