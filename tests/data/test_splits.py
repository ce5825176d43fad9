"""Seeded, stratified parts of a list of reviews."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.splits import label_names, stratified_sample, stratified_split
from sentiment_lstm.errors import DataError


def reviews_of(labels: list[str | None]) -> list[Review]:
    return [Review(f"text {position}", label, str(position)) for position, label in enumerate(labels)]


def counts(reviews: list[Review]) -> Counter[str | None]:
    return Counter(review.label for review in reviews)


some_reviews = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=80).map(reviews_of)
seeds = st.integers(0, 2**32)


@given(some_reviews, st.integers(1, 100), seeds)
def test_a_sample_has_the_size_asked_for_and_every_label_its_share(reviews: list[Review], size: int, seed: int) -> None:
    sample = stratified_sample(reviews, size, seed)
    assert len(sample) == min(size, len(reviews))
    whole, part = counts(reviews), counts(sample)
    for label, count in whole.items():
        assert abs(part[label] - count * len(sample) / len(reviews)) < 1
    places = [int(review.id) for review in sample]
    assert places == sorted(set(places))


@given(some_reviews, st.floats(0.01, 0.99), seeds)
def test_a_split_loses_and_repeats_nothing(reviews: list[Review], share: float, seed: int) -> None:
    rest, held_out = stratified_split(reviews, share, seed)
    places = [[int(review.id) for review in part] for part in (rest, held_out)]
    assert sorted(places[0] + places[1]) == list(range(len(reviews)))
    assert all(own == sorted(own) for own in places)
    for label, count in counts(reviews).items():
        held = counts(held_out)[label]
        assert held < count, "no label leaves training altogether"
        if count > 1:
            assert held >= 1
            assert abs(held - share * count) <= 1


@given(some_reviews, seeds)
def test_the_same_seed_gives_the_same_reviews(reviews: list[Review], seed: int) -> None:
    assert stratified_sample(reviews, 5, seed) == stratified_sample(reviews, 5, seed)
    assert stratified_split(reviews, 0.3, seed) == stratified_split(reviews, 0.3, seed)


def test_another_seed_gives_other_reviews() -> None:
    reviews = reviews_of(["a", "b"] * 200)
    samples = [tuple(review.id for review in stratified_sample(reviews, 40, seed)) for seed in range(5)]
    assert len(set(samples)) == 5
    held_out = [tuple(review.id for review in stratified_split(reviews, 0.1, seed)[1]) for seed in range(5)]
    assert len(set(held_out)) == 5


def test_a_sample_of_sorted_data_is_not_its_beginning() -> None:
    reviews = reviews_of(["neg"] * 100 + ["pos"] * 100)
    sample = stratified_sample(reviews, 20, 0)
    assert counts(sample) == {"neg": 10, "pos": 10}
    assert [review.id for review in sample[:10]] != [str(n) for n in range(10)]


def test_labels_that_are_numbers_are_in_the_order_of_their_value() -> None:
    assert label_names(reviews_of(["10", "9", "-1", "2.5"])) == ["-1", "2.5", "9", "10"]


def test_labels_that_are_names_are_in_the_order_of_the_alphabet() -> None:
    assert label_names(reviews_of(["positive", "negative", "10", None])) == ["10", "negative", "positive"]


@given(st.permutations(["1", "1.0", "01", "nan", "2"]))
def test_the_order_of_labels_depends_on_the_labels_alone(labels: list[str]) -> None:
    assert label_names(reviews_of(labels)) == label_names(reviews_of(sorted(labels)))


@pytest.mark.parametrize(
    ("labels", "words"), [(["x", "x", None], "only the label 'x'"), ([None], "no labelled review"), ([], "no labelled")]
)
def test_one_class_is_no_classification(labels: list[str | None], words: str) -> None:
    with pytest.raises(DataError, match=words):
        label_names(reviews_of(labels))
