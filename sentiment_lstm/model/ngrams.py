"""The wide branch: a linear classifier over the words, pairs and triples of a review, added to the network's logits.

It begins as naive Bayes and is trained with the rest: logits = sum over a review's n-grams f of r_f * w_f / sqrt(M),
with r the log-count ratios of Wang and Manning 2012 ("Baselines and Bigrams", equation 2), w learnt, from 1, and M the
mean number of n-grams of a training review. Naive Bayes (M = 1) takes n-grams for independent and is far too sure; with
the root the loss on held-out reviews of IMDB is close to the least that any one factor gives.

An n-gram is one whole number made of its token ids, so no two share a weight. Those of a model stand sorted in a table.

Letters: B reviews, T tokens, n the longest n-gram, N n-grams in the table, C classes, V vocabulary entries; K columns
of ratios: C, each class against all others, or for two classes one, the second against the first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sentiment_lstm.errors import ConfigError
from sentiment_lstm.model.pooling import length_mask

ABSENT = torch.iinfo(torch.int64).max  # stands where there is no n-gram; no n-gram has this number


class NgramBranch(nn.Module):
    """The table of n-grams, and the logits it gives.

    Parameters
    ----------
    longest : n, 1 to 3
    num_ngrams, vocabulary_size, num_classes : N, V, C
    dropout : share of the reviews that get no logits from here while training

    Raises
    ------
    ConfigError
        Where V^n is no longer a whole number of 64 bits.
    """

    keys: Tensor
    ratios: Tensor

    def __init__(
        self, longest: int, num_ngrams: int, vocabulary_size: int, num_classes: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        check_keys_fit(longest, vocabulary_size)
        self.longest, self.vocabulary_size = longest, vocabulary_size
        columns = 1 if num_classes == 2 else num_classes
        self.register_buffer("keys", torch.zeros(num_ngrams, dtype=torch.int64))  # (N,), ascending
        self.register_buffer("ratios", torch.zeros(num_ngrams, columns))  # (N, K), r / sqrt(M)
        self.weight = nn.Parameter(torch.ones(num_ngrams, columns))  # (N, K)
        self.dropout = dropout

    @torch.no_grad()
    def set_ratios(self, keys: Tensor, ratios: Tensor) -> None:
        """Fill the table with what :func:`count_ratios` returned."""
        self.keys.copy_(keys)
        self.ratios.copy_(ratios)

    def forward(self, token_ids: Tensor, lengths: Tensor) -> Tensor:
        """Return the (B, C) float32 logits of (B, T) int64 token ids with (B,) lengths; each n-gram counts once."""
        keys = ngram_keys(token_ids, lengths, self.longest, self.vocabulary_size).sort(1).values  # (B, M)
        places = torch.searchsorted(self.keys, keys).clamp_max(len(self.keys) - 1)
        counted = self.keys[places] == keys
        counted[:, 1:] &= keys[:, 1:] != keys[:, :-1]
        terms = F.embedding(places, self.ratios) * F.embedding(places, self.weight)  # (B, M, K)
        logits = (terms * counted[:, :, None]).sum(1)
        if self.training and self.dropout > 0:
            # Naive Bayes knows the training reviews nearly by heart: beside it alone the network would learn little.
            # Not scaled up where it stays: the two must add up as they do in use.
            kept = torch.rand(len(logits), 1, device=logits.device) >= self.dropout
            logits = logits * kept
        return F.pad(logits, (1, 0)) if logits.shape[1] == 1 else logits  # of two classes the first one's stays 0


def ngram_keys(token_ids: Tensor, lengths: Tensor, longest: int, vocabulary_size: int) -> Tensor:
    """Number all n-grams of padded reviews, from single tokens to runs of ``longest``.

    Tokens have ids from 1 on. So with V as the base the numbers of different n-grams differ, whatever their n.

    Returns
    -------
    (B, longest * T) int64 tensor
        ``ABSENT`` where an n-gram would reach beyond its review.
    """
    num_steps = token_ids.shape[1]
    keys, own = [], torch.zeros_like(token_ids)
    for size in range(1, longest + 1):
        following = F.pad(token_ids[:, size - 1 :], (0, min(size - 1, num_steps)))
        own = own * vocabulary_size + following
        keys.append(own.masked_fill(~length_mask(lengths - size + 1, num_steps), ABSENT))
    return torch.cat(keys, 1)


def check_keys_fit(longest: int, vocabulary_size: int) -> None:
    """Refuse a vocabulary whose n-grams cannot be numbered with 64 bits.

    Raises
    ------
    ConfigError
    """
    if vocabulary_size**longest > ABSENT:
        raise ConfigError(
            f"model.ngrams: {longest} is too many for a vocabulary of {vocabulary_size:,}: "
            f"lower it, or tokenizer.max_size to {int(ABSENT ** (1 / longest)):,}"
        )


def count_ratios(
    token_ids: Sequence[np.ndarray],
    labels: np.ndarray,
    num_classes: int,
    longest: int,
    vocabulary_size: int,
    min_count: int,
) -> tuple[Tensor, Tensor]:
    """Find the n-grams of training reviews, and by how much each one speaks for a class.

    With p and q the numbers of reviews of the class and of all others that an n-gram occurs in, each plus 1, its ratio
    is log((p / |p|_1) / (q / |q|_1)) (Wang and Manning 2012, equation 2; presence, not frequency). All are divided by
    the root of M.

    Parameters
    ----------
    token_ids : (T,) integer arrays, one a review
    labels : (number of reviews,) class indices
    min_count : reviews an n-gram must occur in

    Returns
    -------
    keys : (N,) int64 tensor, ascending
    ratios : (N, K) float32 tensor

    Raises
    ------
    ConfigError
        Where no n-gram occurs often enough, or as :func:`check_keys_fit`.
    """
    check_keys_fit(longest, vocabulary_size)
    present = [_distinct_keys(ids, longest, vocabulary_size) for ids in token_ids]
    keys, counts = np.unique(np.concatenate(present), return_counts=True)
    keys, counts = keys[counts >= min_count], counts[counts >= min_count]
    if not len(keys):
        raise ConfigError(f"model.ngrams: no n-gram occurs in {min_count} training reviews: lower ngram_min_count")
    ratios = []
    for label in range(num_classes) if num_classes > 2 else (1,):
        own = np.concatenate([*(present[index] for index in np.flatnonzero(labels == label)), keys])  # each once more
        own, own_counts = np.unique(own, return_counts=True)
        p = own_counts[np.searchsorted(own, keys)].astype(np.float64)  # the 1 is that once more
        q = counts - p + 2
        ratios.append(np.log(p / p.sum()) - np.log(q / q.sum()))
    root = np.sqrt(counts.sum() / len(token_ids))
    return torch.from_numpy(keys), torch.from_numpy((np.stack(ratios, 1) / root).astype(np.float32))


def _distinct_keys(token_ids: np.ndarray, longest: int, vocabulary_size: int) -> np.ndarray:
    ids = torch.from_numpy(token_ids.astype(np.int64))[None]
    keys = np.unique(ngram_keys(ids, torch.tensor([ids.shape[1]]), longest, vocabulary_size).numpy())
    return keys[keys != ABSENT]
