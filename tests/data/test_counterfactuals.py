"""Texts made by rules of English: what a negation turns, which of two statements counts, as many of either label."""

from __future__ import annotations

import random
from itertools import product

import pytest

from sentiment_lstm.augmentation import pair_texts
from sentiment_lstm.data.counterfactuals import MAKERS, make_counterfactuals, normalized
from sentiment_lstm.data.distillation import cut_short_sentences
from sentiment_lstm.data.parts import (
    MILD,
    NEGATIVE,
    POSITIVE,
    Parts,
    find_parts,
    polar_adjectives,
    with_negation,
    without_negation,
)
from sentiment_lstm.data.reviews import Review

SIGNS = {"good": 1, "great": 1, "excellent": 1, "bad": 0, "awful": 0, "ugly": 0}
NOUNS = ("film", "acting", "plot", "cast", "ending", "music", "script", "idea", "scenery", "tone", "mood", "first hour")


def answered() -> tuple[list[str], list[float]]:
    """Sentences over all polar words, and an answer to each."""
    patterns = ("The {noun} is {word}.", "The {noun} was very {word}.", "It has a truly {word} {noun}.")
    triples = [(p, noun, word) for p, noun, word in product(patterns, NOUNS, SIGNS)]
    sentences = [pattern.format(noun=noun, word=word) for pattern, noun, word in triples]
    answers = [0.97 if SIGNS[word] else 0.03 for _, _, word in triples]
    said = [("It was a gem.", 1), ("It is just a mess!", 0), ("I really loved it.", 1), ("I hated the film.", 0)]
    said += [(f"The film has {word}.", 1) for word in ("charm", "wit", "heart")] + [("The film is moved on.", 1)]
    said += [(f"The film has {word}.", 0) for word in ("boredom", "trash", "noise")] + [("We were bored by it.", 0)]
    sentences += [text.replace("film", noun) for text, _ in said for noun in NOUNS[:3]]
    answers += [0.9 if sign else 0.1 for _, sign in said for _ in NOUNS[:3]]
    sentences += ["The film is not bad.", "The cast is good but old.", "It was shown on Monday."]
    return sentences, [*answers, 0.02, 0.99, 0.5]


def parts_of() -> Parts:
    return find_parts(*answered(), random.Random(0))


@pytest.mark.parametrize(("sentence", "sign", "endings"), [
    ("The acting is very good.", 1, ("not good.", "isn't good.", "far from good.", "never good.")),
    ("It's a great film!", 1, ("It is not a great film!", "It is hardly a great film!", "It isn't a great film!")),
    ("This was an awful film.", 0, ("wasn't an awful film.", "was by no means an awful film.")),
    ("I really enjoyed every minute.", 1, ("I did not enjoy every minute.", "I could not enjoy every minute.")),
    ("I would recommend it.", 1, ("I would not recommend it.", "I would never recommend it.")),
])  # fmt: skip
def test_a_negation_goes_in(sentence: str, sign: int, endings: tuple[str, ...]) -> None:
    made = [with_negation(sentence, SIGNS, sign, random.Random(seed)) or "" for seed in range(60)]
    for ending in endings:
        assert any(text.endswith(ending) for text in made), (ending, set(made))
    assert " very " not in " ".join(made)


@pytest.mark.parametrize("sentence", [
    "The acting is good and the plot is good.", "He was killed.", "The film that is good is long.", "I would went it.",
    "The acting is bad.", "She loves it.",
])  # fmt: skip
def test_a_sentence_that_no_rule_knows_is_left_alone(sentence: str) -> None:
    assert with_negation(sentence, SIGNS, 1, random.Random(0)) is None


@pytest.mark.parametrize(("sentence", "expected"), [
    ("The acting isn't very good.", (1, "The acting is very good.")),
    ("It was never a bad film.", (0, "It was a bad film.")),
    ("This is not that awful!", (0, "This is awful!")),
    ("The acting isn't old.", None),
    ("It is not good, but it is not bad.", None),
    ("The acting is good.", None),
])  # fmt: skip
def test_a_negation_goes_out(sentence: str, expected: tuple[int, str] | None) -> None:
    assert without_negation(sentence, SIGNS) == expected


