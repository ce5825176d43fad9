"""What a file of reviews may cost, looked at before it is parsed: files come from anyone.

A few kilobytes can stand for terabytes: packed, as runs of one value, or as rows that each name another column. What
is refused here was never unpacked, has taken no more memory than a line, and leaves nothing in a cache.
"""

from __future__ import annotations

import csv
import json
import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any, BinaryIO

from sentiment_lstm.errors import DataError, UsageError

LONGEST_LINE = 2**26  # bytes of a line or of a quoted field: six times the longest text that is tested
MOST_COLUMNS = 1_000
MOST_BYTES = 2**30  # a table may take in memory, or else
MOST_GROWTH = 100  # times the bytes of its file: IMDB's parquet grows to its 1.6-fold
BATCH_ROWS = 256  # of parquet looked at together
CELL_BYTES = 5  # an empty cell in memory: where its text ends, and whether there is one
PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "rar",
    b"PK\x03\x04": "zip",
}


def iter_lines(stream: BinaryIO | BufferedIOBase, name: str, longest: int = LONGEST_LINE) -> Iterator[bytes]:
    """Yield the lines of a binary stream with their ends, each of at most ``longest`` bytes.

    Raises
    ------
    DataError
        At a line that is longer.
    """
    number = 0
    while line := stream.readline(longest + 1):
        number += 1
        if len(line) > longest:
            raise DataError(f"{name}, line {number} is longer than {longest >> 20} MiB: is it the file you mean?")
        yield line


def check_file(path: Path) -> None:
    """Refuse what is no plain file, and what the `datasets` library would unpack whatever its name is.

    Raises
    ------
    UsageError
        Where it is a pipe or a device, or cannot be opened.
    DataError
        Where it is packed, or has holes.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path} is no plain file: write its content to one first")
        with path.open("rb") as file:
            size = path.stat().st_size
            if size > MOST_BYTES and os.lseek(file.fileno(), 0, os.SEEK_HOLE) < size:  # a terabyte of nothing
                raise DataError(f"{path} has {size:,} bytes, not all of which were ever written: copy it again")
            file.seek(0)
            start = file.read(tarfile.BLOCKSIZE)
        kind = next((kind for magic, kind in PACKED.items() if start.startswith(magic)), None)
        if kind is None and zipfile.is_zipfile(path):  # a zip file is known by its end
            kind = "zip"
        if kind is None and _is_tar(start):
            kind = "tar"
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if kind is not None:
        raise DataError(f"{path} is packed ({kind}): unpack it first, and give what was in it")


def _is_tar(start: bytes) -> bool:
    """Whether a file starts as ``tarfile.is_tarfile`` has it, which takes minutes over a gigabyte of zeros."""
    try:
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return len(start) == tarfile.BLOCKSIZE and not any(start)  # zeros are an archive without files
    except ValueError:  # the sum is right and a number is not
        return True
    return True


def check_table(path: Path, builder: str) -> None:
    """Refuse a table that is out of proportion to its file: ``csv``, ``json`` or ``parquet``.

    Raises
    ------
    DataError
        Where it is; also where a line is no JSON object, or a field is too long.
    """
    if builder == "parquet":
        _check_parquet(path)
        return
    with path.open("rb") as file:
        lines = iter_lines(file, str(path))
        num_rows, num_columns = _json_shape(lines, path) if builder == "json" else _csv_shape(lines, path)
    _check_growth(num_rows * num_columns * CELL_BYTES, path)


def _csv_shape(lines: Iterator[bytes], path: Path) -> tuple[int, int]:
    """Count rows and columns."""
    csv.field_size_limit(LONGEST_LINE)
    parts = (part for line in lines for part in line.decode("utf-8-sig", "replace").split("\r"))  # Mac's line ends too
    rows = csv.reader(parts, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    num_columns = num_rows = 0
    try:
        for row in rows:
            num_rows += bool(row)
            if num_columns == 0:
                num_columns = len(row)
                _check_columns(num_columns, path)
    except csv.Error as error:
        raise DataError(
            f"{path} cannot be read as CSV: line {rows.line_num}: {error}, is a quote not closed?"
        ) from error
    return num_rows, num_columns


def _json_shape(lines: Iterator[bytes], path: Path) -> tuple[int, int]:
    """Count objects and keys, those inside of others too."""
    num_objects = 0
    keys: set[Any] = set()

    def count(value: Any, place: Any) -> None:
        nonlocal num_objects
        if isinstance(value, list):
            for own in value:
                if isinstance(own, (dict, list)):
                    count(own, (place, None))
        elif isinstance(value, dict):
            num_objects += 1
            for key, own in value.items():
                keys.add((place, key))
                if isinstance(own, (dict, list)):
                    count(own, (place, key))

    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line.decode("utf-8-sig") if number == 1 else line) if line.strip() else {}
            if not isinstance(row, dict):
                raise DataError(
                    f"{path} cannot be read as JSONL: line {number} is not an object such as "
                    '{"text": "...", "label": "..."}'
                )
            count(row, None)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path} cannot be read as JSONL: line {number}: {error}") from error
        _check_columns(len(keys), path)
    return num_objects, len(keys)


def _check_parquet(path: Path) -> None:
    """Add up what the values take in memory, with each different text read once, until they take too much."""
    import pyarrow
    from pyarrow import parquet

    try:
        with path.open("rb") as file:
            description = parquet.ParquetFile(file).metadata
            _check_columns(description.num_columns, path)
            _check_growth(description.num_rows * description.num_columns // 8, path)  # a bit a cell, at least
            groups = [description.row_group(number) for number in range(description.num_row_groups)]
            _check_growth(sum(group.total_byte_size for group in groups), path)
            table = parquet.ParquetFile(file, read_dictionary=_plain_texts(description))
            size = 0
            for batch in table.iter_batches(BATCH_ROWS, use_threads=False):
                batch.validate(full=True)  # texts that are no UTF-8 would fail much later
                size += sum(_bytes_of(column) for column in batch.columns)
                _check_growth(size, path)
    except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{path} cannot be read as PARQUET: {reason}") from error


def _plain_texts(description: Any) -> list[str]:
    """The columns of text that can be read as a dictionary: neither inside of others, nor written as differences."""
    return [
        column.name
        for place, column in enumerate(description.schema)
        if column.physical_type == "BYTE_ARRAY"
        and column.path == column.name
        and not any(
            encoding.startswith("DELTA")
            for group in range(description.num_row_groups)
            for encoding in description.row_group(group).column(place).encodings
        )
    ]


def _bytes_of(column: Any) -> int:
    """What a column takes once its texts are written out, one for each row."""
    import pyarrow
    from pyarrow import compute

    if not pyarrow.types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = compute.binary_length(column.dictionary)
    return int(compute.sum(lengths.take(column.indices)).as_py() or 0) + CELL_BYTES * len(column)


def _check_columns(number: int, path: Path) -> None:
    if number > MOST_COLUMNS:
        raise DataError(f"{path} has more than {MOST_COLUMNS:,} columns: keep the text and the label column")


def _check_growth(size: int, path: Path) -> None:
    if size > max(MOST_BYTES, MOST_GROWTH * path.stat().st_size):
        raise DataError(
            f"{path} stands for more than {size >> 20:,} MiB of rows, out of proportion to its "
            f"{path.stat().st_size:,} bytes: it looks like a bomb; write it anew from the reviews themselves"
        )
