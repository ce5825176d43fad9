"""Which reviews are likely to be of one film, place or product, without being told: by the rare names they share.

A model learns names. Where reviews of one film are on both sides of a split, it has seen the validation reviews' names
with their labels, and its accuracy there is not what it will be on other films.
"""

from __future__ import annotations

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sentiment_lstm.data.duplicates import MOST_COMPARED, find_near_copies, group_texts
from sentiment_lstm.data.reviews import Review

logger = logging.getLogger(__name__)

MOST_REVIEWS = (15, 10, 7, 5, 3, 2)  # that a rare name is in: more is an actor or a city. The first that makes no giant
GIANT = 0.125  # of all reviews: a larger group is no film, but chains of names met by chance, as where data are few
NEIGHBOURS = 20  # places between two reviews that one shared name suffices for; in the hub's order films are together
SHARED_NAMES = 2  # that suffice at any distance; a single one is often chance
LOWER_CASE_SHARE = 0.25  # a name is met in lower case at most in so many reviews for each with the capital

# A capital, then at least one more letter: English text is sieved by the pattern, other scripts by _is_title().
_CAPITALISED = r"[^\W\d_a-zà-öø-ÿ]\w+"
_ANYWHERE = re.compile(rf"\b{_CAPITALISED}")
_INSIDE_A_SENTENCE = re.compile(rf"(?:(?<=[\w,;:&/’']\s)|(?<=[(\-])){_CAPITALISED}")


@dataclass(frozen=True)
class Groups:
    """The group of each of N reviews, as the place of the group's first review.

    Attributes
    ----------
    copies : (N,) int64 array
        Copies and near copies together.
    names : (N,) int64 array
        These, and reviews that share rare names.
    """

    copies: np.ndarray
    names: np.ndarray


def find_groups(reviews: Sequence[Review]) -> Groups:
    """Return which reviews belong together; their order counts, their labels do not.

    Two reviews are of one group where they are copies or near copies (``data/duplicates.py``), share
    ``SHARED_NAMES`` rare names, or share one and stand within ``NEIGHBOURS`` places; and where a third ties them
    together. Where that makes a group of more than ``GIANT`` of all reviews, names must be rarer. The result is the
    same in every process. 25,000 reviews of IMDB take 6 s on one core.
    """
    copies = join(len(reviews), copy_pairs(reviews))
    joined = list(enumerate(copies.tolist()))
    places = rare_names([review.text for review in reviews]).values()
    for most in MOST_REVIEWS:
        rare = [own for own in places if len(own) <= most]
        names = join(len(reviews), [*joined, *name_pairs(rare, len(reviews))])
        if np.bincount(names, minlength=1).max() <= max(GIANT * len(reviews), MOST_REVIEWS[0]):
            break
    return Groups(copies, names)


def rare_names(texts: Sequence[str]) -> dict[str, list[int]]:
    """Return the names that are in few texts, each with the places of those texts.

    A name is a word with one capital at its beginning that stands so inside a sentence at least once, and that is
    rarely met in lower case. It is rare where it is in 2 to ``MOST_REVIEWS[0]`` texts. Words all in capitals are shouts
    and abbreviations more often than names. A script without capitals has no names.
    """
    names = {name for text in texts for name in set(_INSIDE_A_SENTENCE.findall(text)) if _is_title(name)}
    places: dict[str, list[int]] = defaultdict(list)
    lower_case = {name.lower() for name in names}
    in_lower_case: Counter[str] = Counter()
    for place, text in enumerate(texts):
        for name in sorted(names.intersection(_ANYWHERE.findall(text))):
            places[name].append(place)
        in_lower_case.update(lower_case.intersection(text.split()))
    return {
        name: own
        for name, own in places.items()
        if 2 <= len(own) <= MOST_REVIEWS[0] and in_lower_case[name.lower()] <= LOWER_CASE_SHARE * len(own)
    }


def name_pairs(names: Iterable[Sequence[int]], num_reviews: int) -> list[tuple[int, int]]:
    """Return the pairs of reviews that share enough rare names, given each name's places in ascending order."""
    by_length: dict[int, list[Sequence[int]]] = defaultdict(list)
    for places in names:
        by_length[len(places)].append(places)
    codes = [np.empty(0, dtype=np.int64)]
    for length, group in by_length.items():
        array = np.array(group, dtype=np.int64)  # (names, places)
        left, right = np.triu_indices(length, 1)
        codes.append((array[:, left] * num_reviews + array[:, right]).ravel())
    pairs, shared = np.unique(np.concatenate(codes), return_counts=True)
    left, right = pairs // max(num_reviews, 1), pairs % max(num_reviews, 1)
    enough = (shared >= SHARED_NAMES) | (right - left <= NEIGHBOURS)
    return list(zip(left[enough].tolist(), right[enough].tolist(), strict=True))


def copy_pairs(reviews: Sequence[Review]) -> list[tuple[int, int]]:
    """Return pairs that tie together all copies, and the near copies that MinHash finds."""
    same = [[int(place) for place, _ in members] for members in _group_by_place(reviews)]
    firsts = [places[0] for places in same]
    # The search passes over a pair that would tell nothing new about the splits it is given. With as many as there are
    # bits it looks for more than one copy of each text, so three near copies become one group and not a pair and one.
    splits = np.int64(1) << np.random.default_rng(3).integers(0, 62, size=len(firsts))
    near = find_near_copies([reviews[place].text for place in firsts], splits)
    if not near.complete:
        logger.warning("the search for near copies ended after %s pairs: some may be apart", f"{MOST_COMPARED:,}")
    pairs = [(places[0], other) for places in same for other in places[1:]]
    return pairs + [(firsts[left], firsts[right]) for left, right in near.pairs]


def join(number: int, pairs: Iterable[tuple[int, int]]) -> np.ndarray:
    """Return for each place the smallest place that pairs tie it to: a (number,) int64 array."""
    parent = list(range(number))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = place = parent[parent[place]]
        return place

    for left, right in pairs:
        one, other = root(left), root(right)
        parent[max(one, other)] = min(one, other)
    return np.array([root(place) for place in range(number)], dtype=np.int64)


def _group_by_place(reviews: Sequence[Review]) -> list[list[tuple[str, Review]]]:
    """Copies together; each review stands for a split of its own, whose name is its place."""
    return group_texts({str(place): [review] for place, review in enumerate(reviews)})


def _is_title(word: str) -> bool:
    return word[0].isupper() and not word.isupper()
