"""A classifier of embedding, LSTM cell and linear layer: its forward pass, and its backward pass by hand.

Hochreiter and Schmidhuber 1997, with the forget gate of Gers, Schmidhuber and Cummins 2000. One sentence of T words at
a time, so that every line is a formula of the textbook. Nothing here knows autograd.

Letters: V words in the vocabulary, E numbers per embedding, H hidden numbers, C classes, T words in the sentence.
Gates stand in torch's order, one below the other: input i, forget f, candidate g, output o, H rows each.

Forward, for t = 1 … T, with h_0 = c_0 = 0 (``*`` is element by element, ``@`` a matrix product):

    z_t = W x_t + U h_{t-1} + b
    i_t = sigmoid(z_i)    f_t = sigmoid(z_f)    g_t = tanh(z_g)    o_t = sigmoid(z_o)
    c_t = f_t * c_{t-1} + i_t * g_t
    h_t = o_t * tanh(c_t)

    p = softmax(A h_T + d)          loss = -log p_label
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Weights:
    """The parameters; a gradient has the same names and shapes.

    Attributes
    ----------
    embedding : (V, E)
    W : (4H, E), reads the word
    U : (4H, H), reads the hidden state before it
    b : (4H,)
    A : (C, H), reads the last hidden state
    d : (C,)
    """

    embedding: Tensor
    W: Tensor
    U: Tensor
    b: Tensor
    A: Tensor
    d: Tensor

    def items(self) -> list[tuple[str, Tensor]]:
        """Return name and tensor of each parameter."""
        return [(field.name, getattr(self, field.name)) for field in fields(self)]


@dataclass(frozen=True)
class Step:
    """What the cell computed at one word, kept for the way back. All (H,) but x, (E,)."""

    x: Tensor
    h_before: Tensor
    c_before: Tensor
    i: Tensor
    f: Tensor
    g: Tensor
    o: Tensor
    c: Tensor
    h: Tensor


def forward(weights: Weights, words: list[int], label: int) -> tuple[Tensor, Tensor, list[Step]]:
    """Read a sentence.

    Parameters
    ----------
    words : token ids, at least one
    label : the true class

    Returns
    -------
    loss : () tensor
    p : (C,) tensor, the probability of each class
    steps : what happened at each word
    """
    h = c = weights.U.new_zeros(weights.U.shape[1])
    steps = []
    for word in words:
        x, h_before, c_before = weights.embedding[word], h, c
        z = weights.W @ x + weights.U @ h_before + weights.b
        z_i, z_f, z_g, z_o = z.chunk(4)
        i, f, g, o = torch.sigmoid(z_i), torch.sigmoid(z_f), torch.tanh(z_g), torch.sigmoid(z_o)
        c = f * c_before + i * g
        h = o * torch.tanh(c)
        steps.append(Step(x, h_before, c_before, i, f, g, o, c, h))
    p = torch.softmax(weights.A @ h + weights.d, dim=0)
    return -torch.log(p[label]), p, steps


def backward(
    weights: Weights, words: list[int], label: int, p: Tensor, steps: list[Step]
) -> tuple[Weights, list[Tensor]]:
    """Return the gradient of the loss: backpropagation through time, from the last word to the first.

    A name that begins with ``d_`` is the derivative of the loss by what follows. So ``d_z`` is the course's delta, and
    each weight's gradient is its delta times what the weight was multiplied by: dL/dW_ij = delta_i x_j.

    Returns
    -------
    gradient : of each parameter
    arriving : (H,) tensor a word, dL/dh_t, first word first
    """
    gradient = Weights(*(torch.zeros_like(own) for _, own in weights.items()))

    # Softmax and cross-entropy together: what was answered minus what was right.
    d_logits = p.clone()
    d_logits[label] -= 1
    gradient.A.copy_(torch.outer(d_logits, steps[-1].h))
    gradient.d.copy_(d_logits)

    d_h = weights.A.T @ d_logits
    d_c = torch.zeros_like(d_h)
    arriving: list[Tensor] = []
    for word, step in zip(reversed(words), reversed(steps), strict=True):
        arriving.insert(0, d_h)
        # h = o * tanh(c)
        tanh_c = torch.tanh(step.c)
        d_o = d_h * tanh_c
        d_c = d_c + d_h * step.o * (1 - tanh_c**2)  # on top of what came back along the cell state
        # c = f * c_before + i * g
        d_f = d_c * step.c_before
        d_i = d_c * step.g
        d_g = d_c * step.i
        # Through the activations: sigmoid' = s (1 - s), tanh' = 1 - t^2
        d_z = torch.cat([
            d_i * step.i * (1 - step.i),
            d_f * step.f * (1 - step.f),
            d_g * (1 - step.g**2),
            d_o * step.o * (1 - step.o),
        ])  # fmt: skip
        # z = W x + U h_before + b, with the same W, U and b at every word: their gradients add up.
        gradient.W.add_(torch.outer(d_z, step.x))
        gradient.U.add_(torch.outer(d_z, step.h_before))
        gradient.b.add_(d_z)
        gradient.embedding[word] += weights.W.T @ d_z
        # To the word before: along the hidden state through U, along the cell state through the forget gate alone.
        d_h = weights.U.T @ d_z
        d_c = d_c * step.f
    return gradient, arriving
