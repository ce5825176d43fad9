"""Pieces of a few sentences, and the texts that a student may read."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import write_csv

from sentiment_lstm.data.distillation import cut_pieces, read_more_texts
from sentiment_lstm.data.prepare import load_splits
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sentences import split_sentences
from sentiment_lstm.errors import DataError
from sentiment_lstm.recipes import validate_config


def test_pieces_are_runs_of_sentences_that_the_seed_decides() -> None:
    reviews = [Review(" ".join(f"Text {n} part {p}." for p in range(5)), "x", f"r{n}") for n in range(6)]
    pieces = cut_pieces([*reviews, Review("Only one.", None, "short")], 40, seed=3)
    assert len({piece.id for piece in pieces}) == len(pieces) == 40
    for piece in pieces:
        whole = next(review for review in reviews if piece.id.startswith(f"{review.id}["))
        assert piece.label is None
        assert piece.text in whole.text
        assert 1 <= len(split_sentences(piece.text)) <= 3
    assert pieces == cut_pieces([*reviews, Review("Only one.", None, "short")], 40, seed=3)
    assert pieces != cut_pieces([*reviews, Review("Only one.", None, "short")], 40, seed=4)
    assert len(cut_pieces(reviews[:1], 1000, seed=0)) == 5 + 4 + 3, "every run once"
    with pytest.raises(DataError, match="two sentences"):
        cut_pieces([Review("Only one.", None, "short")], 1, seed=0)


def test_texts_of_held_out_reviews_are_left_out_and_blank_ones_too(tmp_path: Path) -> None:
    rows = [f"film {n},{label}" for n, label in enumerate(["yes", "no"] * 10)]
    write_csv(tmp_path / "mine.csv", [*rows, *(f"film {n}," for n in range(20)), "new film,", " ,"])
    config = validate_config({"data": {"source": str(tmp_path / "mine.csv")}}, where="here")
    splits = load_splits(config.data)
    found = {review.text for review in read_more_texts(config, splits)["unlabelled"]}
    assert found == {review.text for review in splits["train"]} | {"new film"}
    small = config.model_copy(update={"data": config.data.model_copy(update={"limit": 5})})
    assert len(read_more_texts(small, splits)["unlabelled"]) == 5
