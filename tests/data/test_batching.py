"""Batches: every review once, within the budget, in an order that (seed, epoch) alone decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment_lstm.data.batching import collate, iter_batches, plan_batches

LENGTHS = np.random.default_rng(0).integers(1, 400, 1000).tolist()


@settings(max_examples=200, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 60), max_size=80),
    batch_size=st.integers(1, 20),
    batch_tokens=st.integers(1, 300),
    key=st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_every_review_once_and_within_the_budget(
    lengths: list[int], batch_size: int, batch_tokens: int, key: tuple[int, int] | None
) -> None:
    batches = plan_batches(lengths, batch_size, batch_tokens, key)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= batch_size
        longest = max(max(lengths[index], 1) for index in batch)
        assert len(batch) == 1 or len(batch) * longest <= batch_tokens


def test_order_is_a_pure_function_of_seed_and_epoch() -> None:
    def order(key: tuple[int, int]) -> list[int]:
        return np.concatenate(plan_batches(LENGTHS, 32, 8192, key)).tolist()

    np.random.seed(3)
    first = order((1, 1))
    np.random.seed(4)
    assert order((1, 1)) == first
    assert order((1, 2)) != first
    assert order((2, 1)) != first


def test_shuffled_batches_are_not_sorted_but_waste_little() -> None:
    batches = plan_batches(LENGTHS, 32, 10**9, (1, 1))
    longest = [max(LENGTHS[index] for index in batch) for batch in batches]
    assert longest != sorted(longest)
    padded = sum(len(batch) * long for batch, long in zip(batches, longest, strict=True))
    assert sum(LENGTHS) / padded > 0.85


def test_same_reviews_do_not_always_share_a_batch() -> None:
    def partners(epoch: int) -> set[int]:
        return next(set(batch.tolist()) for batch in plan_batches(LENGTHS, 32, 10**9, (1, epoch)) if 0 in batch)

    assert partners(1) != partners(2)


def test_collate_pads_right_with_zero() -> None:
    token_ids = [np.array([5, 6, 7], np.int32), np.array([8], np.int32), np.array([], np.int32)]
    batch = collate(token_ids, np.array([2, 0, 1]), np.array([0, 1, 2]))
    assert batch.lengths.tolist() == [1, 3, 1]
    assert batch.token_ids[:, :3].tolist() == [[1, 0, 0], [5, 6, 7], [8, 0, 0]]
    assert not batch.token_ids[:, 3:].any()
    assert batch.labels is not None
    assert batch.labels.tolist() == [2, 0, 1]
    assert batch.num_tokens == 5


def test_evaluation_order_is_by_length() -> None:
    token_ids = [np.ones(length, np.int32) for length in (5, 1, 3)]
    batches = list(iter_batches(token_ids, None, batch_size=1, batch_tokens=100))
    assert [batch.indices.tolist() for batch in batches] == [[1], [2], [0]]
    assert all(batch.labels is None for batch in batches)


def test_no_reviews_no_batches() -> None:
    assert plan_batches([], 8, 100) == []
    with pytest.raises(StopIteration):
        next(iter_batches([], None, 8, 100))
