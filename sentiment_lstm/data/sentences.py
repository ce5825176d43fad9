"""Reviews cut into sentences, and sentences that are learnt beside the reviews they are from."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sentiment_lstm.config import TokenizerConfig
from sentiment_lstm.data.prepare import EncodedSplit, encode_split
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.tokenizer import Tokenizer

FEWEST_WORDS, MOST_WORDS = 2, 40  # of a sentence that is learnt: one word is seldom a sentence
SENTENCE_END = re.compile(r"[.!?]+[\"')\]]*(?=\s|<br|$)")
BREAKS = re.compile(r"(?:<br ?/?>|\s)+")


def split_sentences(text: str) -> list[str]:
    """Cut a text after each end of a sentence; line breaks and runs of white space become one blank."""
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    parts = [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]
    cleaned = (BREAKS.sub(" ", part).strip() for part in parts)
    return [part for part in cleaned if part]


def draw_sentences(reviews: Sequence[Review], per_review: int, seed: int) -> tuple[list[Review], np.ndarray]:
    """Draw up to so many single sentences of each review, of 2 to 40 words, none of it twice.

    A review's label says less of a sentence than of the whole, but in the mean it is right, and right about real
    sentences too in which word order decides: of those that hold "not bad" most are from reviews that praise. A review
    of one sentence gives none, as it is learnt itself.

    Returns
    -------
    list of Review
        With the labels of the reviews they are from.
    (N,) int64 array
        Where those stand in ``reviews``.
    """
    draw = random.Random(f"{seed}/sentences of reviews")
    drawn: list[Review] = []
    sources: list[int] = []
    for source, review in enumerate(reviews if per_review else ()):
        sentences = split_sentences(review.text)
        if len(sentences) < 2:
            continue
        short = {
            text: f"{review.id}[{place}:{place + 1}]"
            for place, text in enumerate(sentences)
            if FEWEST_WORDS <= len(text.split()) <= MOST_WORDS
        }
        chosen = draw.sample(list(short), min(per_review, len(short)))
        drawn += [Review(text, review.label, short[text]) for text in chosen]
        sources += [source] * len(chosen)
    return drawn, np.array(sources, dtype=np.int64)


def add_reviews(
    split: EncodedSplit,
    reviews: list[Review],
    tokenizer: Tokenizer,
    labels: Sequence[str],
    config: TokenizerConfig,
    soft_labels: np.ndarray | None = None,
) -> EncodedSplit:
    """Return a split with more labelled texts at its end; what it says of its own reviews stays as it is.

    ``soft_labels`` (N, C) are theirs, where the split has soft labels.
    """
    if not reviews:
        return split
    more = encode_split(reviews, tokenizer, labels, config)
    both = None
    if split.soft_labels is not None:
        assert soft_labels is not None
        both = np.concatenate([split.soft_labels, soft_labels])
    return replace(
        split,
        reviews=[*split.reviews, *more.reviews],
        token_ids=[*split.token_ids, *more.token_ids],
        labels=np.concatenate([split.labels, more.labels]),
        soft_labels=both,
    )
