"""Seeded, stratified parts of a list of reviews. All keep each label's share; none depends on the order on disk."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence

from sentiment_lstm.data.reviews import Review
from sentiment_lstm.errors import DataError


def label_names(reviews: Iterable[Review]) -> list[str]:
    """Return the labels in the order of their class index: numbers by value, names by the alphabet.

    Raises
    ------
    DataError
        Where there are fewer than two.
    """
    names = {review.label for review in reviews if review.label is not None}
    if len(names) < 2:
        found = f"only the label {next(iter(names))!r}" if names else "no labelled review"
        raise DataError(
            f"the training data holds {found}: at least two different ones are needed; check the label column"
        )
    in_order = sorted(names)  # so that equal numbers such as 1 and 1.0 have an order too
    try:
        return sorted(in_order, key=float)
    except ValueError:
        return in_order


def stratified_split(reviews: Sequence[Review], share: float, seed: int) -> tuple[list[Review], list[Review]]:
    """Return ``(rest, held out)``: ``share`` of each label is held out, at least one review where a label has two.

    Both parts keep the order of ``reviews``.
    """
    held_out: set[int] = set()
    for positions in _positions_by_label(reviews, seed).values():
        count = max(round(share * len(positions)), 1) if len(positions) > 1 else 0
        held_out.update(positions[: min(count, len(positions) - 1)])
    rest = [review for position, review in enumerate(reviews) if position not in held_out]
    return rest, [reviews[position] for position in sorted(held_out)]


def stratified_sample(reviews: Sequence[Review], size: int, seed: int) -> list[Review]:
    """Return ``size`` reviews in which every label has its share, to within one review (largest remainders)."""
    if size >= len(reviews):
        return list(reviews)
    positions = _positions_by_label(reviews, seed)
    exact = {label: size * len(own) / len(reviews) for label, own in positions.items()}
    counts = {label: int(value) for label, value in exact.items()}
    by_remainder = sorted(exact, key=lambda label: (counts[label] - exact[label], str(label)))
    for label in by_remainder[: size - sum(counts.values())]:
        counts[label] += 1
    chosen = [position for label, own in positions.items() for position in own[: counts[label]]]
    return [reviews[position] for position in sorted(chosen)]


def _positions_by_label(reviews: Sequence[Review], seed: int) -> dict[str | None, list[int]]:
    """The places of each label's reviews, each list shuffled by the seed."""
    positions: dict[str | None, list[int]] = defaultdict(list)
    for position, review in enumerate(reviews):
        positions[review.label].append(position)
    for label in sorted(positions, key=str):
        random.Random(f"{seed}/{label}").shuffle(positions[label])
    return positions
