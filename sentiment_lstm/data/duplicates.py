"""Which reviews say the same: copies by hash, near copies by MinHash and a count of their words."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain

import numpy as np

from sentiment_lstm.data.reviews import Review

SHINGLE_WORDS = 3
THRESHOLD = 0.8  # of the shingles that two texts have between them, the share that both have
BANDS, ROWS = 16, 4
FLOOR = 0.6  # of a pair's signatures, the share that must agree before its words are compared: 0.8 less 4 deviations
NEIGHBOURS = 16  # texts of one bucket that each of its texts is compared with
MOST_COMPARED = 200_000  # pairs whose words are compared, a bound on the time that odd data can take
CHUNK_WORDS = 250_000  # whose shingles stay in the processor's cache

Member = tuple[str, Review]  # a split's name and one of its reviews

_WORD = re.compile(r"\w+")
_BREAKS = ("<br />", "<br/>", "<br>")
_WHITE = b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"  # what str.split() takes for white space in ASCII


def normalise(text: str) -> str:
    """Return what counts as the same text: Unicode's NFKC, no capitals, line breaks and white space as one blank.

    >>> normalise("A  GOOD<br />film\\n")
    'a good film'
    """
    return " ".join(_fold(text).split())


def group_texts(splits: Mapping[str, Sequence[Review]]) -> list[list[Member]]:
    """Return the reviews that have a text, those of equal normalised text together, in order of first appearance.

    Texts are hashed without their white space, which is three times as fast as folding it. Only where two hashes are
    equal are the texts folded and compared, so no two different texts ever share a group.
    """
    by_hash: dict[int, list[Member]] = defaultdict(list)
    for split, reviews in splits.items():
        for review in reviews:
            if key := _without_white_space(review.text):
                by_hash[hash(key)].append((split, review))
    groups: list[list[Member]] = []
    for members in by_hash.values():
        if len(members) == 1:
            groups.append(members)
            continue
        by_text: dict[str, list[Member]] = defaultdict(list)
        for split, review in members:
            by_text[normalise(review.text)].append((split, review))
        groups += by_text.values()
    return groups


def _fold(text: str) -> str:
    if text.isascii():
        text = text.lower()
    else:
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    for mark in _BREAKS:
        text = text.replace(mark, " ")
    return text


def _without_white_space(text: str) -> bytes:
    text = _fold(text)
    if text.isascii():
        return text.encode().translate(None, _WHITE)
    return "".join(text.split()).encode("utf-8", "surrogatepass")


# ------------------------------------------------------------------------------------------------- near copies


@dataclass
class NearCopies:
    """What was found out about N texts.

    Attributes
    ----------
    partners : (N,) int64 array
        For each text the splits, as bits, in which it has a near copy.
    pairs : list of (int, int)
        Places of near copies, enough of them to show that each text has one in each such split.
    complete : bool
        Whether the search ended before ``MOST_COMPARED`` pairs.
    """

    partners: np.ndarray
    pairs: list[tuple[int, int]] = field(default_factory=list)
    complete: bool = True


def find_near_copies(texts: Sequence[str], members: np.ndarray) -> NearCopies:
    """Find out which of N different texts nearly repeat another one, and in which splits.

    Two texts are near copies where the sets of their word triples have a Jaccard index of at least ``THRESHOLD``.
    Capitals, punctuation and white space do not count. A text of fewer than three words is one shingle.

    Candidates come from MinHash signatures (Broder 1997) in 16 bands of 4 rows. A pair of Jaccard index J falls into
    one bucket with the probability 1 - (1 - J^4)^16, which is 0.9998 at 0.8 and more above it. Of every candidate the
    word triples themselves are compared, so what is reported is never wrong. In a bucket of more than ``NEIGHBOURS``
    texts each is compared with so many others: it is still found to have a copy, but not every one is.

    Parameters
    ----------
    texts : sequence of N str
        No two equal.
    members : (N,) int64 array
        For each text the splits that hold it, as bits.
    """
    found = NearCopies(np.zeros(len(texts), dtype=np.int64))
    if len(texts) < 2:
        return found
    signatures = minhash_signatures(texts)
    ranks = np.random.default_rng(0).permutation(len(texts))  # so that neighbours in a bucket are of all splits
    shingles = lru_cache(maxsize=4096)(lambda place: word_triples(texts[place]))
    compared: set[tuple[int, int]] = set()
    for left, right in _candidates(signatures, ranks, members, found.partners):
        pair = (left, right) if left < right else (right, left)
        useful = members[right] & ~found.partners[left] | members[left] & ~found.partners[right]
        if not useful or pair in compared:
            continue
        if len(compared) >= MOST_COMPARED:
            found.complete = False
            break
        compared.add(pair)
        if jaccard(shingles(left), shingles(right)) >= THRESHOLD:
            found.partners[left] |= members[right]
            found.partners[right] |= members[left]
            found.pairs.append(pair)
    return found


def word_triples(text: str) -> frozenset[tuple[str, ...]]:
    """Return the shingles of a text: every three words that follow each other, or all its words where it has fewer."""
    words = _WORD.findall(normalise(text))
    starts = range(max(len(words) - SHINGLE_WORDS + 1, 1))
    return frozenset(tuple(words[start : start + SHINGLE_WORDS]) for start in starts)


def jaccard(left: frozenset[tuple[str, ...]], right: frozenset[tuple[str, ...]]) -> float:
    """Return the share of the shingles of either that both have."""
    common = len(left & right)
    return common / (len(left) + len(right) - common)


def _candidates(
    signatures: np.ndarray, ranks: np.ndarray, members: np.ndarray, partners: np.ndarray
) -> Iterator[tuple[int, int]]:
    """Pairs that share a bucket, look alike by their signatures, and would tell something new about one of them."""
    mixing = np.random.default_rng(1).integers(1, 2**63, size=ROWS, dtype=np.uint64) | np.uint64(1)
    for start in range(0, BANDS * ROWS, ROWS):
        keys = signatures[:, start : start + ROWS].astype(np.uint64) @ mixing
        order = np.lexsort((ranks, keys))
        keys = keys[order]
        for distance in range(1, min(NEIGHBOURS + 1, len(order))):
            same = keys[:-distance] == keys[distance:]
            if not same.any():
                break
            left, right = order[:-distance][same], order[distance:][same]
            new = (members[right] & ~partners[left] | members[left] & ~partners[right]) != 0
            left, right = left[new], right[new]
            for some in range(0, len(left), 4096):
                one, other = left[some : some + 4096], right[some : some + 4096]
                alike = (signatures[one] == signatures[other]).mean(axis=1) >= FLOOR
                yield from zip(one[alike].tolist(), other[alike].tolist(), strict=True)


def minhash_signatures(texts: Sequence[str]) -> np.ndarray:
    """Return the (N, 64) uint32 signatures of N texts: equal in the share of places that is their Jaccard index."""
    generator = np.random.default_rng(2)
    masks = generator.integers(0, 2**63, size=BANDS * ROWS, dtype=np.uint64)
    factors = generator.integers(0, 2**63, size=BANDS * ROWS, dtype=np.uint64) | np.uint64(1)
    signatures = np.empty((len(texts), BANDS * ROWS), dtype=np.uint32)
    done = 0
    for hashes, lengths in _shingle_hashes(texts):
        starts = np.cumsum(lengths) - lengths
        for place, (mask, factor) in enumerate(zip(masks, factors, strict=True)):
            permuted = (((hashes ^ mask) * factor) >> np.uint64(32)).astype(np.uint32)  # multiply-shift, modulo 2^64
            signatures[done : done + len(lengths), place] = np.minimum.reduceat(permuted, starts)
        done += len(lengths)
    return signatures


class _WordHashes(dict[str, int]):
    """The same number for a word in every process; Python's own hash differs between them."""

    def __missing__(self, word: str) -> int:
        self[word] = value = zlib.crc32(word.encode("utf-8", "surrogatepass"))
        return value


