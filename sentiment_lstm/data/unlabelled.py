"""Reviews read without their labels: where they come from, and which of them stand beside each labelled batch."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from sentiment_lstm.config import DataConfig, TokenizerConfig, TrainingConfig
from sentiment_lstm.data.batching import Batch, collate, plan_batches
from sentiment_lstm.data.crops import draw_crops
from sentiment_lstm.data.prepare import encode_token_ids
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sources import load_source
from sentiment_lstm.data.splits import stratified_sample
from sentiment_lstm.data.tokenizer import Tokenizer, truncate

logger = logging.getLogger(__name__)

READ_SPLITS = ("train", "unsupervised")
UNLABELLED = 2  # tells these draws apart from those of the labelled batches, whose key is (seed, epoch)


def load_unlabelled(config: DataConfig) -> list[Review]:
    """Return what a source has without a label: its ``unsupervised`` split, and rows of the others that lack one.

    Never its test or validation split. ``limit`` is a sample of all of them. Says so where there are none.

    Raises
    ------
    UsageError, DataError
        As :func:`load_source`.
    """
    reviews = read_unlabelled(config)
    if not reviews:
        logger.warning(
            "%s has no review without a label: the training reviews alone are read without theirs", config.source
        )
    return reviews if config.limit is None else stratified_sample(reviews, config.limit, config.split_seed)


def read_unlabelled(config: DataConfig) -> list[Review]:
    """Return all that :func:`load_unlabelled` chooses from."""
    columns = {"text_column": config.text_column, "label_column": config.label_column}
    splits = load_source(config.source, splits=READ_SPLITS, **columns).splits
    return [
        Review(review.text, None, review.id)
        for name, own in splits.items()
        for review in own
        if review.text.strip() and (name == "unsupervised" or review.label is None)
    ]


def encode_unlabelled(
    reviews: Sequence[Review], train: Sequence[np.ndarray], tokenizer: Tokenizer, config: TokenizerConfig
) -> list[np.ndarray]:
    """Return the token ids of unlabelled reviews, truncated as training reviews are, and after them those of training.

    Parameters
    ----------
    reviews : sequence of Review
    train : the token ids of the training reviews
    """
    token_ids = encode_token_ids([review.text for review in reviews], tokenizer) if reviews else []
    return [*(truncate(ids, config.max_length, config.truncation) for ids in token_ids), *train]


class UnlabelledBatches:
    """For each labelled batch of an epoch an unlabelled one, of reviews of similar length.

    Parameters
    ----------
    token_ids : list of (T,) integer arrays
    config : TrainingConfig
        Its ``unlabelled_batch_size``, ``batch_tokens``, seed and crops.

    Attributes
    ----------
    lengths : list of int
        Tokens that are read of each review, in the epoch that was planned last.
    """

    def __init__(self, token_ids: Sequence[np.ndarray], config: TrainingConfig) -> None:
        self._whole = token_ids
        self._config = config
        self._read(token_ids)
        self._batches: list[np.ndarray] = []

    def plan(self, epoch: int, count: int) -> None:
        """Draw ``count`` batches, a pure function of (seed, epoch).

        No review comes twice before each has come once. An epoch has rarely time for all of them, and another one
        reads others.
        """
        config = self._config
        size = config.unlabelled_batch_size or config.batch_size
        if config.crop_tokens is not None:
            key = (config.seed, epoch, UNLABELLED, 0)
            self._read(draw_crops(self._whole, config.crop_tokens, config.crop_min_tokens, config.crop_share, key))
        self._batches = []
        round_number = 0
        while len(self._batches) < count:
            key = (config.seed, epoch, UNLABELLED, round_number)
            self._batches += plan_batches(self.lengths, size, config.batch_tokens, key)
            round_number += 1

    def beside(self, start: int, count: int) -> list[np.ndarray]:
        """Return the indices, (B,) int64 each, that stand beside ``count`` labelled batches from the given one on."""
        return self._batches[start : start + count]

    def collate(self, indices: np.ndarray) -> Batch:
        """Return the reviews of these indices as a batch without labels."""
        return collate(self._token_ids, indices, None)

    def _read(self, token_ids: Sequence[np.ndarray]) -> None:
        self._token_ids = token_ids
        self.lengths = [len(ids) for ids in token_ids]
