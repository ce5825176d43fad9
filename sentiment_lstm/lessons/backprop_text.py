"""The first five steps of ``learn backprop`` as text: each formula with its numbers put in."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sentiment_lstm.lessons.language import Say
from sentiment_lstm.lessons.network_by_hand import ACTIVATIONS

if TYPE_CHECKING:
    from sentiment_lstm.lessons.backprop import Backprop

WIDTH = 100  # a longer sum goes on in the next line

FUNCTIONS = {"sigmoid": "f(z) = 1 / (1 + e^-z)", "tanh": "f(z) = tanh(z)", "relu": "f(z) = max(0, z)"}
DERIVATIVES = {
    "sigmoid": "f'(z) = a (1 - a)",
    "tanh": "f'(z) = 1 - a^2",
    "relu": "f'(z) = 1 (z > 0) or 0 (z <= 0)",
}
# f'(z) with the numbers put in
SLOPES = {"sigmoid": "{a}*(1 - {a})", "tanh": "1 - {factor}*{factor}", "relu": "{slope}"}


def number(value: float) -> str:
    """Write a number with four decimals, a small one with a power of ten, and -0 as 0."""
    return f"{value + 0:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.2e}"


def factor(value: float) -> str:
    """Write a number as part of a product or sum: a negative one in brackets."""
    return f"({number(value)})" if value < 0 else number(value)


def product_sum(pairs: list[tuple[float, float]]) -> str:
    """Write a sum of products."""
    return " + ".join(f"{factor(first)}*{factor(second)}" for first, second in pairs)


def indented(text: str, further: int) -> Iterator[str]:
    """Yield the lines of an equation; the second and later ones are indented further than its equals sign."""
    yield from textwrap.wrap(
        text,
        WIDTH,
        initial_indent="  ",
        subsequent_indent=" " * (further + 5),
        break_on_hyphens=False,
        break_long_words=False,
    )


def equation(left: str, *right: str) -> Iterator[str]:
    """Yield ``left = first``, then `` = second`` and so on below it."""
    for place, own in enumerate(right):
        yield from indented(f"{left if place == 0 else ' ' * len(left)} = {own}", len(left))


def in_rows(cells: list[str]) -> Iterator[str]:
    """Yield short texts beside one another, six in a line."""
    for start in range(0, len(cells), 6):
        yield "  " + "  ".join(cells[start : start + 6])


def steps_by_hand(result: Backprop, say: Say) -> Iterator[Iterator[str]]:
    """Yield the lines of each of the first five steps."""
    yield initialise_lines(result, say)
    yield forward_lines(result, say)
    yield loss_lines(result, say)
    yield backward_lines(result, say)
    yield update_lines(result, say)


def initialise_lines(result: Backprop, say: Say) -> Iterator[str]:
    """Tell step 1: the example and the first weights."""
    yield say("backprop.step_1", init=say("backprop.he" if result.activation == "relu" else "backprop.xavier"))
    yield from in_rows([f"a0_{j} = {number(value):>7}" for j, value in enumerate(result.x, 1)])
    yield from in_rows([f" y_{j} = {number(value):>7}" for j, value in enumerate(result.y, 1)])
    for layer in range(1, len(result.layers)):
        for i, row in enumerate(result.network.W[layer], 1):
            yield from in_rows([f"W{layer}_{i}{j} = {number(value):>7}" for j, value in enumerate(row, 1)])
        biases = result.network.b[layer]
        yield from in_rows([f" b{layer}_{j} = {number(value):>7}" for j, value in enumerate(biases, 1)])


def forward_lines(result: Backprop, say: Say) -> Iterator[str]:
    """Tell step 2: z as a sum and a as f(z), neuron by neuron."""
    yield say("backprop.step_2", f=FUNCTIONS[result.activation])
    for layer in range(1, len(result.layers)):
        W, b, before = result.network.W[layer], result.network.b[layer], result.a[layer - 1]
        for j, z in enumerate(result.z[layer]):
            letters = " + ".join(f"W{layer}_{i + 1}{j + 1}*a{layer - 1}_{i + 1}" for i in range(len(before)))
            numbers = product_sum([(W[i][j], before[i]) for i in range(len(before))])
            yield from equation(
                f"z{layer}_{j + 1}", f"{letters} + b{layer}_{j + 1}", f"{numbers} + {factor(b[j])}", number(z)
            )
            a = number(result.a[layer][j])
            yield from equation(f"a{layer}_{j + 1}", f"{result.activation}({number(z)}) = {a}")


def loss_lines(result: Backprop, say: Say) -> Iterator[str]:
    """Tell step 3: the squared error."""
    yield say("backprop.step_3")
    squares = " + ".join(f"({number(a)} - {number(y)})^2" for a, y in zip(result.a[-1], result.y, strict=True))
    bracketed = squares if len(result.y) == 1 else f"({squares})"
    yield from equation("L", f"1/2 * {bracketed}", number(result.losses[0]))


def backward_lines(result: Backprop, say: Say) -> Iterator[str]:
    """Tell step 4: the deltas of each layer and the gradients that follow from them, the last layer first."""
    last = len(result.layers) - 1
    yield say("backprop.step_4", slope=DERIVATIVES[result.activation])
    for layer in range(last, 0, -1):
        yield say("backprop.output_layer" if layer == last else "backprop.hidden_layer", layer=layer)
        for j in range(result.layers[layer]):
            yield from delta_lines(result, layer, j)
        before = result.a[layer - 1]
        for i, a in enumerate(before):
            for j, delta in enumerate(result.delta[layer]):
                yield from equation(
                    f"dL/dW{layer}_{i + 1}{j + 1}",
                    f"delta{layer}_{j + 1}*a{layer - 1}_{i + 1} = {factor(delta)}*{factor(a)}"
                    f" = {number(result.gradient.W[layer][i][j])}",
                )
        for j, gradient in enumerate(result.gradient.b[layer], 1):
            yield from equation(f"dL/db{layer}_{j}", f"delta{layer}_{j} = {number(gradient)}")


def delta_lines(result: Backprop, layer: int, j: int) -> Iterator[str]:
    """Tell f'(z) and delta of one neuron."""
    a, name = result.a[layer][j], f"{layer}_{j + 1}"
    slope = ACTIVATIONS[result.activation].slope(result.z[layer][j])
    written = SLOPES[result.activation].format(a=number(a), factor=factor(a), slope=number(slope))
    own = number(slope) if written == number(slope) else f"{written} = {number(slope)}"
    yield from equation(f"f'(z{name})", own)
    if layer == len(result.layers) - 1:
        letters = f"(a{name} - y_{j + 1})*f'(z{name})"
        numbers = f"({number(a)} - {number(result.y[j])})*{number(slope)}"
    else:
        W, after = result.network.W[layer + 1], result.delta[layer + 1]
        terms = " + ".join(f"W{layer + 1}_{j + 1}{k + 1}*delta{layer + 1}_{k + 1}" for k in range(len(after)))
        letters = f"f'(z{name})*({terms})"
        numbers = f"{number(slope)}*({product_sum([(W[j][k], after[k]) for k in range(len(after))])})"
    yield from equation(f"delta{name}", letters, numbers, number(result.delta[layer][j]))


def update_lines(result: Backprop, say: Say) -> Iterator[str]:
    """Tell step 5: each parameter minus the learning rate times its gradient."""
    rate = f"{result.learning_rate:g}"
    yield say("backprop.step_5", rate=rate)
    for layer in range(1, len(result.layers)):
        before, gradient, after = (own.W[layer] for own in (result.network, result.gradient, result.updated))
        for i, row in enumerate(before):
            for j, w in enumerate(row):
                yield from equation(
                    f"W{layer}_{i + 1}{j + 1}",
                    f"{number(w)} - {rate}*{factor(gradient[i][j])} = {number(after[i][j])}",
                )
        for j, b in enumerate(result.network.b[layer]):
            yield from equation(
                f"b{layer}_{j + 1}",
                f"{number(b)} - {rate}*{factor(result.gradient.b[layer][j])} = {number(result.updated.b[layer][j])}",
            )
