"""Reviews to padded batches: bucketed by length under a token budget, in an order that (seed, epoch) alone decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sentiment_lstm.data.tokenizer import PAD_ID, UNK_ID

LENGTH_JITTER = 0.1  # reviews whose lengths differ by less than this share may change places between epochs
LENGTH_MULTIPLE = 8  # T is rounded up to it: fewer shapes, so fewer kernels that oneDNN has to prepare


@dataclass(frozen=True)
class Batch:
    """A padded batch.

    Attributes
    ----------
    token_ids : (B, T) int64 tensor
        Padded on the right with 0.
    lengths : (B,) int64 tensor
        Tokens of each review, at least 1.
    labels : (B,) int64 tensor or None
    indices : (B,) int64 array
        Where each row stands in its split.
    soft_labels : (B, C) float32 tensor or None
        Probabilities to be answered with instead of the labels; see docs/distillation.md.
    """

    token_ids: Tensor
    lengths: Tensor
    labels: Tensor | None
    indices: np.ndarray
    soft_labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def num_tokens(self) -> int:
        """Tokens without the padding."""
        return int(self.lengths.sum())

    def rows(self, start: int, end: int | None) -> Batch:
        """Return the batch of some of the rows."""
        labels, soft_labels = (None if own is None else own[start:end] for own in (self.labels, self.soft_labels))
        return Batch(self.token_ids[start:end], self.lengths[start:end], labels, self.indices[start:end], soft_labels)

    def to(self, device: torch.device) -> Batch:
        """Return the batch with its tensors on a device."""
        if device.type == "cpu":
            return self
        token_ids, lengths = (tensor.to(device, non_blocking=True) for tensor in (self.token_ids, self.lengths))
        labels, soft_labels = (
            None if tensor is None else tensor.to(device, non_blocking=True)
            for tensor in (self.labels, self.soft_labels)
        )
        return Batch(token_ids, lengths, labels, self.indices, soft_labels)


def plan_batches(
    lengths: Sequence[int], batch_size: int, batch_tokens: int, shuffle_key: tuple[int, ...] | None = None
) -> list[np.ndarray]:
    """Group the indices of reviews of similar length.

    Parameters
    ----------
    lengths : (N,) tokens of each review
    batch_size : reviews in a batch, at most
    batch_tokens : reviews times the longest one's length in a batch, at most; a longer review is alone
    shuffle_key : (seed, epoch), and more numbers where there are several orders an epoch
        The whole order is a pure function of it. ``None``: by length, for evaluation.

    Returns
    -------
    list of (B,) int64 arrays
        Every index exactly once.
    """
    sizes = np.maximum(np.asarray(lengths, dtype=np.int64), 1)
    if shuffle_key is None:
        order = np.argsort(sizes, kind="stable")
        return _cut(order, sizes, batch_size, batch_tokens)
    random = np.random.default_rng(shuffle_key)
    order = random.permutation(len(sizes))
    jittered = sizes[order] * random.uniform(1 - LENGTH_JITTER, 1 + LENGTH_JITTER, len(sizes))
    order = order[np.argsort(jittered, kind="stable")]
    batches = _cut(order, sizes, batch_size, batch_tokens)
    return [batches[position] for position in random.permutation(len(batches))]


def _cut(order: np.ndarray, sizes: np.ndarray, batch_size: int, batch_tokens: int) -> list[np.ndarray]:
    """Cut an order into consecutive batches, each as large as the two limits allow."""
    batches, start, longest = [], 0, 0
    for position, size in enumerate(sizes[order].tolist()):
        longest = max(longest, size)
        count = position - start + 1
        if position > start and (count > batch_size or count * longest > batch_tokens):
            batches.append(order[start:position])
            start, longest = position, size
    if start < len(order):
        batches.append(order[start:])
    return batches


def collate(
    token_ids: Sequence[np.ndarray],
    indices: np.ndarray,
    labels: np.ndarray | None,
    soft_labels: np.ndarray | None = None,
) -> Batch:
    """Pad the chosen reviews to one tensor. A review without a token becomes one unknown token."""
    rows = [token_ids[index] for index in indices]
    lengths = np.array([max(len(row), 1) for row in rows], dtype=np.int64)
    width = -(-int(lengths.max()) // LENGTH_MULTIPLE) * LENGTH_MULTIPLE
    padded = np.full((len(rows), width), PAD_ID, dtype=np.int64)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
        if not len(row):
            target[0] = UNK_ID
    return Batch(
        token_ids=torch.from_numpy(padded),
        lengths=torch.from_numpy(lengths),
        labels=None if labels is None else torch.from_numpy(labels[indices]),
        indices=indices,
        soft_labels=None if soft_labels is None else torch.from_numpy(soft_labels[indices]),
    )


def iter_batches(
    token_ids: Sequence[np.ndarray],
    labels: np.ndarray | None,
    batch_size: int,
    batch_tokens: int,
    shuffle_key: tuple[int, int] | None = None,
) -> Iterator[Batch]:
    """Yield the planned batches one by one; see :func:`plan_batches`."""
    for indices in plan_batches([len(ids) for ids in token_ids], batch_size, batch_tokens, shuffle_key):
        yield collate(token_ids, indices, labels)
