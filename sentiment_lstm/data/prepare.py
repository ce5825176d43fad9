"""From a configuration to encoded splits: the one road that training and evaluation share."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from sentiment_lstm.config import DataConfig, TokenizerConfig
from sentiment_lstm.data import cache
from sentiment_lstm.data.groups import Groups, find_groups
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sources import Source, load_source
from sentiment_lstm.data.splits import divide, draw_groups, draw_reviews, stratified_sample
from sentiment_lstm.data.tokenizer import UNK_ID, Tokenizer, build_tokenizer, truncate
from sentiment_lstm.errors import DataError

logger = logging.getLogger(__name__)

TOKENIZER_VERSION = "1"  # part of the cache's keys: raise it when the code that builds or encodes changes
GROUPS_VERSION = "1"  # likewise, for the code that finds groups


@dataclass(frozen=True)
class EncodedSplit:
    """The reviews of one split as token ids.

    Attributes
    ----------
    reviews : list of Review
    token_ids : list of (T,) int32 arrays
        After truncation.
    labels : (N,) int64 array
        Class indices.
    truncated_share, unknown_share : float
        The share of reviews that were cut, and of the kept tokens that the vocabulary lacks.
    soft_labels : (N, C) float32 array or None
        Teachers' probabilities, which training aims at instead of the labels.
    """

    reviews: list[Review]
    token_ids: list[np.ndarray]
    labels: np.ndarray
    truncated_share: float
    unknown_share: float
    soft_labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.reviews)


def load_splits(config: DataConfig) -> dict[str, list[Review]]:
    """Return labelled reviews as ``train``, ``validation`` and ``test``.

    Validation comes out of the training reviews unless the source or ``validation_data`` brings its own. Where the
    source has no test split, a share of its reviews becomes one before anything else happens. Both are drawn as
    ``config.validation`` says: review by review, or in whole groups of reviews that are likely to be of one film.

    Raises
    ------
    UsageError, DataError
        As :func:`load_source`; also where a split has no labelled review.
    """
    source = _load(config.source, config)
    splits = {name: _labelled(reviews, f"{config.source} ({name})") for name, reviews in source.splits.items()}
    if "all" in splits:
        splits["train"] = splits.pop("all")
    for name, path in (("test", config.test_data), ("validation", config.validation_data)):
        if path is not None:
            extra = [review for reviews in _load(path, config).splits.values() for review in reviews]
            splits[name] = _labelled(extra, path)
    if "train" not in splits:
        raise DataError(f"{config.source} has no training reviews: expected a split named train, or a single file")
    if config.limit is not None:
        splits = {name: stratified_sample(own, config.limit, config.split_seed) for name, own in splits.items()}
    _hold_out(splits, config)
    known = {review.label for review in splits["train"]}
    for name in ("train", "validation", "test"):
        foreign = next((review for review in splits[name] if review.label not in known), None)
        if foreign is not None:
            raise DataError(
                f"{foreign.id} ({name}) has the label {foreign.label!r}, which no training review has: "
                "leave such reviews out, or raise --limit"
            )
        if not splits[name]:
            raise DataError(
                f"{config.source}: no label has a review to spare for a {name} split: "
                "give more reviews, raise --limit, or check the label column"
            )
    return splits


def _hold_out(splits: dict[str, list[Review]], config: DataConfig) -> None:
    """Take out of the training reviews the test and validation splits that the source lacks."""
    shares = {"test": config.test_share, "validation": config.validation_share}
    lacking = [name for name in shares if name not in splits]
    levels: list[np.ndarray] = []
    if lacking and config.validation == "grouped":
        groups = groups_of(splits["train"])
        levels = [groups.names, groups.copies]
    for name in lacking:
        held_out = _draw(name, splits["train"], levels, shares[name], config.split_seed)
        splits["train"], splits[name] = divide(splits["train"], held_out)
        levels = [level[~held_out] for level in levels]


def _draw(name: str, reviews: list[Review], levels: Sequence[np.ndarray], share: float, seed: int) -> np.ndarray:
    """Choose the reviews to hold out by the widest groups that allow it; say so where these are not the first."""
    fallbacks = ("only copies and near copies are kept together", "reviews are drawn one by one")
    for level, fallback in zip(levels, fallbacks, strict=False):
        held_out = draw_groups(reviews, level, share, seed)
        if held_out is not None:
            return held_out
        logger.warning("%s: whole groups of alike reviews do not make up a share of %g: %s", name, share, fallback)
    return draw_reviews(reviews, share, seed)


def groups_of(reviews: Sequence[Review]) -> Groups:
    """Find which reviews belong together, or take it from the cache."""
    name = f"{cache.key([GROUPS_VERSION, *(review.text for review in reviews)])}.groups.safetensors"
    if (cached := cache.read(name)) is not None:
        try:
            return Groups(**safetensors.numpy.load(cached))
        except (SafetensorError, TypeError):
            logger.debug("damaged cache entry %s", name)
    groups = find_groups(reviews)
    cache.write(name, safetensors.numpy.save({"copies": groups.copies, "names": groups.names}))
    return groups


def load_evaluation_split(config: DataConfig, split: str) -> list[Review]:
    """Return the labelled reviews of one split of a source that has it, or all of a file that has no splits."""
    source = _load(config.source, config)
    if split not in source.splits and "all" not in source.splits:
        raise DataError(f"{config.source} has no {split} split (it has {', '.join(source.splits)})")
    reviews = _labelled(source.splits.get(split, source.splits.get("all", [])), config.source)
    return stratified_sample(reviews, config.limit, config.split_seed) if config.limit else reviews


def fingerprint(splits: dict[str, list[Review]]) -> str:
    """Hash the ids, texts and labels of the training and validation reviews: what a model has seen."""
    reviews = [*splits["train"], *splits["validation"]]
    return cache.key(part for review in reviews for part in (review.id, review.text, str(review.label)))


def review_hashes(reviews: Sequence[Review]) -> np.ndarray:
    """Return a (N,) int64 hash of each review's id, text and label: enough to say later which one has changed."""
    parts = ("\0".join((review.id, review.text, str(review.label))) for review in reviews)
    digests = (hashlib.blake2b(part.encode("utf-8", "surrogatepass"), digest_size=8).digest() for part in parts)
    return np.frombuffer(bytearray().join(digests), dtype=np.int64)


