"""The lesson ``learn backprop``: one example through a small network, every number of the six steps, and autograd."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from sentiment_lstm.errors import UsageError
from sentiment_lstm.lessons.backprop_text import number, steps_by_hand
from sentiment_lstm.lessons.language import Say, table
from sentiment_lstm.lessons.network_by_hand import (
    Network,
    Vector,
    backward,
    forward,
    initialise,
    train,
    update,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIMIT = 1e-10  # the largest difference from autograd must be below it
LAYERS, NEURONS, WEIGHTS = (2, 6), (1, 8), 60  # what can be printed and still be read
RATES = {"sigmoid": 0.5, "tanh": 0.1, "relu": 0.1}  # the sigmoid's slope is 1/4 at most: it bears larger steps
LARGEST_RATE = 1000.0
DRAWN_STEPS = 50  # the picture shows at least so many
SOLVED = 1e-6  # a loss that stays as it is, but above this, has no gradient left to go on with
TABLE_ROWS = 20  # the table of losses has not many more
FUNCTIONS = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}


@dataclass(frozen=True)
class Row:
    """One parameter's check: W or b of a layer.

    Attributes
    ----------
    name : W1, b1, W2, …
    gradient_norm : Euclidean, of its gradient by hand
    difference : largest absolute difference of the gradient by hand from autograd's
    """

    name: str
    gradient_norm: float
    difference: float


@dataclass(frozen=True)
class Backprop:
    """What happened in the first step, and the loss of the others. Lists are counted as in ``network_by_hand``.

    Attributes
    ----------
    layers : neurons of each layer, the input first
    activation : sigmoid, tanh or relu, in all layers
    learning_rate, steps, seed : as asked for
    x, y : the example's input and the output it should have
    network, updated : before and after the first update
    z, a, delta : of each layer and neuron
    gradient : of each parameter
    losses : before the first update and after each of ``max(steps, DRAWN_STEPS)``
    rows : the comparison with autograd
    """

    layers: tuple[int, ...]
    activation: str
    learning_rate: float
    steps: int
    seed: int
    x: Vector
    y: Vector
    network: Network
    z: list[Vector]
    a: list[Vector]
    delta: list[Vector]
    gradient: Network
    updated: Network
    losses: tuple[float, ...]
    rows: tuple[Row, ...]

    @property
    def difference(self) -> float:
        """The largest difference from autograd."""
        return max(row.difference for row in self.rows)

    @property
    def passed(self) -> bool:
        """Whether the gradient by hand is autograd's."""
        return self.difference < LIMIT


def read_layers(text: str) -> tuple[int, ...]:
    """Return the neurons of each layer from a text as ``2,3,1``.

    Raises
    ------
    UsageError
        Not 2 to 6 whole numbers of 1 to 8, or more weights than can be printed.
    """
    sizes = text.split(",")
    allowed = {str(size) for size in range(NEURONS[0], NEURONS[1] + 1)}
    if not LAYERS[0] <= len(sizes) <= LAYERS[1] or not {size.strip() for size in sizes} <= allowed:
        raise UsageError(
            f"--layers {text!r}: give {LAYERS[0]} to {LAYERS[1]} layers of {NEURONS[0]} to {NEURONS[1]} neurons each, "
            "the input first, as in 2,3,1"
        )
    layers = tuple(int(size) for size in sizes)
    weights = sum(before * here for before, here in pairwise(layers))
    if weights > WEIGHTS:
        raise UsageError(f"--layers {text!r}: {weights} weights are too many to print; {WEIGHTS} is the limit")
    return layers


def run(
    layers: tuple[int, ...] = (2, 3, 1),
    activation: str = "sigmoid",
    learning_rate: float | None = None,
    steps: int = 1,
    seed: int = 1,
) -> Backprop:
    """Draw a network and an example, take the six steps by hand, and compare the gradient with autograd's.

    Parameters
    ----------
    learning_rate : above 0, 1000 at most; by default ``RATES`` of the activation function

    Raises
    ------
    UsageError
        Such a learning rate is not allowed.
    """
    rate = RATES[activation] if learning_rate is None else learning_rate
    if not 0 < rate <= LARGEST_RATE:
        raise UsageError(f"--learning-rate {rate:g}: give a number above 0, {LARGEST_RATE:g} at most")
    network, x, y = draw_example(layers, activation, seed)
    z, a = forward(network, activation, x)
    delta, gradient = backward(network, activation, z, a, y)
    rows = compare(gradient, autograd_gradient(network, activation, x, y))
    losses = tuple(train(network, activation, x, y, rate, max(steps, DRAWN_STEPS)))
    updated = update(network, gradient, rate)
    return Backprop(layers, activation, rate, steps, seed, x, y, network, z, a, delta, gradient, updated, losses, rows)


