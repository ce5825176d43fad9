"""Texts from a file or a pipe, one at a time: constant memory, and an answer as soon as a line is there."""

from __future__ import annotations

import csv
import json
import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from io import BufferedIOBase
from pathlib import Path
from typing import BinaryIO

from sentiment_lstm.data import guards
from sentiment_lstm.data.tables import TEXT_COLUMNS, column_named, listed
from sentiment_lstm.errors import DataError, UsageError, did_you_mean

READERS = (".txt", ".csv", ".tsv", ".jsonl")
QUEUE_SIZE = 64
MAX_CHARACTERS = 1_000_000  # of a chunk, about: texts can be megabytes long


def iter_file(path: Path, column: str | None = None) -> Iterator[str]:
    """Yield the texts of a txt (a line each), csv, tsv or jsonl file.

    Raises
    ------
    UsageError
        Where the file or the column does not exist, or the name's ending is another.
    DataError
        Where a line cannot be read, with its number.
    """
    suffix = path.suffix.lower()
    if suffix == ".txt" and column is not None:
        raise UsageError(f"--text-column {column!r}: {path} has no columns, each line of it is a text")
    if suffix not in READERS:
        raise UsageError(f"cannot tell the format of {path}: expected a name ending in {', '.join(READERS)}")
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(path.open("rb"))
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        if suffix == ".txt":
            texts = iter_lines(stream, str(path))
        elif suffix == ".jsonl":
            texts = _iter_json(iter_lines(stream, str(path)), str(path), column)
        else:
            texts = _iter_table(stream, str(path), column, "\t" if suffix == ".tsv" else ",")
        is_empty = True
        for text in texts:
            is_empty = False
            yield text
        if is_empty:
            raise DataError(f"{path} is empty: expected at least one text")


def iter_lines(stream: BinaryIO | BufferedIOBase, name: str) -> Iterator[str]:
    """Yield the lines of a binary stream, decoded, without their ends.

    Raises
    ------
    DataError
        At a line that is not UTF-8, or too long.
    """
    for line in _iter_decoded(stream, name):
        yield line.rstrip("\r\n")


def _iter_decoded(stream: BinaryIO | BufferedIOBase, name: str) -> Iterator[str]:
    """Yield decoded lines with their ends."""
    for number, line in enumerate(guards.iter_lines(stream, name), start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{name}, line {number}: byte {error.start + 1} (0x{line[error.start]:02x}) is not UTF-8: "
                "convert it, for example with: iconv -f latin1 -t utf-8"
            ) from error


def iter_chunks(texts: Iterable[str], size: int = 64) -> Iterator[list[str]]:
    """Yield lists of the texts that are ready: at least one, at most ``size``.

    A thread reads ahead, so a pipe that trickles gets each answer at once and a fast one is answered in batches.
    """
    ready: queue.Queue[str | BaseException | None] = queue.Queue(QUEUE_SIZE)

    def read_ahead() -> None:
        try:
            for text in texts:
                ready.put(text)
            ready.put(None)
        except BaseException as error:  # handed over, to be raised where the texts are consumed
            ready.put(error)

    threading.Thread(target=read_ahead, daemon=True).start()
    while True:
        chunk: list[str] = []
        item = ready.get()
        characters = 0
        while isinstance(item, str):
            chunk.append(item)
            characters += len(item)
            if len(chunk) == size or characters > MAX_CHARACTERS:
                break
            try:
                item = ready.get_nowait()
            except queue.Empty:
                break
        if chunk:
            yield chunk
        if isinstance(item, BaseException):
            raise item
        if item is None:
            return


def _iter_json(lines: Iterator[str], name: str, column: str | None) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{name}, line {number} is not JSON: {error}") from error
        if isinstance(value, dict):
            column = column or _guess_column(list(value), name)
            if column not in value:
                raise DataError(f"{name}, line {number} has no {column!r}{did_you_mean(column, value)}")
            value = value[column]
        if not isinstance(value, str):
            raise DataError(f"{name}, line {number}: expected a text, found {json.dumps(value)[:60]}")
        yield value


def _iter_table(stream: BinaryIO, name: str, column: str | None, delimiter: str) -> Iterator[str]:
    csv.field_size_limit(guards.LONGEST_LINE)
    rows = csv.reader(_iter_decoded(stream, name), delimiter=delimiter, strict=True)  # strict: every quote is closed
    try:
        columns = next(rows, [])
        if not columns:
            raise DataError(f"{name} is empty: expected a header and a text column")
        if column is not None and column not in columns:
            raise UsageError(
                f"--text-column {column!r} is not in {name}{did_you_mean(column, columns)} (columns: {listed(columns)})"
            )
        place = columns.index(column or _guess_column(columns, name))
        for row in rows:
            if row and not place < len(row) <= len(columns):
                raise DataError(
                    f"{name}, line {rows.line_num} has {len(row)} fields where the header has {len(columns)}: "
                    f"put texts that hold a {delimiter!r} in double quotes"
                )
            if row:
                yield row[place]
    except csv.Error as error:
        raise DataError(f"{name}, line {rows.line_num}: {error}") from error


def _guess_column(columns: list[str], name: str) -> str:
    if usual := column_named(columns, TEXT_COLUMNS):
        return usual
    if len(columns) == 1:
        return columns[0]
    raise UsageError(f"{name}: which column holds the text? Give --text-column (columns: {listed(columns)})")
