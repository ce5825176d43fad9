"""Texts from files and pipes: one by one, in order, in constant memory."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment_lstm.data import guards
from sentiment_lstm.errors import DataError, UsageError
from sentiment_lstm.inference.streams import MAX_CHARACTERS, QUEUE_SIZE, iter_chunks, iter_file, iter_lines


def read(path: Path, content: str | bytes, column: str | None = None) -> list[str]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(iter_file(path, column))


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("a.txt", "good\n\nbad", ["good", "", "bad"]),
        ("a.txt", "good\r\nbad\r\n", ["good", "bad"]),
        ("a.txt", "\ufeffgood\n\ufeffbad\n", ["good", "\ufeffbad"]),
        ("a.txt", "a\0b\n  \n", ["a\0b", "  "]),
        ("a.txt", "one\x0bline\x85still\u2028one\n", ["one\x0bline\x85still\u2028one"]),
        ("a.TXT", "good", ["good"]),
        ("a.csv", "id,text\n1,good\n2,bad\n", ["good", "bad"]),
        ("a.csv", "text\ngood\n", ["good"]),
        ("a.csv", "\ufefftext,n\r\ngood,1\r\n", ["good"]),
        ("a.csv", 'text,n\n"two\nlines, ""quoted""",1\nbad,2', ['two\nlines, "quoted"', "bad"]),
        ("a.csv", "text,n\n,1\nNA,2\na\0b,3\n", ["", "NA", "a\0b"]),
        ("a.csv", "Review ,n\ngood,1\n", ["good"]),
        ("a.csv", "text,text\nfirst,second\n", ["first"]),
        ("a.tsv", "text\tn\ngood, really\t1\n", ["good, really"]),
        ("a.jsonl", '{"text": "good"}\n\n"bad"\n{"text": "a\\nb", "x": 1}\n', ["good", "bad", "a\nb"]),
        ("a.jsonl", '\ufeff{"review": "good", "id": 1}\r\n', ["good"]),
    ],
)
def test_a_file_gives_its_texts_in_order(name: str, content: str, texts: list[str], tmp_path: Path) -> None:
    assert read(tmp_path / name, content) == texts


def test_the_column_named_is_the_column_read(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "text,mine\nno,yes\n", "mine") == ["yes"]
    assert read(tmp_path / "a.jsonl", '{"text": "no", "mine": "yes"}\n', "mine") == ["yes"]


@pytest.mark.parametrize(
    ("name", "content", "column", "words"),
    [
        ("a.csv", "text,n\na,1\n", "txet", r"--text-column 'txet' .*did you mean 'text'.*columns: text, n"),
        ("a.csv", "a,b\n1,2\n", None, r"which column.*--text-column \(columns: a, b\)"),
        ("a.txt", "x\n", "text", "has no columns"),
        ("a.parquet", "x", None, r"expected a name ending in \.txt"),
        ("a", "x", None, "cannot tell the format"),
        ("a.jsonl", '{"a": "x", "b": "y"}\n', None, "which column"),
    ],
)
def test_what_was_typed_wrong_is_named(name: str, content: str, column: str | None, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        read(tmp_path / name, content, column)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "", "is empty"),
        ("a.csv", "", "is empty"),
        ("a.csv", "text,n\n", "is empty"),
        ("a.jsonl", "\n\n", "is empty"),
        ("a.txt", b"good\ncaf\xe9\n", r"line 2: byte 4 \(0xe9\) is not UTF-8"),
        ("a.csv", b"text\n" + b"good\n" * 5000 + b"caf\xe9\n", r"line 5002: byte 4 \(0xe9\) is not UTF-8"),
        ("a.csv", "text,n\na,1\na, b,2\n", "line 3 has 3 fields where the header has 2"),
        ("a.csv", "n,text\n1,a\n2\n", "line 3 has 1 fields where the header has 2"),
        ("a.csv", 'text,n\n"two\nlines",1\nx,y,z\n', "line 4 has 3 fields"),
        ("a.csv", 'text\n"never closed\nnext\n', "line 3"),
        ("a.jsonl", '{"text": "a"}\n{"text": "b\n', "line 2 is not JSON"),
        ("a.jsonl", "[" * 100_000, "line 1 is not JSON"),
        ("a.jsonl", '{"text": 1}\n', "line 1: expected a text, found 1"),
        ("a.jsonl", '{"text": null}\n', "line 1: expected a text, found null"),
        ("a.jsonl", "[1, 2]\n", "line 1: expected a text"),
        ("a.jsonl", '{"text": "a"}\n{"txt": "b"}\n', "line 2 has no 'text'; did you mean 'txt'"),
    ],
)
def test_what_a_file_holds_wrong_is_named_with_its_line(
    name: str, content: str | bytes, words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read(tmp_path / name, content)
    assert str(tmp_path / name) in str(caught.value)


def test_the_texts_before_a_broken_line_are_given(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('"one"\n"two"\n{\n', encoding="utf-8")
    texts = iter_file(path)
    assert [next(texts), next(texts)] == ["one", "two"]
    with pytest.raises(DataError):
        next(texts)


def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    for name in ("gone.txt", "folder.txt"):
        with pytest.raises(UsageError, match=f"cannot read .*{name}"):
            list(iter_file(tmp_path / name))


def test_a_text_of_ten_megabytes_is_one_text(tmp_path: Path) -> None:
    text = "long word " * 1_000_000
    assert read(tmp_path / "a.txt", f"{text}\nnext\n") == [text, "next"]
    assert read(tmp_path / "a.csv", f'text\n"{text}"\nnext\n') == [text, "next"]


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))))
def test_lines_come_back_as_they_were_written(lines: list[str]) -> None:
    stream = io.BytesIO("".join(f"{line}\n" for line in lines).encode())
    expected = [lines[0].removeprefix("\ufeff"), *lines[1:]] if lines else []
    assert list(iter_lines(stream, "stdin")) == expected


