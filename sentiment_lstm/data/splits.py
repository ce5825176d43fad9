"""Seeded, stratified parts of a list of reviews. All keep each label's share; none depends on the order on disk."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from sentiment_lstm.data.reviews import Review
from sentiment_lstm.errors import DataError

LARGEST_GROUP = 400  # reviews; a larger group is names in a chain rather than a film, and stays in training
TOLERANCE = 0.2  # of a label's share, by which whole groups may miss it
ATTEMPTS = 10  # orders of the groups that are tried


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
    return divide(reviews, draw_reviews(reviews, share, seed))


def divide(reviews: Sequence[Review], held_out: np.ndarray) -> tuple[list[Review], list[Review]]:
    """Return ``(rest, held out)`` by a (N,) bool array, each in the order of ``reviews``."""
    marked = list(zip(reviews, held_out.tolist(), strict=True))
    return [review for review, out in marked if not out], [review for review, out in marked if out]


def draw_reviews(reviews: Sequence[Review], share: float, seed: int) -> np.ndarray:
    """Return which reviews :func:`stratified_split` holds out, a (N,) bool array."""
    held_out = np.zeros(len(reviews), dtype=bool)
    for positions in _positions_by_label(reviews, seed).values():
        held_out[positions[: _wanted(len(positions), share)]] = True
    return held_out


def draw_groups(reviews: Sequence[Review], groups: np.ndarray, share: float, seed: int) -> np.ndarray | None:
    """Return which reviews to hold out so that no group is torn, a (N,) bool array.

    Groups are drawn whole, in an order shuffled by the seed, each where no label would exceed its share by it. What
    single reviews cannot fill up is then filled as nearly as larger groups allow. Groups of more than
    ``LARGEST_GROUP`` reviews, or of more than are wanted in all, are never held out. Where every review is a group by
    itself the result is that of :func:`draw_reviews`.

    Parameters
    ----------
    reviews : sequence of N Review
    groups : (N,) int64 array
        Reviews with the same number belong together.
    share : of each label's reviews
    seed : of the order in which groups are drawn

    Returns
    -------
    (N,) bool array or None
        ``None`` where in ``ATTEMPTS`` orders some label stays further from its share than ``TOLERANCE`` of it and
        than one review.
    """
    _, numbers = np.unique(groups, return_inverse=True)
    num_groups = int(numbers.max(initial=-1)) + 1
    if num_groups == len(reviews):
        return draw_reviews(reviews, share, seed)
    labels = sorted({review.label for review in reviews}, key=str)
    column = {label: place for place, label in enumerate(labels)}
    counts = np.zeros((num_groups, len(labels)), dtype=np.int64)  # a group's reviews of each label
    np.add.at(counts, (numbers, np.array([column[review.label] for review in reviews])), 1)
    wanted = np.array([_wanted(int(total), share) for total in counts.sum(axis=0)])
    small = np.flatnonzero(counts.sum(axis=1) <= min(LARGEST_GROUP, wanted.sum()))
    for attempt in range(ATTEMPTS):
        order = small.tolist()
        random.Random(f"{seed}/groups/{attempt}").shuffle(order)
        chosen = _fill(counts, wanted, order)
        distance = np.abs(counts[chosen].sum(axis=0) - wanted)
        if chosen and (distance <= np.maximum(TOLERANCE * wanted, 1)).all():
            return np.isin(numbers, chosen)
    return None


def _fill(counts: np.ndarray, wanted: np.ndarray, order: Sequence[int]) -> list[int]:
    """Choose groups in this order: first those that fit, then those that bring the labels nearer to what is wanted."""
    rows = counts.tolist()
    missing = wanted.tolist()
    totals = counts.sum(axis=0).tolist()
    chosen: list[int] = []
    left_over: list[int] = []
    for number in order:
        if all(own <= lacking for own, lacking in zip(rows[number], missing, strict=True)):
            chosen.append(number)
            missing = [lacking - own for own, lacking in zip(rows[number], missing, strict=True)]
        else:
            left_over.append(number)
    spare = [total - want for total, want in zip(totals, wanted.tolist(), strict=True)]
    for number in left_over:
        after = [lacking - own for own, lacking in zip(rows[number], missing, strict=True)]
        empties_a_label = any(-lacking >= rest for lacking, rest in zip(after, spare, strict=True))
        if not empties_a_label and sum(map(abs, after)) < sum(map(abs, missing)):
            chosen.append(number)
            missing = after
    return chosen


def _wanted(count: int, share: float) -> int:
    """How many of a label's reviews to hold out: its share, but at least one of two, and never all."""
    return min(max(round(share * count), 1), count - 1)


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
