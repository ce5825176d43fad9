"""Files of one table format to reviews: parsing, which columns count, and what the entries mean.

Files are parsed by the `datasets` builders, never by hand. What they cache is keyed by the content of the files.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment_lstm.data import cache, guards
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.errors import DataError, SentimentLSTMError, UsageError, did_you_mean

if TYPE_CHECKING:
    from datasets import Dataset

BUILDERS = {".csv": "csv", ".tsv": "csv", ".jsonl": "json", ".parquet": "parquet"}
TEXT_COLUMNS = ("text", "review", "sentence", "content", "comment", "body", "message", "tweet", "document")
LABEL_COLUMNS = ("label", "sentiment", "class", "category", "target", "polarity", "rating", "stars", "score")
TEXT_KINDS = ("string", "large_string", "null")  # how the names of the column types that will do begin
LABEL_KINDS = (*TEXT_KINDS, "int", "uint", "bool", "float")
SHOWN_COLUMNS = 20  # named in a message
LABEL_ALIASES = {"neg": "negative", "pos": "positive"}  # the names that IMDB's folders and hub features use


def parse_files(paths: list[Path]) -> Dataset:
    """Parse the files of one split into one table, with the `datasets` builder of their format.

    Raises
    ------
    UsageError
        Where a file cannot be opened, or they are of several formats.
    DataError
        Where a file is empty, not UTF-8 or malformed; with its line where it has lines.
    """
    formats = sorted({path.suffix.lower() for path in paths})
    if len(formats) > 1:
        raise UsageError(f"{paths[0]} and {paths[1]}: the files of a split must be of one format, not {formats}")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # local files: nothing to ask the hub for
    import datasets

    builder = BUILDERS[paths[0].suffix.lower()]
    digest = hashlib.sha256(builder.encode())
    for path in paths:
        guards.check_file(path)
        digest.update(path.suffix.encode() + _sha256_of_file(path, is_text=builder != "parquet"))
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    folder = cache.tables_folder(digest.hexdigest()[:32])
    is_new = not folder.exists()
    try:
        for path in paths if is_new else []:
            guards.check_table(path, builder)
        return datasets.load_dataset(
            builder,
            data_files={"train": [str(path) for path in paths]},
            split="train",
            cache_dir=str(folder),
            **_options(paths[0], builder, datasets),
        )
    except BaseException as error:  # each builder raises its parser's own errors, some of them wrapped
        if is_new:  # a refused or interrupted file leaves nothing
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, SentimentLSTMError) or not isinstance(error, Exception):
            raise
        for path in paths if len(paths) > 1 else []:
            parse_files([path])  # says which file is at fault, where one is
        raise _unreadable(paths, error) from error


def _unreadable(paths: list[Path], error: Exception) -> DataError:
    cause = error.__cause__ or error
    reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    if any(sign in reason for sign in ("no data", "No columns", "BatchSize must be greater than 0")):
        return DataError(f"{paths[0]} is empty: expected a table with a text and a label column")
    where = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    return DataError(f"{where} cannot be read as {paths[0].suffix[1:].upper()}: {reason}")


def _options(path: Path, builder: str, datasets: Any) -> dict[str, Any]:
    """Return what the builder has to be told besides the files."""
    if builder == "csv":
        return _csv_options(path, datasets)
    if builder == "parquet":
        return {"features": _parquet_features(path, datasets)}
    return {}


def _parquet_features(path: Path, datasets: Any) -> Any:
    """The columns as they are stored, and the names of labels. A file can also name columns of pictures and sounds,
    which the library would open at whatever path or address their entries say.
    """
    from pyarrow import parquet

    schema = parquet.read_schema(path)
    stored = datasets.Features.from_arrow_schema(schema.remove_metadata())
    try:
        described = datasets.Features.from_arrow_schema(schema)
    except Exception:  # a description that is damaged says nothing
        return stored
    for name, feature in described.items():
        if isinstance(feature, datasets.ClassLabel):
            stored[name] = feature
    return stored


def _csv_options(path: Path, datasets: Any) -> dict[str, Any]:
    """Every column as it is written: a review that says "NA" is text, and "007" is no number."""
    import pandas

    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    head = pandas.read_csv(path, sep=separator, nrows=1, dtype=str, na_filter=False)
    if len(head) and not isinstance(head.index, pandas.RangeIndex):  # pandas would drop the first column
        raise DataError(
            f"{path}, line 2 has more than the {len(head.columns)} fields of the header: "
            f"put texts that hold a {separator!r} in double quotes"
        )
    features = datasets.Features({str(column): datasets.Value("string") for column in head.columns})
    return {"sep": separator, "na_filter": False, "features": features}


def _sha256_of_file(path: Path, is_text: bool) -> bytes:
    """Hash a file, and find out early, with a line number, whether a text file is UTF-8."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as lines:
            if path.stat().st_size == 0:
                raise DataError(f"{path} is empty: expected a table with a text and a label column")
            if not is_text:
                return hashlib.file_digest(lines, "sha256").digest()
            for number, line in enumerate(guards.iter_lines(lines, str(path)), start=1):
                digest.update(line)
                if not line.isascii():
                    _decode(line, f"{path}, line {number}")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return digest.digest()


