"""Sentences of reviews, and learning them beside the reviews."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import write_csv

from sentiment_lstm.augmentation import augment
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sentences import draw_sentences, split_sentences
from sentiment_lstm.experiment import prepare_experiment
from sentiment_lstm.recipes import validate_config


@pytest.mark.parametrize(("text", "sentences"), [
    ("Good. Bad!  Why?", ["Good.", "Bad!", "Why?"]),
    ('He said "no!" Then (why?) 3.5 stars... Well', ['He said "no!"', "Then (why?)", "3.5 stars...", "Well"]),
    ("One.<br /><br />Two\n lines.", ["One.", "Two lines."]),
    ("no end", ["no end"]),
    (" ", []),
])  # fmt: skip
def test_sentences_end_where_they_end(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_sentences_are_drawn_from_each_review_with_its_label() -> None:
    long = Review("It is good. It is long. It is good. No. " + "word " * 41 + ".", "yes", "r0")
    reviews = [long, Review("It is one sentence.", "no", "r1"), Review("It is bad. I know.", "no", "r2")]
    drawn, sources = draw_sentences(reviews, 9, seed=1)
    assert {(own.text, own.label) for own in drawn} == {
        ("It is good.", "yes"), ("It is long.", "yes"), ("It is bad.", "no"), ("I know.", "no")
    }  # fmt: skip
    assert sources.tolist() == [0, 0, 2, 2]
    assert {own.id for own in drawn} >= {"r0[1:2]", "r2[0:1]", "r2[1:2]"}
    once, where = draw_sentences([long] * 20, 1, seed=1)
    assert where.tolist() == list(range(20))
    assert {own.text for own in once} == {"It is good.", "It is long."}
    assert once == draw_sentences([long] * 20, 1, seed=1)[0]
    assert once != draw_sentences([long] * 20, 1, seed=2)[0]
    nothing, nowhere = draw_sentences(reviews, 0, seed=1)
    assert nothing == []
    assert nowhere.shape == (0,)


def test_a_run_learns_them_beside_its_reviews_and_counts_its_reviews_as_before(tmp_path: Path) -> None:
    rows = [f"film {n} is so. And more of {n}.,{'yes' if n % 2 else 'no'}" for n in range(40)]
    write_csv(tmp_path / "mine.csv", rows)
    values = {"data": {"source": str(tmp_path / "mine.csv")}, "training": {"sentences_per_review": 2}}
    plain = prepare_experiment(validate_config(values, where="here"))
    more = augment(plain)
    count = len(plain.train)
    assert len(more.train) == 3 * count
    assert more.train.truncated_share == plain.train.truncated_share
    assert more.splits is plain.splits
    np.testing.assert_array_equal(more.train.labels[count:], plain.train.labels.repeat(2))
    expected = plain.tokenizer.encode_batch([own.text for own in more.train.reviews])
    for ids, own in zip(more.train.token_ids, expected, strict=True):
        np.testing.assert_array_equal(ids, own)
