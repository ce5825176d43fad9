"""A small LSTM classifier that is trained in a second.

Its sentences are all of the kind "good but not bad" and "not bad": what stands last decides, and "not" turns it round.
"not good but bad" and "bad but not good" hold the same words and differ in their label only if their order does.
Fourteen of the twenty sentences have such a partner; a model that counts words cannot tell them apart.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from sentiment_lstm.lessons.lstm_by_hand import Weights

VOCABULARY = ("film", "but", "not", "good", "bad")
LENGTH = 5  # words: shorter sentences begin with "film" until they are as long
E, H, C = 3, 4, 2
WEIGHT_DECAY = 3e-3  # gives the loss a minimum: without it larger weights would always be a little better
TRAINING_STEPS = 300  # of L-BFGS, at most; half of them do as a rule
TRIES = 10  # to train them
DEVIATION = {"embedding": 1.0}  # standard deviation of the first weights; 0.5 for the others


def make_sentences() -> tuple[list[str], list[int]]:
    """Return every sentence, padded in front to the same length, and its label: 1 for positive."""
    opinions = [f"{negation} {word}".strip() for negation, word in product(("", "not"), ("good", "bad"))]
    texts = opinions + [f"{first} but {second}" for first, second in product(opinions, opinions)]
    labels = [int(text.endswith("good") != text.endswith(("not good", "not bad"))) for text in texts]
    padding = [["film"] * (LENGTH - len(text.split())) for text in texts]
    return [" ".join([*front, text]) for front, text in zip(padding, texts, strict=True)], labels


def encode(sentences: list[str]) -> Tensor:
    """Return the (N, T) int64 token ids of sentences of equal length."""
    return torch.tensor([[VOCABULARY.index(word) for word in sentence.split()] for sentence in sentences])


def logits(weights: Weights, words: Tensor) -> Tensor:
    """Read N sentences with G classifiers at once: the formulas of ``lstm_by_hand.forward``.

    Parameters
    ----------
    weights : each with one more dimension in front, (G, …)
    words : (N, T)

    Returns
    -------
    (G, N, C) tensor
    """
    # In lstm_by_hand a word is a column and W stands to its left; here a word is a row, so W^T stands to its right.
    W, U, A = weights.W.mT, weights.U.mT, weights.A.mT
    b, d = weights.b[:, None], weights.d[:, None]  # (G, 1, 4H) and (G, 1, C): the same for all sentences
    h = c = weights.U.new_zeros(len(U), len(words), U.shape[1])  # (G, N, H)
    for word in words.T:
        x = weights.embedding[:, word]  # (G, N, E)
        z = x @ W + h @ U + b
        z_i, z_f, z_g, z_o = z.chunk(4, dim=-1)
        i, f, g, o = torch.sigmoid(z_i), torch.sigmoid(z_f), torch.tanh(z_g), torch.sigmoid(z_o)
        c = f * c + i * g
        h = o * torch.tanh(c)
    return h @ A + d


def loss(weights: Weights, words: Tensor, labels: Tensor) -> Tensor:
    """Return the (G,) losses of G classifiers: cross-entropy, mean over sentences, plus weight decay / 2 |w|^2."""
    answers = logits(weights, words)
    wanted = labels.expand(answers.shape[:2])
    entropy = F.cross_entropy(answers.flatten(0, 1), wanted.flatten(), reduction="none").view(wanted.shape).mean(dim=1)
    squares = torch.stack([own.flatten(1).square().sum(dim=1) for _, own in weights.items()]).sum(dim=0)
    return entropy + WEIGHT_DECAY / 2 * squares


def train(seed: int) -> tuple[Weights, int, torch.Generator]:
    """Draw weights and train them on all sentences to the minimum nearby, in float64.

    From some weights (one seed in thirty) the nearest minimum is 0 for all of them; then others are drawn.

    Returns
    -------
    weights : without the dimension in front
    right : how many of the sentences it answers right
    draw : the generator, for what else is to be drawn
    """
    draw = torch.Generator().manual_seed(seed)
    for _ in range(TRIES):
        weights, right = train_once(draw)
        if right == len(data()[1]):
            break
    return weights, right, draw


def train_once(draw: torch.Generator) -> tuple[Weights, int]:
    """Draw weights and train them: ``train``'s weights and how many sentences they answer right.

    L-BFGS (Liu and Nocedal 1989) on the whole gradient finds the minimum to many digits; the optimisers of a real run
    would come near it only.
    """
    words, labels = data()
    V = len(VOCABULARY)
    shapes = {"embedding": (V, E), "W": (4 * H, E), "U": (4 * H, H), "b": (4 * H,), "A": (C, H), "d": (C,)}
    weights = Weights(**{
        name: DEVIATION.get(name, 0.5) * torch.randn((1, *shape), generator=draw, dtype=torch.float64)
        for name, shape in shapes.items()
    })  # fmt: skip
    leaves = [own.requires_grad_() for _, own in weights.items()]
    optimizer = torch.optim.LBFGS(
        leaves, max_iter=TRAINING_STEPS, history_size=30, line_search_fn="strong_wolfe",
        tolerance_grad=1e-9, tolerance_change=1e-14,
    )  # fmt: skip

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(weights, words, labels).sum()
        value.backward()
        return value

    optimizer.step(closure)
    with torch.no_grad():
        right = (logits(weights, words)[0].argmax(dim=-1) == labels).sum()
    return Weights(*(own.detach()[0] for own in leaves)), int(right)


@cache
def data() -> tuple[Tensor, Tensor]:
    """Return the sentences' (N, T) token ids and their (N,) labels."""
    sentences, labels = make_sentences()
    return encode(sentences), torch.tensor(labels)
