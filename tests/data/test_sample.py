"""The built-in corpus: reproducible, balanced, without leaks, and too hard for a bag of words."""

from __future__ import annotations

import hashlib
import random
import re

import pytest

from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sample import ADJECTIVES, FAMILIES, LABELS, NOUNS, VERBS, build_sample, dress, fill

Splits = dict[str, list[Review]]

# Of the corpus that the documentation's figures were measured on. Update both when the grammar changes.
SHA256 = "ad01ba1c1803ea8719e1a258a531e9b74fad7b74adca83ef959285aa74647f56"


@pytest.fixture(scope="module")
def sample() -> Splits:
    return build_sample(seed=0)


def normalised(text: str) -> str:
    """Only the words: two reviews that agree on them are the same review."""
    return " ".join(re.findall(r"\w+", text.lower()))


def pattern_of(template: str) -> re.Pattern[str]:
    """A regular expression for everything one template can turn into."""
    literal = re.escape(template.removesuffix("."))
    return re.compile(re.sub(r"\\\{\w+\\\}", "[a-z]+(?: [a-z]+)?", literal), re.IGNORECASE)


def test_same_arguments_give_the_same_corpus(sample: Splits) -> None:
    random.seed(1)  # the global generator must not matter
    assert build_sample(seed=0) == sample


def test_another_seed_gives_another_corpus(sample: Splits) -> None:
    other = build_sample(seed=1)
    assert [review.text for review in other["train"]] != [review.text for review in sample["train"]]


def test_the_global_generator_is_left_alone() -> None:
    random.seed(5)
    before = random.getstate()
    build_sample(num_train=10, num_test=10)
    assert random.getstate() == before


def test_corpus_is_the_same_on_every_python_and_platform(sample: Splits) -> None:
    text = "\n".join(f"{review.label} {review.text}" for split in sample.values() for review in split)
    assert hashlib.sha256(text.encode()).hexdigest() == SHA256


@pytest.mark.parametrize(("num_train", "num_test"), [(4000, 1000), (200, 50), (2, 0), (0, 2), (7, 3)])
def test_sizes_and_ids(num_train: int, num_test: int) -> None:
    splits = build_sample(num_train=num_train, num_test=num_test)
    assert list(splits) == ["train", "test"]
    assert [review.id for review in splits["train"]] == [f"train-{number}" for number in range(num_train)]
    assert [review.id for review in splits["test"]] == [f"test-{number}" for number in range(num_test)]


@pytest.mark.parametrize("seed", range(3))
def test_labels_are_balanced_and_shuffled(seed: int) -> None:
    for split in build_sample(seed).values():
        labels = [review.label for review in split]
        assert set(labels) == set(LABELS)
        assert labels.count("positive") == len(labels) // 2
        assert 0.45 < labels[: len(labels) // 2].count("positive") / (len(labels) // 2) < 0.55


@pytest.mark.parametrize("seed", range(3))
def test_no_text_occurs_twice(seed: int) -> None:
    splits = build_sample(seed)
    texts = [normalised(review.text) for split in splits.values() for review in split]
    assert len(set(texts)) == len(texts)


def test_test_split_combines_words_in_new_ways(sample: Splits) -> None:
    """No review of the test split repeats the judgement of a training review with other neutral sentences around it."""
    judgements = {
        name: {
            match.group().lower()
            for review in split
            for template in FAMILIES["expectation"] + FAMILIES["comparison"]
            if (match := pattern_of(template).search(review.text))
        }
        for name, split in sample.items()
    }
    assert len(judgements["test"]) > 100
    assert judgements["train"].isdisjoint(judgements["test"])


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_both_labels(sample: Splits, family: str, label: str) -> None:
    texts = {name: [review.text for review in split if review.label == label] for name, split in sample.items()}
    patterns = [pattern_of(template) for template in FAMILIES[family]]
    for pattern in patterns:
        assert any(pattern.search(text) for text in texts["train"]), pattern.pattern
    assert any(pattern.search(text) for pattern in patterns for text in texts["test"])


def test_lengths_and_spelling_vary(sample: Splits) -> None:
    lengths = [len(review.text.split()) for review in sample["train"]]
    assert min(lengths) <= 6
    assert 30 <= max(lengths) <= 50
    assert any(review.text.islower() for review in sample["train"])
    assert any(review.text.endswith("!") for review in sample["train"])
    assert all(review.text.endswith((".", "!")) and "{" not in review.text for review in sample["train"])


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I expected something dull and got something witty.", "positive"),
        ("I expected something witty and got something dull.", "negative"),
        ("It is not dull at all.", "positive"),
        ("It is anything but witty.", "negative"),
        ("It is nothing if not witty.", "positive"),
        ("Nobody could call it dull.", "positive"),
        ("Only a fool would not call it dull.", "negative"),
        ("It is far less dull than witty.", "positive"),
        ("It seems no less dull on a second viewing.", "negative"),
        ("It would have been witty if it had not been so dull.", "negative"),
        ("Although the script is witty, the film as a whole is dull.", "negative"),
        ("I used to hate it, but I have come to love it.", "positive"),
        ("It was a mess, but it could have been a gem.", "negative"),
    ],
)
def test_label_is_what_a_reader_would_say(text: str, label: str) -> None:
    pairs = [("dull", "witty"), ("hate", "love"), ("mess", "gem")]
    labels_of_text = {
        name
        for templates in FAMILIES.values()
        for template in templates
        for bad, good in pairs
        for name, filled in zip(LABELS, fill(template, bad, good, "it", "script"), strict=True)
        if filled == text
    }
    assert labels_of_text == {label}


def test_twins_are_made_of_the_same_words() -> None:
    twins = ("I expected something witty and got something dull.", "I expected something dull and got something witty.")
    rng = random.Random(0)
    for _ in range(50):
        negative, positive = dress(twins, rng)
        assert negative != positive
        assert sorted(re.findall(r"\w+|[.!]", negative)) == sorted(re.findall(r"\w+|[.!]", positive))


def test_no_word_is_both_good_and_bad() -> None:
    for words in (ADJECTIVES, NOUNS, VERBS):
        flat = [word for pair in words for word in pair]
        assert len(set(flat)) == len(flat)


@pytest.mark.parametrize("longest_phrase", [1, 2])
def test_bag_of_words_does_not_solve_it(sample: Splits, longest_phrase: int) -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    linear_model = pytest.importorskip("sklearn.linear_model")
    vectorizer = text.TfidfVectorizer(ngram_range=(1, longest_phrase))
    features = vectorizer.fit_transform([review.text for review in sample["train"]])
    model = linear_model.LogisticRegression(max_iter=1000)
    model.fit(features, [review.label for review in sample["train"]])
    accuracy = model.score(
        vectorizer.transform([review.text for review in sample["test"]]), [review.label for review in sample["test"]]
    )
    assert accuracy <= 0.75


def test_all_reviews_of_the_grammar_can_be_had() -> None:
    with pytest.raises(ValueError, match="has only") as error:
        build_sample(num_train=10**9)
    capacity = int(re.findall(r"\d+", str(error.value))[0])
    assert "\n" not in str(error.value)

    everything = build_sample(num_train=capacity - 100, num_test=100)
    texts = [normalised(review.text) for split in everything.values() for review in split]
    assert len(set(texts)) == capacity
    with pytest.raises(ValueError, match="has only"):
        build_sample(num_train=capacity, num_test=1)


def test_negative_size_is_refused() -> None:
    with pytest.raises(ValueError, match="negative size"):
        build_sample(num_train=-1)