def tokenizer_for(reviews: Sequence[Review], config: TokenizerConfig) -> Tokenizer:
    """Build the vocabulary from training reviews, or take it from the cache."""
    texts = [review.text for review in reviews]
    settings = [TOKENIZER_VERSION, config.kind, str(config.min_frequency), str(config.max_size)]
    name = f"{cache.key([*settings, *texts])}.tokenizer.json"
    if (cached := cache.read(name)) is not None:
        try:
            return Tokenizer.from_bytes(cached)
        except ValueError:
            logger.debug("damaged cache entry %s", name)
    tokenizer = build_tokenizer(texts, config)
    cache.write(name, tokenizer.to_bytes())
    return tokenizer


def encode_split(
    reviews: list[Review], tokenizer: Tokenizer, labels: Sequence[str], config: TokenizerConfig
) -> EncodedSplit:
    """Encode reviews, from the cache where the same texts were encoded before, and truncate them.

    Raises
    ------
    DataError
        Where a review's label is not one of ``labels``.
    """
    token_ids = encode_token_ids([review.text for review in reviews], tokenizer)
    kept = [truncate(ids, config.max_length, config.truncation) for ids in token_ids]
    cut = sum(len(own) < len(ids) for own, ids in zip(kept, token_ids, strict=True))
    num_kept = max(sum(map(len, kept)), 1)
    unknown = sum(int((ids == UNK_ID).sum()) for ids in kept)
    index = {name: position for position, name in enumerate(labels)}
    foreign = next((review for review in reviews if review.label not in index), None)
    if foreign is not None:
        raise DataError(f"{foreign.id} has the label {foreign.label!r}, which training has not ({', '.join(labels)})")
    return EncodedSplit(
        reviews=reviews,
        token_ids=kept,
        labels=np.array([index[review.label or ""] for review in reviews], dtype=np.int64),
        truncated_share=cut / len(reviews),
        unknown_share=unknown / num_kept,
    )


def encode_token_ids(texts: list[str], tokenizer: Tokenizer) -> list[np.ndarray]:
    """Encode texts whole, from the cache where the same ones were encoded before."""
    name = f"{cache.key([TOKENIZER_VERSION, tokenizer.fingerprint, *texts])}.safetensors"
    if (cached := cache.read(name)) is not None:
        try:
            arrays = safetensors.numpy.load(cached)
            return np.split(arrays["token_ids"], arrays["ends"][:-1])
        except (SafetensorError, KeyError, ValueError):
            logger.debug("damaged cache entry %s", name)
    token_ids = tokenizer.encode_batch(texts)
    ends = np.cumsum([len(ids) for ids in token_ids])
    cache.write(name, safetensors.numpy.save({"token_ids": np.concatenate(token_ids), "ends": ends}))
    return token_ids


def _load(source: str, config: DataConfig) -> Source:
    loaded = load_source(source, text_column=config.text_column, label_column=config.label_column)
    for note in loaded.notes:
        logger.info("%s: %s", source, note)
    return loaded


def _labelled(reviews: list[Review], where: str) -> list[Review]:
    """Leave out the reviews that teach nothing: without a label, or blank. Say how many there were."""
    labelled = [review for review in reviews if review.label is not None]
    kept = [review for review in labelled if review.text.strip()]
    if not kept:
        raise DataError(f"{where} holds no labelled review with a text")
    if unlabelled := len(reviews) - len(labelled):
        logger.warning("%s: %s without a label left out", where, _count(unlabelled))
    if blank := len(labelled) - len(kept):
        first = next(review.id for review in labelled if not review.text.strip())
        logger.warning("%s: %s without a text left out, the first is %s", where, _count(blank), first)
    return kept


def _count(number: int) -> str:
    return f"{number:,} review" + ("s" if number != 1 else "")
