"""Pairs: what counts as right, which labels are meant, and what a damaged file is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import sentiment_lstm
from sentiment_lstm.errors import DataError, UsageError
from sentiment_lstm.evaluation.behaviour import (
    Behaviour,
    Pair,
    PairScore,
    format_behaviour,
    load_pairs,
    measure_behaviour,
    poles_of,
    score_pairs,
)

PAIRS = [
    Pair("a", "swap", "good, not bad", "bad, not good"),
    Pair("b", "swap", "clever, not smug", "smug, not clever"),
    Pair("c", "plain", "a fine film", "a poor film"),
]
TRUTH = {text: label for pair in PAIRS for text, label in ((pair.positive, "positive"), (pair.negative, "negative"))}


def stub(answer: Callable[[str], str], labels: Sequence[str] = ("negative", "positive")) -> Any:
    """A predictor that answers by a function of the text."""
    return SimpleNamespace(
        labels=list(labels),
        predict=lambda texts: [SimpleNamespace(label=answer(text)) for text in texts],
    )


def test_all_right() -> None:
    behaviour = score_pairs(PAIRS, stub(TRUTH.__getitem__))
    assert behaviour == Behaviour(
        PairScore(3, 1.0, 1.0), {"swap": PairScore(2, 1.0, 1.0), "plain": PairScore(1, 1.0, 1.0)}
    )


@pytest.mark.parametrize("label", ["positive", "negative"])
def test_the_same_answer_to_everything_gets_half_the_texts_and_no_pair(label: str) -> None:
    behaviour = score_pairs(PAIRS, stub(lambda _: label))
    assert behaviour is not None
    assert behaviour.overall == PairScore(3, 0.5, 0.0)


def test_a_bag_of_words_gets_no_pair_of_the_same_words() -> None:
    behaviour = score_pairs(PAIRS, stub(lambda text: "positive" if "".join(sorted(text)) > "," else "negative"))
    assert behaviour is not None
    assert behaviour.by_kind["swap"].pair_accuracy == 0.0


def test_one_wrong_text_costs_its_pair() -> None:
    behaviour = score_pairs(PAIRS, stub(lambda text: "negative" if text == "a fine film" else TRUTH[text]))
    assert behaviour is not None
    assert behaviour.overall == PairScore(3, pytest.approx(5 / 6), pytest.approx(2 / 3))
    assert behaviour.by_kind == {"swap": PairScore(2, 1.0, 1.0), "plain": PairScore(1, 0.5, 0.0)}


def test_an_answer_that_is_neither_is_wrong() -> None:
    behaviour = score_pairs(PAIRS, stub(lambda _: "neutral", ["negative", "neutral", "positive"]))
    assert behaviour is not None
    assert behaviour.overall == PairScore(3, 0.0, 0.0)


def test_poles_go_by_name_or_by_mapping() -> None:
    assert poles_of(["negative", "positive"]) == {"positive": "positive", "negative": "negative"}
    assert poles_of(["Positive", "Negative"]) == {"positive": "Positive", "negative": "Negative"}
    assert poles_of(["no", "yes"]) is None
    assert poles_of(["positive", "neutral"]) is None
    assert poles_of(["no", "yes"], {"positive": "yes", "negative": "no"}) == {"positive": "yes", "negative": "no"}


@pytest.mark.parametrize(
    "mapping",
    [{}, {"positive": "yes"}, {"positive": "yes", "negative": "yes"}, {"positive": "yes", "negative": "nay"}],
)
def test_a_mapping_that_does_not_fit_is_refused(mapping: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"labels \(no, yes\)"):
        poles_of(["no", "yes"], mapping)


def test_other_labels_are_not_scored_unless_they_are_mapped() -> None:
    predictor = stub(lambda text: {"positive": "yes", "negative": "no"}[TRUTH[text]], ["no", "yes"])
    assert score_pairs(PAIRS, predictor) is None
    assert measure_behaviour(predictor) is None
    behaviour = score_pairs(PAIRS, predictor, {"positive": "yes", "negative": "no"})
    assert behaviour is not None
    assert behaviour.overall.pair_accuracy == 1.0


def test_a_trained_run_is_measured_on_both_files(tiny_run: Path) -> None:
    behaviours = measure_behaviour(sentiment_lstm.load(tiny_run, "cpu"))
    assert behaviours is not None
    assert list(behaviours) == ["sentences", "twins"]
    for behaviour in behaviours.values():
        overall = behaviour.overall
        assert overall.num_pairs == sum(score.num_pairs for score in behaviour.by_kind.values())
        assert overall.pair_accuracy <= overall.single_accuracy <= 0.5 + overall.pair_accuracy / 2


def test_table() -> None:
    sentences = Behaviour(PairScore(3, 5 / 6, 2 / 3), {"swap": PairScore(2, 1, 1), "plain": PairScore(1, 0.5, 0)})
    twins = Behaviour(PairScore(1000, 0.5, 0), {"twin": PairScore(1000, 0.5, 0)})
    assert format_behaviour({"sentences": sentences, "twins": twins}).split("\n") == [
        "  minimal pairs  both right  single texts  pairs",
        "  sentences          0.6667        0.8333      3",
        "    swap             1.0000        1.0000      2",
        "    plain            0.0000        0.5000      1",
        "  twins              0.0000        0.5000  1,000",
    ]


def test_load_pairs(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"id": "1", "positive": "a", "negative": "b"}\n\n', encoding="utf-8")
    assert load_pairs(path) == [Pair("1", "twin", "a", "b")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no pairs"),
        (b"{", ":1: expected a JSON object"),
        (b"[1]", ":1: expected a JSON object"),
        (b'{"id": "1", "positive": "a"}', ":1: expected a JSON object"),
        (b'\n{"id": "1", "positive": "a", "negative": " "}', ":2: expected a JSON object"),
        (b'{"id": 1, "positive": "a", "negative": "b"}', ":1: expected a JSON object"),
        (b'{"id": "1", "positive": "a", "negative": "b"}\n' * 2, "the id '1' occurs twice"),
        (b"\xff\xfe\xff", "not UTF-8"),
        (b"[" * 100_000, ":1: expected a JSON object"),
    ],
)
def test_a_damaged_file_is_answered_in_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load_pairs(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*missing\.jsonl"):
        load_pairs(tmp_path / "missing.jsonl")