def test_polar_adjectives_are_those_whose_sentences_agree() -> None:
    sentences, answers = answered()
    assert polar_adjectives(sentences, answers) == (["awful", "bad", "ugly"], ["excellent", "good", "great"])
    assert polar_adjectives(sentences, [0.5] * len(answers)) == ([], [])


def test_parts_are_simple_and_sure() -> None:
    parts = parts_of()
    texts = {part.text for own in parts.clauses for part in own}
    assert "the film is good" in texts
    assert not texts & {"the film is not bad", "the cast is good but old", "it was shown on Monday"}
    assert [("The film is bad.", NEGATIVE), ("The film is not bad.", MILD)] in parts.toggles[0]


@pytest.mark.parametrize("name", MAKERS)
def test_every_maker_makes_as_many_of_either_label(name: str) -> None:
    parts, draw = parts_of(), random.Random(1)
    found = [MAKERS[name](parts, draw) for _ in range(200)]
    for made in filter(None, found):
        assert 2 * sum(target > 0.5 for _, target in made) == len(made)
    assert len({text for made in found for text, _ in made}) > 80
    for made in found:
        for text, target in made:
            assert text[0].isupper(), text
            assert text[-1] in ".!?", text
            assert target in (POSITIVE, NEGATIVE, MILD, 0.97, 0.03)


@pytest.mark.parametrize("name", ["contrast", "concession", "change"])
def test_two_statements_stand_in_both_orders(name: str) -> None:
    parts, draw = parts_of(), random.Random(2)
    for _ in range(50):
        (first, up), (second, down) = MAKERS[name](parts, draw)
        assert sorted(normalized(first).split()) == sorted(normalized(second).split()), "the same words"
        assert first != second
        assert up > 0.9 > 0.1 > down


def test_the_statement_that_counts_gives_the_target() -> None:
    parts, draw = parts_of(), random.Random(3)
    checked = 0
    for name in ("contrast", "concession", "expectation", "change"):
        for text, target in (own for _ in range(100) for own in MAKERS[name](parts, draw)):
            signs = [SIGNS[word] for word in normalized(text).split() if word in SIGNS]
            opening = text.split()[0]
            if len(signs) == 2 and (", but " in text or opening in ("Although", "While", "Though", "Before")):
                assert signs[-1] == (target > 0.5), text
                checked += 1
            elif len(signs) == 2 and ", although " in text:
                assert signs[0] == (target > 0.5), text
                checked += 1
    assert checked > 50


def test_what_is_made_follows_from_the_seed_and_has_no_text_twice() -> None:
    made = make_counterfactuals(*answered(), 1200, seed=5)
    texts = [normalized(text) for own in made.values() for text, _ in own]
    assert len(set(texts)) == len(texts) == 1200
    assert max(map(len, made.values())) - min(map(len, made.values())) <= 4, "chosen evenly"
    assert made == make_counterfactuals(*answered(), 1200, seed=5)
    assert made != make_counterfactuals(*answered(), 1200, seed=6)
    left_out = make_counterfactuals(*answered(), 1200, seed=5, excluded={texts[0], texts[-1]})
    assert not {normalized(text) for own in left_out.values() for text, _ in own} & {texts[0], texts[-1]}
    assert not any(make_counterfactuals(["It was shown."], [0.5], 10, seed=0).values()), "nothing to make them of"


def test_no_text_of_the_minimal_pairs_is_made() -> None:
    pairs = {hash(text) for text in pair_texts()}  # by hash: what they say is not for a report either
    assert len(pairs) > 300
    made = make_counterfactuals(*answered(), 5000, seed=0, excluded=pair_texts())
    assert not sum(hash(normalized(text)) in pairs for own in made.values() for text, _ in own)


def test_short_sentences_are_cut_once_each() -> None:
    text = 'The film is good. Why? It cost 3 dollars. He said "no!" I met Dr. Smith sat down there. So it goes on. Hm.'
    found = cut_short_sentences([Review(text, "x", "r"), Review(text, None, "s")], 10, seed=0)
    assert {review.text for review in found} == {"The film is good.", "Smith sat down there.", "So it goes on."}
    assert [review.text for review in cut_short_sentences([Review(text, "x", "r")], 2, seed=0)] == [
        review.text for review in found[:2]
    ]
