"""The loss over a plane through the trained weights: Li, Xu, Taylor, Studer and Goldstein 2018.

A point of the plane is (alpha, beta), and its weights are (their equation 1)

    w(alpha, beta) = w* + alpha d_1 + beta d_2

with the trained weights w* and two fixed directions d_1 and d_2. A direction is drawn at random and filter-normalised
(their section 4): the weights that lead into one neuron, a row of a matrix, are made as long as the trained ones are.
So 1 on an axis is a change as large as the weights themselves. Biases stay as they are trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sentiment_lstm.lessons.lstm_by_hand import Weights
from sentiment_lstm.lessons.small_classifier import data, loss

DIRECTIONS = 100  # drawn; of these the loss bends most along one and least along another
BEND = 0.05  # how far from the trained weights a direction's bend is measured


@dataclass(frozen=True)
class Slice:
    """A plane through the trained weights; (0, 0) is where they are.

    Attributes
    ----------
    trained : w*
    first, second : d_1 and d_2
    """

    trained: Weights
    first: Weights
    second: Weights

    def weights(self, points: Tensor) -> Weights:
        """Return the weights of the (G, 2) points, each with one more dimension in front."""
        alpha, beta = points.T
        pairs = zip(self.trained.items(), self.first.items(), self.second.items(), strict=True)
        return Weights(*(own + _times(alpha, d_1) + _times(beta, d_2) for (_, own), (_, d_1), (_, d_2) in pairs))

    def loss(self, points: Tensor) -> Tensor:
        """Return the (G,) losses of the (G, 2) points, all at once."""
        return loss(self.weights(points), *data())

    def gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (G,) losses and the (G, 2) derivatives dL/dalpha and dL/dbeta.

        By the chain rule dL/dalpha = sum over all weights of dL/dw d_1.
        """
        points = points.detach().requires_grad_()
        losses = self.loss(points)
        gradients = torch.autograd.grad(losses.sum(), points)[0]  # a point's loss depends on that point alone
        return losses.detach(), gradients

    def curvature(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return how much the loss bends at (G, 2) points where it bends most, and in which direction.

        Returns
        -------
        (G,) tensor, the largest eigenvalues of the second derivatives, and (G, 2) tensor, their eigenvectors
        """
        points = points.detach().requires_grad_()
        gradients = torch.autograd.grad(self.loss(points).sum(), points, create_graph=True)[0]
        rows = [torch.autograd.grad(own.sum(), points, retain_graph=True)[0] for own in gradients.T]
        values, vectors = torch.linalg.eigh(torch.stack(rows, dim=1))
        return values[:, -1], vectors[:, :, -1]


def _times(numbers: Tensor, direction: Tensor) -> Tensor:
    return numbers.view(-1, *[1] * direction.dim()) * direction


def make_slice(trained: Weights, draw: torch.Generator) -> Slice:
    """Draw directions, and return the plane of the two along which the loss bends most and least."""
    directions = [draw_direction(trained, draw) for _ in range(DIRECTIONS)]
    many = Weights(
        *(torch.stack(own) for own in zip(*([d for _, d in each.items()] for each in directions), strict=True))
    )

    def losses(distance: float) -> Tensor:
        moved = (own + distance * d for (_, own), (_, d) in zip(trained.items(), many.items(), strict=True))
        return loss(Weights(*moved), *data())

    bend = losses(BEND) + losses(-BEND) - 2 * losses(0.0)
    return Slice(trained, directions[int(bend.argmax())], directions[int(bend.argmin())])


def draw_direction(trained: Weights, draw: torch.Generator) -> Weights:
    """Return a random direction whose rows are as long as the trained weights' rows, and 0 for biases."""
    direction = []
    for _, own in trained.items():
        drawn = torch.randn(own.shape, generator=draw, dtype=own.dtype)
        if own.dim() == 1:
            direction.append(torch.zeros_like(own))
        else:
            direction.append(drawn / drawn.norm(dim=1, keepdim=True) * own.norm(dim=1, keepdim=True))
    return Weights(*direction)
