"""Baselines learn what is there to learn, and the same each time."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from sentiment_lstm.cli import baselines as option
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.errors import DataError
from sentiment_lstm.evaluation.baselines import BASELINES, score_baseline
from sentiment_lstm.evaluation.naive_bayes import NaiveBayesLogistic

MOODS = {"good": "fine witty warm", "bad": "dull flat cold", "mixed": "odd long strange"}


def corpus(labels: int, number: int, seed: int) -> list[Review]:
    """Reviews of noise with a word that tells their label in four of five."""
    draw = random.Random(seed)
    reviews = []
    for place in range(number):
        label = list(MOODS)[place % labels]
        words = [f"word{draw.randrange(50)}" for _ in range(8)]
        words.insert(4, draw.choice(MOODS[label if draw.random() < 0.8 else draw.choice(list(MOODS))].split()))
        reviews.append(Review(" ".join(words), label, f"{seed}-{place}"))
    return reviews


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_beats_chance_and_is_the_same_again(name: str, labels: int) -> None:
    train, reviews = corpus(labels, 300, 1), corpus(labels, 150, 2)
    first, second = (score_baseline(name, train, reviews) for _ in range(2))  # type: ignore[arg-type]
    assert first.accuracy > 1 / labels + 0.2
    assert np.array_equal(first.probabilities, second.probabilities)
    assert first.probabilities.shape == (150, labels)
    assert first.probabilities.sum(1) == pytest.approx(1)
    assert sorted(first.labels) == sorted(list(MOODS)[:labels])
    right = [predicted == review.label for predicted, review in zip(first.predicted, reviews, strict=True)]
    assert np.mean(right) == first.accuracy
    assert first.parameters > 50
    assert first.fit_seconds > 0


def test_pairs_of_words_tell_what_words_alone_do_not() -> None:
    """The same words in every review: "not good, just bad" against "not bad, just good"."""
    texts = {"bad": "not good just bad", "good": "not bad just good"}
    reviews = [Review(f"{text} film{n}", label, f"{label}-{n}") for n in range(20) for label, text in texts.items()]
    for name in BASELINES:
        assert score_baseline(name, reviews, reviews).accuracy == 1.0


def test_the_ratios_are_wang_and_mannings() -> None:
    """By hand: "a" is in two reviews of class 1 and none of class 0; "b" in one of each; "c" in one of class 0."""
    features = CountVectorizer(token_pattern=r"\w", binary=True).fit_transform(["a b", "a", "b c"])
    model = NaiveBayesLogistic().fit(features, np.array([1, 1, 0]))
    p, q = np.array([3, 2, 1]), np.array([1, 2, 2])
    assert model.log_ratios_ == pytest.approx(np.log((p / 6) / (q / 5)))
    assert model.predict(features).tolist() == [1, 1, 0]


def test_reviews_without_a_word_in_common_are_refused() -> None:
    reviews = [Review("alpha beta", "good", "1"), Review("gamma delta", "bad", "2"), Review("...", "bad", "3")]
    with pytest.raises(DataError, match="tfidf has nothing to count"):
        score_baseline("tfidf", reviews, reviews)
    with pytest.raises(DataError, match="nothing to count"):
        score_baseline("tfidf", reviews[2:] * 3, reviews)


def test_the_option_knows_the_baselines() -> None:
    assert option.NAMES == BASELINES
