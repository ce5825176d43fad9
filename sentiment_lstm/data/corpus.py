"""Text without labels, for pretraining: what a source holds but its test and validation reviews, or a file's lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sentiment_lstm.config import DataConfig
from sentiment_lstm.data.prepare import EncodedSplit, encode_token_ids
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sources import load_source
from sentiment_lstm.data.splits import stratified_sample, stratified_split
from sentiment_lstm.data.tables import read_utf8
from sentiment_lstm.data.tokenizer import UNK_ID, Tokenizer
from sentiment_lstm.errors import DataError

READ_SPLITS = ("train", "unsupervised")


def load_texts(config: DataConfig, validation_share: float) -> dict[str, list[Review]]:
    """Return texts as ``train`` and ``validation``, the latter a seeded share held out for perplexity.

    A source is read as for training, its ``unsupervised`` split too; never its test or validation split. A file whose
    name ends in ``.txt`` holds a text a line. ``limit`` is a sample of all of them.

    Raises
    ------
    UsageError, DataError
        As :func:`load_source`; also where there are fewer than two texts.
    """
    texts = read_texts(config.source, config)
    if config.limit is not None:
        texts = stratified_sample(texts, config.limit, config.split_seed)
    if len(texts) < 2:
        raise DataError(f"{config.source} holds fewer than two texts: give more to read")
    train, validation = stratified_split(texts, validation_share, config.split_seed)
    return {"train": train, "validation": validation}


def read_texts(name: str, config: DataConfig) -> list[Review]:
    """Return all texts of a source, or of a ``.txt`` file, that are not blank, without their labels.

    Raises
    ------
    UsageError, DataError
        As :func:`load_source`.
    """
    path = Path(name).expanduser()
    if path.suffix.lower() == ".txt" and path.is_file():
        lines = read_utf8(path).splitlines()
        texts = [Review(line, None, f"{path.stem}-{number}") for number, line in enumerate(lines)]
    else:
        source = load_source(name, splits=READ_SPLITS, text_column=config.text_column, label_column=config.label_column)
        texts = [review for reviews in source.splits.values() for review in reviews]
    return [Review(review.text, None, review.id) for review in texts if review.text.strip()]


def encode_texts(reviews: list[Review], tokenizer: Tokenizer) -> EncodedSplit:
    """Encode whole texts; nothing is cut."""
    token_ids = encode_token_ids([review.text for review in reviews], tokenizer)
    count = max(sum(map(len, token_ids)), 1)
    unknown = sum(int((ids == UNK_ID).sum()) for ids in token_ids)
    return EncodedSplit(reviews, token_ids, np.zeros(len(reviews), dtype=np.int64), 0.0, unknown / count)
