"""The picture of a small network: its neurons, and on its edges the weights and their gradients."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from sentiment_lstm.lessons.backprop_text import number
from sentiment_lstm.lessons.language import Say
from sentiment_lstm.lessons.pictures import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from sentiment_lstm.lessons.backprop import Backprop

GAP = 0.34  # two numbers below one another need so much height, of a picture that reaches from -1 to 1
PLACES = [place / 20 for place in range(7, 14)]  # where along an edge its numbers may stand, in shares of its length
BOX = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}  # under a number, so that no edge crosses it
WIDEST = 5.0  # points, the edge of the largest gradient


def heights(neurons: int) -> list[float]:
    """Return the height of each neuron of a layer, the first on top, from 1 to -1."""
    return [0.0] if neurons == 1 else [1 - 2 * place / (neurons - 1) for place in range(neurons)]


def best_place(before: int, here: int) -> tuple[float, float]:
    """Return where along the edges between two layers the numbers are farthest apart, and how far."""

    def gap(place: float) -> float:
        levels = sorted(first + place * (second - first) for first in heights(before) for second in heights(here))
        return min((above - below for below, above in pairwise(levels)), default=2.0)

    place = max(PLACES, key=gap)
    return place, gap(place)


def draw_network(axis: Axes, result: Backprop, say: Say) -> None:
    """Draw the network into ``axis``: numbers where there is room for them, width and colour always."""
    layers = result.layers
    places = [best_place(before, here) for before, here in pairwise(layers)]
    numbers = len(layers) <= 3 and all(gap >= GAP for _, gap in places)
    radius = 0.19 if numbers else min(0.19, 0.95 / max(layers))
    apart = min(1.8, 3.6 / (len(layers) - 1))
    for layer, (place, _) in enumerate(places, 1):
        _draw_edges(axis, result, layer, apart, place if numbers else None)
    for layer, values in enumerate(result.a):
        for j, (height, a) in enumerate(zip(heights(layers[layer]), values, strict=True)):
            x = layer * apart
            axis.add_patch(Circle((x, height), radius, facecolor="white", edgecolor="black", linewidth=1.5, zorder=3))
            axis.text(x, height, f"{a:.2f}", ha="center", va="center", fontsize=13 if numbers else 8, zorder=4)
            if layer and numbers:
                delta = signed(result.delta[layer][j])
                axis.text(x, height - radius - 0.03, delta, ha="center", va="top", fontsize=12, bbox=BOX, zorder=4)
        name, size = _layer_name(layer, len(layers), say), 12 if len(layers) <= 4 else 9
        axis.text(layer * apart, 1.32, name, ha="center", fontsize=size)
    axis.set_title(say("backprop.network_numbers") if numbers else say("backprop.network_lines"))
    inside = say("backprop.inside" if numbers else "backprop.only_a")
    axis.text(0.5, 0.09, inside, transform=axis.transAxes, ha="center")
    axis.legend(handles=_legend(result, say), frameon=False, ncols=3, loc="lower center", fontsize=11)
    axis.set_xlim(-0.35, (len(layers) - 1) * apart + 0.35)
    axis.set_ylim(-1.9, 1.5)
    axis.set_aspect("equal")
    axis.axis("off")


def _layer_name(layer: int, layers: int, say: Say) -> str:
    if layer == 0:
        return say("backprop.input")
    return say("backprop.output") if layer == layers - 1 else say("backprop.hidden", layer=layer)


def _draw_edges(axis: Axes, result: Backprop, layer: int, apart: float, place: float | None) -> None:
    """Draw the edges that lead to a layer, with their numbers ``place`` along them."""
    largest = max(abs(d) for W in result.gradient.W for row in W for d in row) or 1.0
    for i, start in enumerate(heights(result.layers[layer - 1])):
        for j, end in enumerate(heights(result.layers[layer])):
            weight, gradient = result.network.W[layer][i][j], result.gradient.W[layer][i][j]
            colour, style = _look(gradient)
            width = 0.8 + (WIDEST - 0.8) * abs(gradient) / largest
            left = (layer - 1) * apart
            axis.plot([left, left + apart], [start, end], color=colour, linestyle=style, linewidth=width, zorder=1)
            if place is not None:
                x, y = left + place * apart, start + place * (end - start)
                text = f"{weight:.2f}\n{signed(gradient)}"
                axis.text(x, y, text, ha="center", va="center", fontsize=12, linespacing=1.05, bbox=BOX, zorder=2)


def signed(value: float) -> str:
    """Write a number with its sign."""
    return ("+" if value > 0 else "") + number(value)


def _look(gradient: float) -> tuple[str, Literal["-", "--", ":"]]:
    """Return the colour and line style of a gradient's sign."""
    if gradient == 0:
        return GREY, ":"
    return (BLUE, "-") if gradient > 0 else (ORANGE, "--")


def _legend(result: Backprop, say: Say) -> list[Line2D]:
    """Return a line for each sign that occurs."""
    signs = {(gradient > 0) - (gradient < 0) for W in result.gradient.W for row in W for gradient in row}
    handles = []
    for sign, key in ((1, "positive"), (-1, "negative"), (0, "zero")):
        if sign in signs:
            colour, style = _look(sign)
            handles.append(Line2D([], [], color=colour, linestyle=style, linewidth=2.5, label=say(f"backprop.{key}")))
    return handles
