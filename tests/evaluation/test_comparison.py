"""Runs are compared on the same reviews, aligned by id, or not at all."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from sentiment_lstm.errors import ArchiveError, UsageError
from sentiment_lstm.evaluation.comparison import (
    Answers,
    Contestant,
    compare,
    read_answers,
    setting_differences,
    weights_sha256,
)
from sentiment_lstm.evaluation.plots import plot_comparison


def contestant(name: str, predicted: str, labels: str = "aabb", ids: str = "1234") -> Contestant:
    return Contestant(name, Answers(list(ids), list(labels), list(predicted)), "data, test", "x", 10, 60.0, 5.0)


def test_answers_are_aligned_by_id_not_by_line() -> None:
    rows = compare([contestant("first", "aaba"), contestant("second", "abaa", labels="bbaa", ids="4321")])
    assert [row.accuracy for row in rows] == [0.75, 0.75]
    assert rows[0].test is rows[0].difference is None
    assert rows[1].test is not None
    assert (rows[1].test.only_first, rows[1].test.only_second) == (0, 0), "the same review is wrong in both"
    assert rows[1].difference == 0.0


@pytest.mark.parametrize(("other", "words"), [
    (contestant("b", "aa", "aa", "12"), "2 only in a (3, 4); evaluate both"),
    (contestant("b", "aaaaaaaa", "aabbbbbb", "1a2b3456"), "4 only in b (a, b, 5, …)"),
    (contestant("b", "aabb", "abbb"), "1 with another label (2)"),
    (dataclasses.replace(contestant("b", "aabb"), reviews_sha256="y"), "the texts are not"),
])  # fmt: skip
def test_other_reviews_are_refused_by_name(other: Contestant, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        compare([contestant("a", "aabb"), other])
    assert words in str(caught.value)


def test_a_run_evaluated_before_there_was_a_hash_is_compared_by_id() -> None:
    assert (
        len(compare([contestant("a", "aabb"), dataclasses.replace(contestant("b", "aabb"), reviews_sha256=None)])) == 2
    )


def test_settings_that_agree_and_baselines_are_left_out() -> None:
    runs = [
        dataclasses.replace(contestant("a", "aabb"), settings={"model.hidden_dim": 128, "training.seed": 1}),
        contestant("tfidf", "aabb"),
        dataclasses.replace(contestant("b", "aabb"), settings={"model.hidden_dim": 64, "training.seed": 1}),
    ]
    assert setting_differences(runs) == {"model.hidden_dim": [128, 64]}


@pytest.mark.parametrize(("text", "words"), [
    ("", "holds no predictions"),
    ("{}", "line 1 is damaged"),
    ("[" * 100_000, "line 1 is damaged"),
    ('{"id": "1", "label": "a", "predicted": 3}', "must be text"),
    ('{"id": "1", "label": "a", "predicted": "a"}\n' * 2, "names a review twice"),
    ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "line 1 is damaged"),
])  # fmt: skip
def test_damaged_answers_are_one_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "predictions.jsonl").write_text(text)
    with pytest.raises(ArchiveError, match=words):
        read_answers(tmp_path / "predictions.jsonl")


def test_a_separator_inside_a_text_ends_no_line(tmp_path: Path) -> None:
    row = {"id": "a\u2028b", "label": "x\x85", "predicted": "x\x85"}
    (tmp_path / "p").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    assert read_answers(tmp_path / "p").ids == ["a\u2028b"]


def test_the_weights_hash_is_read_from_their_header(tiny_run: Path, tmp_path: Path) -> None:
    digest = weights_sha256(tiny_run)
    assert digest is not None
    assert len(digest) == 64
    assert weights_sha256(tmp_path) is None
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    assert weights_sha256(tmp_path) is None


@pytest.mark.parametrize("seconds", [(60.0, 90.0), (1.0, 600.0), (None, 60.0), (None, None)])
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_picture_is_drawn_whatever_is_known(tmp_path: Path, seconds: tuple, ending: str) -> None:
    rows = compare([dataclasses.replace(contestant("$_^", "aaba"), seconds=own) for own in seconds])
    plot_comparison(rows, tmp_path / f"picture.{ending}", "data, test")
    start = (tmp_path / f"picture.{ending}").read_bytes()[:5]
    assert start in (b"\x89PNG\r", b"<?xml")
