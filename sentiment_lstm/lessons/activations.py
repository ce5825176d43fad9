"""The lesson ``learn activations``: sigmoid, tanh and ReLU, their slopes, and a gradient in twenty layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sentiment_lstm.lessons.language import Say, table
from sentiment_lstm.lessons.network_by_hand import ACTIVATIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAYERS, NEURONS, EXAMPLES = 20, 64, 100
TABLE_Z = (-5.0, -2.0, -1.0, 0.0, 1.0, 2.0, 5.0)
NAMES = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU"}


def sigmoid_slope(a: Tensor) -> Tensor:
    """Return f'(z) of the sigmoid from a = f(z)."""
    return a * (1 - a)


def tanh_slope(a: Tensor) -> Tensor:
    """Return f'(z) of tanh from a = f(z)."""
    return 1 - a**2


def relu_slope(a: Tensor) -> Tensor:
    """Return f'(z) of ReLU from a = f(z)."""
    return (a > 0).to(a.dtype)


Function = Callable[[Tensor], Tensor]
FUNCTIONS: dict[str, tuple[Function, Function]] = {
    "sigmoid": (torch.sigmoid, sigmoid_slope),
    "tanh": (torch.tanh, tanh_slope),
    "relu": (torch.relu, relu_slope),
}


@dataclass(frozen=True)
class Curve:
    """One activation function.

    Attributes
    ----------
    name : sigmoid, tanh or relu
    values, slopes : f(z) and f'(z) at ``TABLE_Z``
    norms : Euclidean norm of dL/dz of each of ``LAYERS`` layers, over all neurons and examples, first layer first
    """

    name: str
    values: tuple[float, ...]
    slopes: tuple[float, ...]
    norms: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """What arrives at the first layer, as a multiple of what set out from the last."""
        return self.norms[0] / self.norms[-1]

    @property
    def a_layer(self) -> float:
        """The ratio of one layer to the one after it, on average (geometric mean)."""
        return float(self.ratio ** (1 / (LAYERS - 1)))


@dataclass(frozen=True)
class Activations:
    """The three functions.

    Attributes
    ----------
    seed : of weights and examples
    curves : sigmoid, tanh, relu
    """

    seed: int
    curves: tuple[Curve, ...]


def measure(seed: int = 1) -> Activations:
    """Tabulate the three functions and send a gradient back through a deep network of each."""
    curves = []
    for name, own in ACTIVATIONS.items():
        weights, x, y = draw_network(name, seed)
        norms = tuple(float(delta.norm()) for delta in deltas(name, weights, x, y))
        values, slopes = tuple(own.f(z) for z in TABLE_Z), tuple(own.slope(z) for z in TABLE_Z)
        curves.append(Curve(name, values, slopes, norms))
    return Activations(seed, tuple(curves))


def draw_network(name: str, seed: int) -> tuple[list[Tensor], Tensor, Tensor]:
    """Return the weights of each layer, inputs and outputs, all float64.

    Weights are (NEURONS, NEURONS), from the layer before (row) to the layer (column), and as each function is given
    them: Glorot and Bengio 2010, equation 16, for sigmoid and tanh; He et al. 2015, equation 10, for ReLU. Biases are 0
    and left out. Inputs are (EXAMPLES, NEURONS), normally distributed; outputs lie between 0 and 1, where all reach.
    """
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(EXAMPLES, NEURONS, generator=draw, dtype=torch.float64)
    y = torch.rand(EXAMPLES, NEURONS, generator=draw, dtype=torch.float64)
    shape = (NEURONS, NEURONS)
    weights = []
    for _ in range(LAYERS):
        if name == "relu":
            W = (2 / NEURONS) ** 0.5 * torch.randn(shape, generator=draw, dtype=torch.float64)
        else:
            limit = (6 / (NEURONS + NEURONS)) ** 0.5
            W = limit * (2 * torch.rand(shape, generator=draw, dtype=torch.float64) - 1)
        weights.append(W)
    return weights, x, y


