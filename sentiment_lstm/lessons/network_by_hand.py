"""A fully connected network and the six steps of its training, by hand: no tensors, no autograd, one number at a time.

Rumelhart, Hinton and Williams 1986. Each function below is one of the steps: initialise, forward, loss, backward,
update, and ``train``, which repeats the others.

Layers are counted from 0, the input. ``z[l][j]``, ``a[l][j]`` and ``delta[l][j]`` belong to neuron j of layer l, and
``W[l][i][j]`` is the weight from neuron i of layer l - 1 to neuron j of layer l. The input has neither weights nor a
sum, so ``W[0]``, ``b[0]``, ``z[0]`` and ``delta[0]`` are empty.

    z_j = sum_i W_ij a_i + b_j          a_j = f(z_j)
    L = 1/2 sum_j (a_j - y_j)^2

    delta_j = (a_j - y_j) f'(z_j)               in the last layer
    delta_j = f'(z_j) sum_k W_jk delta_k        in a hidden layer, k in the layer after it
    dL/dW_ij = delta_j a_i              dL/db_j = delta_j
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

Vector = list[float]
Matrix = list[list[float]]

FIRST_BIAS = 0.1  # a little above 0, so that more ReLU neurons start alive (Goodfellow, Bengio, Courville 2016, 6.3)


def sigmoid(z: float) -> float:
    """Return 1 / (1 + e^-z)."""
    if z < 0:
        return math.exp(z) / (1 + math.exp(z))  # the same number; e^-z would overflow for z below -709
    return 1 / (1 + math.exp(-z))


def sigmoid_slope(z: float) -> float:
    """Return f'(z) = f(z) (1 - f(z)), 1/4 at most."""
    return sigmoid(z) * (1 - sigmoid(z))


def tanh(z: float) -> float:
    """Return (e^z - e^-z) / (e^z + e^-z)."""
    return math.tanh(z)


def tanh_slope(z: float) -> float:
    """Return f'(z) = 1 - f(z)^2, 1 at most."""
    return 1 - tanh(z) * tanh(z)


def relu(z: float) -> float:
    """Return max(0, z)."""
    return 0.0 if z <= 0 else z


def relu_slope(z: float) -> float:
    """Return 1 above 0 and 0 below; at 0 itself, where there is no slope, 0 as torch has it."""
    return 0.0 if z <= 0 else 1.0


@dataclass(frozen=True)
class Activation:
    """An activation function f and its derivative f'."""

    f: Callable[[float], float]
    slope: Callable[[float], float]


ACTIVATIONS = {
    "sigmoid": Activation(sigmoid, sigmoid_slope),
    "tanh": Activation(tanh, tanh_slope),
    "relu": Activation(relu, relu_slope),
}


@dataclass(frozen=True)
class Network:
    """The parameters; a gradient has the same names and shapes.

    Attributes
    ----------
    W : a matrix a layer, ``W[l][i][j]``; ``W[0]`` is empty
    b : a vector a layer, ``b[l][j]``; ``b[0]`` is empty
    """

    W: list[Matrix]
    b: list[Vector]


def initialise(layers: tuple[int, ...], activation: str, draw: random.Random) -> Network:
    """Step 1. Draw the weights, and round them to two decimals so that a pocket calculator gives the same numbers.

    Sigmoid and tanh: Glorot and Bengio 2010, equation 16 ("Xavier"). ReLU: He et al. 2015, equation 10.
    """
    network = Network([[]], [[]])
    for before, here in pairwise(layers):
        if activation == "relu":
            deviation = math.sqrt(2 / before)
            W = [[round(draw.gauss(0, deviation), 2) for _ in range(here)] for _ in range(before)]
        else:
            limit = math.sqrt(6 / (before + here))
            W = [[round(draw.uniform(-limit, limit), 2) for _ in range(here)] for _ in range(before)]
        network.W.append(W)
        network.b.append([FIRST_BIAS] * here)
    return network


def forward(network: Network, activation: str, x: Vector) -> tuple[list[Vector], list[Vector]]:
    """Step 2. Return z and a of every layer: the weighted sums, and f of them. ``a[0]`` is the input ``x``."""
    f = ACTIVATIONS[activation].f
    z: list[Vector] = [[]]
    a: list[Vector] = [x]
    for W, b in zip(network.W[1:], network.b[1:], strict=True):
        before = a[-1]
        sums = [sum(W[i][j] * before[i] for i in range(len(before))) + b[j] for j in range(len(b))]
        z.append(sums)
        a.append([f(z_j) for z_j in sums])
    return z, a


def loss(output: Vector, y: Vector) -> float:
    """Step 3. Return L = 1/2 sum_j (a_j - y_j)^2."""
    return 0.5 * sum((a_j - y_j) * (a_j - y_j) for a_j, y_j in zip(output, y, strict=True))


def backward(
    network: Network, activation: str, z: list[Vector], a: list[Vector], y: Vector
) -> tuple[list[Vector], Network]:
    """Step 4. Return delta of every layer, from the last to the first, and the gradient of the loss."""
    slope = ACTIVATIONS[activation].slope
    last = len(z) - 1
    delta: list[Vector] = [[] for _ in z]
    gradient = Network([[] for _ in z], [[] for _ in z])
    for layer in range(last, 0, -1):
        here = range(len(z[layer]))
        if layer == last:
            delta[layer] = [(a[layer][j] - y[j]) * slope(z[layer][j]) for j in here]
        else:
            W, after = network.W[layer + 1], delta[layer + 1]
            delta[layer] = [slope(z[layer][j]) * sum(W[j][k] * after[k] for k in range(len(after))) for j in here]
        gradient.W[layer] = [[delta[layer][j] * a_i for j in here] for a_i in a[layer - 1]]
        gradient.b[layer] = [delta[layer][j] for j in here]
    return delta, gradient


def update(network: Network, gradient: Network, rate: float) -> Network:
    """Step 5. Return the network one step further down: W - rate dL/dW and b - rate dL/db."""
    return Network(
        [
            [[w - rate * d for w, d in zip(row, d_row, strict=True)] for row, d_row in zip(W, d_W, strict=True)]
            for W, d_W in zip(network.W, gradient.W, strict=True)
        ],
        [[own - rate * d for own, d in zip(b, d_b, strict=True)] for b, d_b in zip(network.b, gradient.b, strict=True)],
    )


def train(network: Network, activation: str, x: Vector, y: Vector, rate: float, steps: int) -> list[float]:
    """Step 6. Repeat steps 2 to 5, and return the loss before the first update and after each."""
    losses = []
    for _ in range(steps + 1):
        z, a = forward(network, activation, x)
        losses.append(loss(a[-1], y))
        _, gradient = backward(network, activation, z, a, y)
        network = update(network, gradient, rate)
    return losses
