"""Reviews without labels: which they are, and which stand beside each labelled batch."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from sentiment_lstm.config import DataConfig, TokenizerConfig, TrainingConfig
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.tokenizer import build_tokenizer
from sentiment_lstm.data.unlabelled import UnlabelledBatches, encode_unlabelled, load_unlabelled


def reviews_of(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(2, 9, random.integers(1, 30)).astype(np.int32) for _ in range(count)]


def drawn(config: TrainingConfig, epoch: int, count: int, reviews: int = 50) -> list[list[int]]:
    batches = UnlabelledBatches(reviews_of(reviews), config)
    batches.plan(epoch, count)
    return [indices.tolist() for indices in batches.beside(0, count)]


def test_batches_follow_from_seed_and_epoch_alone() -> None:
    config = TrainingConfig(batch_size=4)
    assert drawn(config, 2, 10) == drawn(config, 2, 10)
    assert drawn(config, 2, 10) != drawn(config, 3, 10)
    assert drawn(config, 2, 10) != drawn(TrainingConfig(batch_size=4, seed=2), 2, 10)
    batches = UnlabelledBatches(reviews_of(50), config)
    batches.plan(2, 10)
    assert [own.tolist() for own in batches.beside(4, 3)] == drawn(config, 2, 10)[4:7]


def test_no_review_comes_twice_before_all_have_come_once() -> None:
    config = TrainingConfig(unlabelled_batch_size=4)
    first = drawn(config, 1, 13)
    assert sorted(index for own in first for index in own) == list(range(50))
    more = drawn(config, 1, 30)
    assert more[:13] == first
    assert len(more) == 30
    assert more[13:26] != first, "another round, another order"


def test_batches_are_as_large_as_allowed_and_of_similar_length() -> None:
    batches = UnlabelledBatches(reviews_of(50), TrainingConfig(unlabelled_batch_size=8, batch_tokens=60))
    batches.plan(1, 20)
    for indices in batches.beside(0, 20):
        own = batches.collate(indices)
        assert len(own) <= 8
        assert len(own) * int(own.lengths.max()) <= 60
        assert own.labels is None
        assert int(own.lengths.max()) <= 1.3 * int(own.lengths.min()) + 3


def test_they_are_cropped_as_training_reviews_are() -> None:
    batches = UnlabelledBatches(reviews_of(50), TrainingConfig(crop_tokens=5))
    batches.plan(1, 2)
    assert max(batches.lengths) == 5
    assert int(batches.collate(batches.beside(0, 1)[0]).lengths.max()) == 5


def test_a_tables_rows_without_a_label_and_the_unsupervised_split_are_read(tmp_path: Path) -> None:
    rows = ["text,label", "good,pos", "bad,neg", "who knows,", " ,"]
    (tmp_path / "one.csv").write_text("\n".join(rows))
    found = load_unlabelled(DataConfig(source=str(tmp_path / "one.csv")))
    assert [(review.text, review.label) for review in found] == [("who knows", None)]
    (tmp_path / "train.csv").write_text("\n".join(rows))
    (tmp_path / "test.csv").write_text("text,label\nunread,\n")
    (tmp_path / "unsupervised.csv").write_text("text,label\nmore,-1\n")
    found = load_unlabelled(DataConfig(source=str(tmp_path)))
    assert sorted((review.text, review.label) for review in found) == [("more", None), ("who knows", None)]


def test_where_there_are_none_that_is_said_and_the_training_reviews_are_read(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert load_unlabelled(DataConfig(source="sample")) == []
    assert caplog.messages == [
        "sample has no review without a label: the training reviews alone are read without theirs"
    ]


def test_they_are_truncated_and_training_reviews_come_last() -> None:
    config = TokenizerConfig(min_frequency=1, max_length=4, truncation="head")
    tokenizer = build_tokenizer(["a b c d e f"], config)
    own = [Review("a b c d e f", None, "x"), Review("f", None, "y")]
    train = [np.array([3, 4], dtype=np.int32)]
    encoded = encode_unlabelled(own, train, tokenizer, config)
    assert [len(ids) for ids in encoded] == [4, 1, 2]
    assert encoded[2] is train[0]
    assert encode_unlabelled([], train, tokenizer, config) == train
