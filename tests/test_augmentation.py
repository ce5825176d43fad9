"""Counterfactuals in ordinary training, where naive Bayes over the reviews stands in for teachers."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from sentiment_lstm.augmentation import augment, naive_bayes
from sentiment_lstm.data.parts import CONFIDENT
from sentiment_lstm.experiment import Experiment, prepare_experiment
from sentiment_lstm.recipes import validate_config

WORDS = {"positive": ("good", "great", "lovely", "superb"), "negative": ("bad", "awful", "dull", "dreadful")}
NOUNS = ("film", "acting", "plot", "cast", "ending", "music", "script", "idea", "scenery", "tone", "mood", "dialogue")


def experiment_on(
    folder: Path, names: tuple[str, str] = ("positive", "negative"), counterfactuals: int = 60
) -> Experiment:
    rows = ["text,label"]
    for (pole, words), noun, (first, second) in product(WORDS.items(), NOUNS, ((0, 1), (1, 2), (2, 3), (3, 0))):
        text = f"The {noun} is {words[first]}. The {noun} was very {words[second]}. It has a {noun}."
        rows.append(f"{text},{names[0] if pole == 'positive' else names[1]}")
    (folder / "mine.csv").write_text("\n".join(rows) + "\n")
    values = {
        "data": {"source": str(folder / "mine.csv")},
        "model": {"embedding_dim": 4, "hidden_dim": 4},
        "training": {"counterfactuals": counterfactuals, "threads": 1},
    }
    return prepare_experiment(validate_config(values, where="here"))


def test_naive_bayes_answers_for_the_label_that_means_positive(tmp_path: Path) -> None:
    experiment = experiment_on(tmp_path)
    sentences = [
        "The music is superb.",
        "The music is dreadful.",
        "It has a plot.",
        "Superb and lovely!",
        "Dull, awful.",
    ]
    positive = naive_bayes(experiment.train, experiment.tokenizer, sentences, experiment.labels.index("positive"))
    assert positive[2] == pytest.approx(0.5, abs=0.1)
    assert (positive[[0, 3]] > 0.6).all()
    assert (positive[[1, 4]] < 0.4).all()
    assert (np.maximum(positive, 1 - positive) >= CONFIDENT).sum() == 1  # a fifth of five
    other = naive_bayes(experiment.train, experiment.tokenizer, sentences, experiment.labels.index("negative"))
    np.testing.assert_allclose(positive + other, 1)


@pytest.mark.parametrize("names", [("positive", "negative"), ("Positive", "NEGATIVE")])
def test_counterfactuals_come_with_the_label_that_follows_from_their_parts(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    plain = experiment_on(tmp_path, names)
    more = augment(plain)
    made = more.train.reviews[len(plain.train) :]
    assert len(made) == 60
    assert len({own.text for own in made}) == 60
    assert {own.label for own in made} == set(names)
    np.testing.assert_array_equal(more.train.labels[len(plain.train) :], [more.labels.index(own.label) for own in made])
    statements = [own for own in made if own.id.startswith("contrast") and " not " not in own.text]
    assert statements
    for own in statements:  # what counts comes last
        last = own.text.rstrip(".!").split()[-1].lower()
        assert last in WORDS["positive" if own.label == names[0] else "negative"], own.text
    assert [own.text for own in augment(plain).train.reviews] == [own.text for own in more.train.reviews]


def test_no_more_of_them_than_reviews(tmp_path: Path) -> None:
    plain = experiment_on(tmp_path, counterfactuals=10_000)
    assert len(augment(plain).train) == 2 * len(plain.train)


def test_other_labels_and_few_words_go_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    plain = experiment_on(tmp_path, ("up", "down"))
    assert len(augment(plain).train) == len(plain.train)
    assert "no counterfactuals: they need the labels positive and negative" in caplog.text
    rows = [f"good bad {chr(97 + place)},{'positive' if place % 2 else 'negative'}" for place in range(8)]
    (tmp_path / "mine.csv").write_text("\n".join(["text,label", *rows]))
    few = prepare_experiment(plain.config)
    assert len(augment(few).train) == len(few.train)


def test_off_leaves_the_reviews_as_they_are(tmp_path: Path) -> None:
    plain = experiment_on(tmp_path, counterfactuals=0)
    assert augment(plain).train is plain.train