@given(st.lists(st.text(max_size=5), max_size=300), st.integers(1, 70))
def test_chunks_hold_every_text_once_in_order_and_are_never_empty(texts: list[str], size: int) -> None:
    chunks = list(iter_chunks(texts, size))
    assert [text for chunk in chunks for text in chunk] == texts
    assert all(1 <= len(chunk) <= size for chunk in chunks)


def test_reading_ahead_is_bounded() -> None:
    pulled = 0

    def endless() -> Iterator[str]:
        nonlocal pulled
        for pulled in count(1):  # noqa: B007
            yield "text"

    chunks = iter_chunks(endless(), 64)
    for _ in range(20):
        next(chunks)
    assert 20 <= pulled <= 20 * 64 + QUEUE_SIZE + 2


def test_a_text_is_handed_on_before_the_next_one_is_there() -> None:
    answered = threading.Event()

    def trickle() -> Iterator[str]:
        for text in ("first", "second"):
            yield text
            assert answered.wait(10), "nothing came before the next line"
            answered.clear()

    seen = []
    for chunk in iter_chunks(trickle()):
        seen.append(chunk)
        answered.set()
    assert seen == [["first"], ["second"]]


def test_long_texts_make_small_chunks() -> None:
    texts = ["x" * (MAX_CHARACTERS // 2)] * 20
    chunks = list(iter_chunks(texts))
    assert sum(map(len, chunks)) == 20
    assert max(map(len, chunks)) <= 3


def test_an_error_while_reading_comes_after_the_texts_before_it() -> None:
    def broken() -> Iterator[str]:
        yield "one"
        yield "two"
        raise DataError("line 3")

    seen: list[str] = []
    with pytest.raises(DataError, match="line 3"):
        seen.extend(text for chunk in iter_chunks(broken()) for text in chunk)
    assert seen == ["one", "two"]


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl"])
def test_a_line_that_never_ends_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards.iter_lines, "__defaults__", (2**20,))
    with pytest.raises(DataError, match="line 2 is longer than 1 MiB"):
        read(tmp_path / name, "text\n" + "x" * (2**20 + 1) if name != "a.jsonl" else '"x"\n"' + "x" * 2**20)


def test_a_quote_that_is_never_closed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "LONGEST_LINE", 2**20)
    with pytest.raises(DataError, match="field larger than field limit"):
        read(tmp_path / "a.csv", 'text\n"' + "some words\n" * 200_000)
