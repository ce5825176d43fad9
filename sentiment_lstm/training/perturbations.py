"""Disturbed embeddings: where to move reviews so that their answers change most, and how much they then do.

    embedded s (B, T, E); perturbation r (B, T, E), one of a fixed length for each review, zero on padding;
    p(. | s) = softmax(classify(s)) (B, C)

Letters as in ``model/classifier.py``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from sentiment_lstm.data.batching import Batch
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.model.pooling import length_mask

# Standard deviation of the numbers of a power iteration's random start, in those of the embedding. Small enough for
# the divergence to be quadratic there; in bf16 a hundredth of it would be lost when the logits are rounded.
POWER_ITERATION_STD = 0.1


class CleanPass:
    """Undisturbed reviews: embedded, classified, and with all that must be the same when they are disturbed.

    Attributes
    ----------
    embedded : (B, T, E) float32 tensor
    lengths : (B,) int64 tensor
    wide : (B, C) float32 tensor or None
        What the n-grams add to the logits; no perturbation reaches it.
    logits : (B, C) float32 tensor
    """

    def __init__(self, model: SentimentClassifier, batch: Batch) -> None:
        self.model, self.lengths = model, batch.lengths
        self.embedded = model.embed(batch.token_ids)
        if not self.embedded.requires_grad:
            self.embedded.requires_grad_()  # a frozen embedding
        self.wide = model.wide_logits(batch.token_ids, batch.lengths)
        self._random = _random_state(self.embedded.device)
        self.logits = model.classify(self.embedded, self.lengths, self.wide)

    def disturbed_logits(self, moved: Tensor) -> Tensor:
        """Return the (B, C) logits of moved embeddings, under new dropout masks."""
        return self.model.classify(moved, self.lengths, self.wide)

    def divergence(self, moved: Tensor) -> Tensor:
        """Return each review's KL(p(. | s) || p(. | moved)), (B,) float32, with p(. | s) held fixed.

        Dropout masks are those of the clean pass. With masks of their own the two answers would differ without any
        perturbation, by more than a small one changes, and the power iteration would follow that noise.
        """
        with _random_again(self._random, moved.device):
            logits = self.disturbed_logits(moved)
        return kl_divergence(self.logits.detach(), logits)


def adversarial_embeddings(clean: CleanPass, losses: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Return the sum of the (B,) losses, and the embeddings moved by r = epsilon * g / ||g||, g being its gradient.

    Miyato, Dai and Goodfellow 2017, equation 3. The backward pass that finds g finds the gradients of the weights too,
    and they are kept for the sum that is returned. So ``losses.sum()`` must not be differentiated again: what is
    returned stands for it, () float32 and (B, T, E).
    """
    above = [clean.embedded, *clean.model.parameters_above_embedding()]
    if clean.wide is not None and clean.wide.requires_grad:
        above.append(clean.wide)
    gradients = torch.autograd.grad(losses.sum(), above, allow_unused=True)
    assert gradients[0] is not None
    length = epsilon * clean.model.embedding_unit()
    total = _WithGradients.apply(losses.detach().sum(), gradients, *above)
    return total, clean.embedded + perturbation(gradients[0], clean.lengths, length)


class _WithGradients(torch.autograd.Function):
    """A number whose gradients are known: finding them again would be another backward pass, a quarter of a step."""

    @staticmethod
    def forward(ctx: Any, total: Tensor, gradients: Sequence[Tensor | None], *inputs: Tensor) -> Tensor:
        ctx.gradients = gradients
        return total.clone()

    @staticmethod
    def backward(ctx: Any, factor: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(None if own is None else own * factor for own in ctx.gradients)


def virtual_adversarial_losses(clean: CleanPass, epsilon: float) -> Tensor:
    """Return each review's KL(p(. | s) || p(. | s + r)), (B,) float32, for the r that raises it most.

    Miyato, Dai and Goodfellow 2017, equations 5 to 7: r = epsilon * g / ||g||, where g is the gradient of the
    divergence at s + d, and d = xi * n / ||n|| for a random normal n: one step of a power iteration. p(. | s) is held
    fixed. Needs no labels.

    Parameters
    ----------
    clean : CleanPass
    epsilon : float
        Length of a review's perturbation, in units of :meth:`SentimentClassifier.embedding_unit`.
    """
    unit = clean.model.embedding_unit()
    embedded = clean.embedded
    xi = POWER_ITERATION_STD * unit * (clean.lengths * embedded.shape[2]).sqrt()[:, None, None]  # (B, 1, 1)
    start = perturbation(torch.randn_like(embedded), clean.lengths, xi).requires_grad_()
    (gradient,) = torch.autograd.grad(clean.divergence(embedded.detach() + start).sum(), start)
    return clean.divergence(embedded + perturbation(gradient, clean.lengths, epsilon * unit))


def perturbation(gradient: Tensor, lengths: Tensor, length: float | Tensor) -> Tensor:
    """Return a (B, T, E) tensor along the gradient, of the given length in each review and zero on padding."""
    own = gradient.detach().float() * length_mask(lengths, gradient.shape[1])[:, :, None]
    norms = torch.linalg.vector_norm(own.flatten(1), dim=1).clamp_min(1e-30)  # no gradient, no perturbation
    return length * own / norms[:, None, None]


def kl_divergence(logits: Tensor, others: Tensor) -> Tensor:
    """Return the sum over classes of p * (log p - log q) of two (B, C) tensors of logits, (B,)."""
    log_p, log_q = logits.log_softmax(1), others.log_softmax(1)
    return (log_p.exp() * (log_p - log_q)).sum(1)


def entropy(logits: Tensor) -> Tensor:
    """Return the sum over classes of -p * log p of (B, C) logits, (B,)."""
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1)


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


@contextlib.contextmanager
def _random_again(state: tuple[Tensor, Tensor | None], device: torch.device) -> Iterator[None]:
    """Inside, random numbers come as they did after the state was taken; after it as if none had been drawn."""
    on_cpu, on_gpu = state
    with torch.random.fork_rng([] if on_gpu is None else [device]):
        torch.set_rng_state(on_cpu)
        if on_gpu is not None:
            torch.cuda.set_rng_state(on_gpu, device)
        yield
