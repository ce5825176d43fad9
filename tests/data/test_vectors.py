"""Pretrained word vectors from text files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sentiment_lstm.data.vectors import load_vectors
from sentiment_lstm.errors import DataError, UsageError

TOKENS = ["<pad>", "<unk>", "good", "bad", "at", "."]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("glove", "the 0 0 0\ngood 1 2 3\nbad -1 .5 1e-3\n"),
        ("word2vec", "3 3\nthe 0 0 0\ngood 1 2 3\nbad -1 .5 1e-3\n"),
        ("fasttext", "3 3\nthe 0 0 0 \ngood 1 2 3 \nbad -1 .5 1e-3 \n"),
        ("windows", "the 0 0 0\r\ngood 1 2 3\r\nbad -1 .5 1e-3\r\n"),
        ("no newline at the end", "the 0 0 0\ngood 1 2 3\nbad -1 .5 1e-3"),
    ],
)
def test_each_format_gives_every_word_its_own_numbers(name: str, text: str, tmp_path: Path) -> None:
    vectors, found = load_vectors(write(tmp_path / "vectors.txt", text), TOKENS, 3)
    expected = np.zeros((len(TOKENS), 3), np.float32)
    expected[2], expected[3] = [1, 2, 3], [-1, 0.5, 1e-3]
    np.testing.assert_array_equal(vectors, expected)
    assert found.tolist() == [False, False, True, True, False, False]


def test_words_with_spaces_as_in_glove_840b_are_no_damage(tmp_path: Path) -> None:
    text = "good 1 2 3\n. . . 9 9 9\nat name@domain.com 8 8 8\nat 4 5 6\n"
    vectors, found = load_vectors(write(tmp_path / "vectors.txt", text), TOKENS, 3)
    np.testing.assert_array_equal(vectors[4], [4, 5, 6])
    assert found.tolist() == [False, False, True, False, True, False]


def test_bytes_that_are_no_text_spoil_only_their_own_word(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_bytes(b"\xff\xfe 1 1 1\ngood 1 2 3\n\xc2\x85 2 2 2\n")
    assert load_vectors(path, TOKENS, 3)[1].sum() == 1


@pytest.mark.parametrize("text", ["the 0 0 0 0\ngood 1 2 3 4\n", "2 4\nthe 0 0 0 0\ngood 1 2 3 4\n"])
def test_another_size_is_refused_with_the_setting_that_fits(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"of 4 numbers.*--set model\.embedding_dim=4"):
        load_vectors(write(tmp_path / "vectors.txt", text), TOKENS, 3)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("good 1 2", "line 2 has 2 numbers"),
        ("good", "line 2 has 0 numbers"),
        ("good 1 x 3", "line 2"),
        ("good 1 nan 3", "line 2 holds a number that is not finite"),
        ("good 1 1e99 3", "line 2 holds a number that is not finite"),
    ],
)
def test_a_damaged_line_is_named(line: str, words: str, tmp_path: Path) -> None:
    path = write(tmp_path / "vectors.txt", f"the 0 0 0\n{line}\n")
    with pytest.raises((DataError, UsageError), match=words) as caught:
        load_vectors(path, TOKENS, 3)
    assert str(path) in str(caught.value)


def test_a_line_cut_short_far_down_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "vectors.txt", "the 0 0 0\na 0 0 0\nb 0 0 0\ngood 1 2\n")
    with pytest.raises(DataError, match="line 4 has 2 numbers"):
        load_vectors(path, TOKENS, 3)


@pytest.mark.parametrize("text", ["x 1 2 3\n", "", "\n"])
def test_a_file_without_a_known_word_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises((DataError, UsageError), match=r"vectors\.txt"):
        load_vectors(write(tmp_path / "vectors.txt", text), TOKENS, 3)


@pytest.mark.parametrize("name", ["gone.txt", "."])
def test_a_path_that_cannot_be_read_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the vectors"):
        load_vectors(tmp_path / name, TOKENS, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1000000000000 3\n", "a vector for none"),
        ("3 ³\ngood 1 2 3\n", "has vectors of 1 numbers"),
        ("3 " + "9" * 5_000 + "\n", "has vectors of 1 numbers"),
        ("the 0 0 0\ngood 1 2 x\n", "line 2"),
        ("the 0 0 0\ngood 1 nan 3\n", "not finite"),
        ("the 0 0 0\ngood 1 1e999 3\n", "not finite"),
        ("the 0 0 0\ngood 1\n", "line 2 has 1 numbers"),
        ("the 0 0 0\n" + "1 " * 600_000, "line 2 is longer than 1 MiB"),
    ],
)
def test_hostile_vectors_are_refused_in_one_line(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises((DataError, UsageError), match=words) as caught:
        load_vectors(write(tmp_path / "vectors.txt", text), TOKENS, 3)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
