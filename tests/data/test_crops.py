"""Random crops: which piece of a review is read, and that the key and the index alone decide it."""

from __future__ import annotations

import numpy as np
import pytest

from sentiment_lstm.data.crops import draw_crops

REVIEWS = [np.arange(length, dtype=np.int32) for length in (0, 1, 10, 11, 100, 400) * 200]


def test_a_piece_is_consecutive_and_as_long_as_it_may_be() -> None:
    for whole, piece in zip(REVIEWS, draw_crops(REVIEWS, 10, None, 1.0, (1, 1)), strict=True):
        assert len(piece) == min(len(whole), 10)
        assert not len(piece) or (piece == np.arange(piece[0], piece[0] + len(piece))).all()


def test_every_place_is_as_likely() -> None:
    starts = [piece[0] for piece in draw_crops([np.arange(12)] * 3000, 10, None, 1.0, (1, 1))]
    assert np.bincount(starts).tolist() == pytest.approx([1000] * 3, abs=100)


def test_key_and_index_alone_decide() -> None:
    first = draw_crops(REVIEWS, 10, 2, 0.9, (1, 1))
    fewer = draw_crops(REVIEWS[:50], 10, 2, 0.9, (1, 1))
    assert all(np.array_equal(one, other) for one, other in zip(first, fewer, strict=False))
    for key in ((1, 2), (2, 1)):
        others = draw_crops(REVIEWS, 10, 2, 0.9, key)
        assert sum(not np.array_equal(one, other) for one, other in zip(first, others, strict=True)) > 600


def test_lengths_are_drawn_log_uniformly() -> None:
    lengths = np.array([len(piece) for piece in draw_crops([np.arange(500)] * 4000, 255, 4, 1.0, (1, 1))])
    assert (lengths.min(), lengths.max()) == (4, 255)
    for low in (4, 8, 16, 32, 64, 128):  # six octaves, each with a sixth
        assert ((lengths >= low) & (lengths < 2 * low)).mean() == pytest.approx(1 / 6, abs=0.03)


def test_the_rest_is_read_whole() -> None:
    long = [np.arange(50)] * 2000
    assert np.mean([len(p) == 50 for p in draw_crops(long, 10, None, 0.25, (1, 1))]) == pytest.approx(0.75, abs=0.04)