def read_utf8(path: Path) -> str:
    """Return the text of a file; a ``UsageError`` or ``DataError`` where it cannot be opened or is not UTF-8."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path} is no plain file: write its content to one first")
        if path.stat().st_size > guards.LONGEST_LINE:
            raise DataError(f"{path} is longer than {guards.LONGEST_LINE >> 20} MiB: a text must be shorter")
        return _decode(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def _decode(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = content[error.start]
        raise DataError(
            f"{where}: byte {error.start + 1} (0x{byte:02x}) is not UTF-8: convert the file, "
            "for example with: iconv -f latin1 -t utf-8"
        ) from error


def choose_columns(
    table: Dataset, source: Path, text_column: str | None, label_column: str | None, notes: list[str]
) -> tuple[str, str]:
    """Return the text and the label column: those asked for, or else guessed, which is added to ``notes``.

    Raises
    ------
    UsageError
        Where a column that was asked for does not exist.
    DataError
        Where there is one column only, or the entries are no texts or no labels.
    """
    columns = table.column_names
    check_columns(columns, str(source), text_column, label_column)
    if len(columns) < 2:
        raise DataError(
            f"{source} has one column ({listed(columns)}): expected a text and a label column, "
            "separated as its name says"
        )
    text = text_column or _guess_text(table, exclude=label_column)
    label = label_column or _guess_label(table, exclude=text)
    for column, expected, kinds in ((text, "texts", TEXT_KINDS), (label, "names or numbers", LABEL_KINDS)):
        kind = getattr(table.features[column], "dtype", None) or "nested or mixed values"
        if not kind.startswith(kinds):
            raise DataError(
                f"column {column!r} of {source} holds {kind}, expected {expected}: "
                f"choose with --text-column and --label-column (columns: {listed(columns)})"
            )
    if text_column is None or label_column is None:
        notes.append(f"text column {text!r}, label column {label!r} (guessed; --text-column, --label-column)")
    return text, label


def listed(columns: Iterable[str]) -> str:
    """Return the names of columns for a message, as many as a line can hold."""
    names = [f"{name[:40]}…" if len(name) > 41 else name for name in columns]
    return ", ".join(names[:SHOWN_COLUMNS]) + (f" and {len(names) - SHOWN_COLUMNS} more" * (len(names) > SHOWN_COLUMNS))


def check_columns(columns: Sequence[str], source: str, text_column: str | None, label_column: str | None) -> None:
    """Refuse columns that the source has not, and one column for both."""
    for option, column in (("--text-column", text_column), ("--label-column", label_column)):
        if column is not None and column not in columns:
            raise UsageError(
                f"{option} {column!r} is not in {source}{did_you_mean(column, columns)} (columns: {listed(columns)})"
            )
    if text_column is not None and text_column == label_column:
        raise UsageError(f"--text-column and --label-column are both {text_column!r}: text and label need their own")


def column_named(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """Return the column that bears the first of these names, in upper or lower case, or ``None``."""
    by_name = {column.lower().strip(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def _guess_text(table: Dataset, exclude: str | None) -> str:
    """A column with a usual name, or else the one with the longest entries."""
    columns = [column for column in table.column_names if column != exclude]
    if usual := column_named(columns, TEXT_COLUMNS):
        return usual
    head = table.data.slice(0, 200)  # as stored: never decoded
    return max(columns, key=lambda column: sum(len(str(value)) for value in head.column(column).to_pylist()))


def _guess_label(table: Dataset, exclude: str) -> str:
    """A column with a usual name, or else the one with the fewest different entries, but more than one."""
    columns = [column for column in table.column_names if column != exclude]
    if usual := column_named(columns, LABEL_COLUMNS):
        return usual
    head = table.data.slice(0, 1000)
    distinct = {column: len({str(value) for value in head.column(column).to_pylist()}) for column in columns}
    return min(columns, key=lambda column: (distinct[column] < 2, distinct[column]))


def to_reviews(table: Dataset, prefix: str, text: str, label: str, names: dict[str, str | None]) -> list[Review]:
    """Return the rows as reviews with the ids ``prefix-0``, ``prefix-1`` …; ``names`` translates labels."""
    class_names = getattr(table.features[label], "names", None)  # a ClassLabel feature knows its names
    texts = table.data.column(text).to_pylist()
    labels = table.data.column(label).to_pylist()
    return [
        Review(
            "" if review is None else str(review),
            _label_name(value, class_names, names),
            f"{prefix}-{row}",
        )
        for row, (review, value) in enumerate(zip(texts, labels, strict=True))
    ]


def _label_name(value: Any, class_names: list[str] | None, names: dict[str, str | None]) -> str | None:
    """Return the label as text, or ``None`` where the row has none."""
    if value is None:
        return None
    if class_names is not None:
        return LABEL_ALIASES.get(class_names[value], class_names[value]) if value >= 0 else None
    if isinstance(value, float):  # how tables store whole numbers where some are missing
        if math.isnan(value):
            return None
        value = int(value) if value.is_integer() else value
    label = str(value).strip()
    return names.get(label, label) or None