def _shingle_hashes(texts: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The 64-bit hashes of all shingles of some texts, one text after the other, and how many each text has."""
    hash_of = _WordHashes()
    chunk: list[list[str]] = []
    held = 0
    for number, text in enumerate(texts, start=1):
        words = _WORD.findall(normalise(text))
        words += [""] * (SHINGLE_WORDS - len(words))  # a short text is one shingle
        chunk.append(words)
        held += len(words)
        if held >= CHUNK_WORDS or number == len(texts):
            ids = np.fromiter(map(hash_of.__getitem__, chain.from_iterable(chunk)), dtype=np.uint64, count=held)
            lengths = np.array([len(words) for words in chunk])
            yield _hash_shingles(ids, lengths), lengths - SHINGLE_WORDS + 1
            chunk, held = [], 0
            if len(hash_of) > CHUNK_WORDS:  # a bound on memory where every word is new
                hash_of.clear()


def _hash_shingles(ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Hash every three ids that follow each other within one text; the finish is that of splitmix64."""
    hashes: np.ndarray = ids[:-2] * np.uint64(0x9E3779B97F4A7C15)
    hashes += ids[1:-1] * np.uint64(0xC2B2AE3D27D4EB4F)
    hashes += ids[2:] * np.uint64(0x165667B19E3779F9)
    inside = np.ones(len(ids), dtype=bool)
    ends = np.cumsum(lengths)
    inside[ends - 1] = inside[ends - 2] = False  # no shingle begins at a text's last two words
    hashes = hashes[inside[:-2]]
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))