def draw_example(layers: tuple[int, ...], activation: str, seed: int) -> tuple[Network, Vector, Vector]:
    """Return a network, an input and the output it should have; all of them short decimal numbers.

    Drawn again where there would be nothing to see or nothing to compare: where ReLUs that are all off let no gradient
    through to the first layer, and where a sum is exactly 0, at which ReLU has no slope.
    """
    draw = random.Random(seed)
    while True:
        network = initialise(layers, activation, draw)
        x = [round(draw.uniform(0.1, 1), 1) for _ in range(layers[0])]
        y = [draw.choice((0.1, 0.9)) for _ in range(layers[-1])]
        z, a = forward(network, activation, x)
        delta, _ = backward(network, activation, z, a, y)
        if any(delta[1]) and all(abs(z_j) > 1e-9 for own in z for z_j in own):
            return network, x, y


def autograd_gradient(network: Network, activation: str, x: Vector, y: Vector) -> Network:
    """Return what autograd finds for the same network, in float64; its forward pass is torch's own."""
    weights = [torch.tensor(W, dtype=torch.float64, requires_grad=True) for W in network.W[1:]]
    biases = [torch.tensor(b, dtype=torch.float64, requires_grad=True) for b in network.b[1:]]
    a = torch.tensor(x, dtype=torch.float64)
    for W, b in zip(weights, biases, strict=True):
        a = FUNCTIONS[activation](a @ W + b)
    squares = 0.5 * (a - torch.tensor(y, dtype=torch.float64)).square().sum()
    found = [own.tolist() for own in torch.autograd.grad(squares, [*weights, *biases])]
    return Network([[], *found[: len(weights)]], [[], *found[len(weights) :]])


def compare(own: Network, other: Network) -> tuple[Row, ...]:
    """Return a row for W and b of each layer."""
    rows = []
    for layer in range(1, len(own.b)):
        flat = [d for d_row in own.W[layer] for d in d_row], [d for d_row in other.W[layer] for d in d_row]
        for name, mine, theirs in ((f"W{layer}", *flat), (f"b{layer}", own.b[layer], other.b[layer])):
            difference = max(abs(first - second) for first, second in zip(mine, theirs, strict=True))
            rows.append(Row(name, math.hypot(*mine), difference))
    return tuple(rows)


def lines(result: Backprop, say: Say, pause: Callable[[str], None] = lambda prompt: None) -> Iterator[str]:
    """Tell the six steps with every number, then the comparison; call ``pause`` after each of the six."""
    layers = ", ".join(map(str, result.layers))
    own = {name: getattr(result, name) for name in ("activation", "seed")}
    yield say("backprop.title", layers=layers, rate=f"{result.learning_rate:g}", **own)
    yield say("backprop.code")
    yield say("backprop.names")
    for step in steps_by_hand(result, say):
        yield ""
        yield from step
        pause(say("backprop.enter"))
    yield ""
    yield from repeat_lines(result, say)
    pause(say("backprop.enter"))
    yield ""
    yield from check_lines(result, say)


def repeat_lines(result: Backprop, say: Say) -> Iterator[str]:
    """Tell step 6: the loss after each update, of a long run at evenly spread ones."""
    yield say("backprop.step_6")
    told = result.losses[: result.steps + 1]
    every = max(1, math.ceil(result.steps / TABLE_ROWS))
    places = [place for place in range(len(told)) if place % every == 0 or place == len(told) - 1]
    yield from table(
        [say("backprop.updates"), say("backprop.loss")], [[str(place), number(told[place])] for place in places]
    )
    if told[-1] == told[-2] and told[-1] > SOLVED:
        yield say("backprop.stuck", step=told.index(told[-1]))


def check_lines(result: Backprop, say: Say) -> Iterator[str]:
    """Tell the comparison with autograd."""
    yield say("backprop.check")
    yield from table(
        [say(f"backprop.column_{name}") for name in ("parameter", "norm", "difference")],
        [[row.name, f"{row.gradient_norm:.2e}", f"{row.difference:.1e}"] for row in result.rows],
    )
    key = "backprop.passed" if result.passed else "backprop.failed"
    yield say(key, difference=f"{result.difference:.1e}", limit=f"{LIMIT:.0e}")


def to_dict(result: Backprop) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    return {"lesson": "backprop", **asdict(result), "difference": result.difference, "passed": result.passed}


def draw(result: Backprop, say: Say) -> Figure:
    """Draw the network with its values and gradients, and the loss falling beside it."""
    from sentiment_lstm.lessons.backprop_picture import draw_network
    from sentiment_lstm.lessons.pictures import BLUE, GREY, new_figure

    figure, (left, right) = new_figure(2, width=7.5, height=5.6)
    figure.set_layout_engine("constrained", wspace=0.05)
    draw_network(left, result, say)
    steps = range(len(result.losses))
    right.plot(steps, result.losses, color=BLUE, linewidth=2, marker="o", markevery=max(1, len(steps) // 10))
    right.set_ylim(bottom=0)
    right.grid(alpha=0.3, color=GREY)
    right.set_xlabel(say("backprop.updates"))
    right.set_ylabel(say("backprop.loss"))
    right.set_title(say("backprop.falling", rate=f"{result.learning_rate:g}"))
    return figure