def deltas(name: str, weights: list[Tensor], x: Tensor, y: Tensor) -> list[Tensor]:
    """Return dL/dz of each layer, first layer first: the formulas of ``network_by_hand``, all examples at once.

    Parameters
    ----------
    x, y : (N, NEURONS); the loss is 1/2 (a - y)^2, summed over neurons and the N examples

    Returns
    -------
    (N, NEURONS) tensors, one a layer
    """
    f, slope = FUNCTIONS[name]
    a = [x]
    for W in weights:
        a.append(f(a[-1] @ W))
    found = [(a[-1] - y) * slope(a[-1])]
    for W, own in zip(reversed(weights[1:]), reversed(a[1:-1]), strict=True):
        found.insert(0, slope(own) * (found[0] @ W.T))  # f'(z_j) sum_k W_jk delta_k
    return found


def lines(result: Activations, say: Say) -> Iterator[str]:
    """Tell the functions as a table, and what twenty layers of each do to a gradient."""
    yield say("activations.title")
    yield ""
    head = ["z", *(f"{f} {NAMES[curve.name]}" for curve in result.curves for f in ("f", "f'"))]
    rows = []
    for place, z in enumerate(TABLE_Z):
        pairs = [(curve.values[place], curve.slopes[place]) for curve in result.curves]
        rows.append([f"{z:g}", *(f"{own:.4f}" for pair in pairs for own in pair)])
    yield from table(head, rows)
    yield ""
    yield say("activations.network", layers=LAYERS, neurons=NEURONS, examples=EXAMPLES, seed=result.seed)
    yield ""
    shown = [1, *range(5, LAYERS + 1, 5)]
    rows = [[str(layer), *(f"{curve.norms[layer - 1]:.2e}" for curve in result.curves)] for layer in reversed(shown)]
    yield from table([say("activations.layer"), *(NAMES[curve.name] for curve in result.curves)], rows)
    yield ""
    for curve in result.curves:
        values = {"ratio": f"{curve.ratio:.2g}", "a_layer": f"{curve.a_layer:.2f}"}
        yield say(f"activations.{judge(curve.ratio)}", name=NAMES[curve.name], layers=LAYERS, **values)


def judge(ratio: float) -> str:
    """Return what became of a gradient: ``vanishes``, ``shrinks``, ``arrives`` or ``grows``."""
    if ratio < 1e-3:
        return "vanishes"
    if ratio < 0.1:
        return "shrinks"
    return "arrives" if ratio <= 10 else "grows"


def to_dict(result: Activations) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    curves = [{**asdict(curve), "ratio": curve.ratio, "ratio_a_layer": curve.a_layer} for curve in result.curves]
    return {"lesson": "activations", "seed": result.seed, "z": TABLE_Z, "curves": curves}


def draw(result: Activations, say: Say) -> Figure:
    """Draw the functions, their derivatives and the norm of dL/dz of each layer."""
    from sentiment_lstm.lessons.pictures import BLUE, GREEN, GREY, ORANGE, logarithmic, new_figure

    figure, (left, middle, right) = new_figure(3, width=4.6, height=4.4)
    figure.set_layout_engine("constrained", wspace=0.04)
    places = [place / 50 for place in range(-250, 251)]
    layers = range(1, LAYERS + 1)
    looks = {"sigmoid": (BLUE, "-", "o"), "tanh": (ORANGE, "--", "s"), "relu": (GREEN, "-.", "^")}
    for curve in result.curves:
        own, (colour, style, marker) = ACTIVATIONS[curve.name], looks[curve.name]
        look: dict[str, Any] = {"color": colour, "linestyle": style, "linewidth": 2.2, "label": NAMES[curve.name]}
        left.plot(places, [own.f(z) for z in places], **look)
        middle.plot(places, [own.slope(z) for z in places], **look)
        right.plot(layers, curve.norms, marker=marker, markersize=5, **look)
    for axis, key in ((left, "function"), (middle, "derivative")):
        axis.set_title(say(f"activations.{key}"))
        axis.set_xlabel("z")
        axis.grid(alpha=0.3, color=GREY)
    left.set_ylabel("f(z)")
    left.set_ylim(-1.2, 3)
    middle.set_ylabel("f'(z)")
    left.legend(frameon=False, loc="upper left")
    right.set_title(say("activations.gradient", layers=LAYERS))
    right.set_xlabel(say("activations.layer"))
    right.set_ylabel(say("activations.norm"))
    right.set_xticks([1, *range(5, LAYERS + 1, 5)])
    logarithmic(right)
    return figure
