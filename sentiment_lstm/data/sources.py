"""A name or a path to reviews.

``imdb``              the hub's stanfordnlp/imdb, through `datasets`
``sample``            the built-in corpus
a folder of files     ``train*.parquet``, ``test*.parquet`` … (also .csv, .tsv, .jsonl): the hub's layout
a folder of folders   ``train/pos/0_9.txt`` …: the layout of aclImdb
a file                one CSV, TSV, JSONL or parquet file

Files are parsed by the `datasets` builders, never by hand. What they cache is keyed by the content of the files.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment_lstm.config import NAMED_SOURCES
from sentiment_lstm.data import cache
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sample import build_sample
from sentiment_lstm.errors import DataError, SentimentLSTMError, UsageError, did_you_mean

if TYPE_CHECKING:
    from datasets import Dataset

SPLITS = ("train", "validation", "test")
BUILDERS = {".csv": "csv", ".tsv": "csv", ".jsonl": "json", ".parquet": "parquet"}
TEXT_COLUMNS = ("text", "review", "sentence", "content", "comment", "body", "message", "tweet", "document")
LABEL_COLUMNS = ("label", "sentiment", "class", "category", "target", "polarity", "rating", "stars", "score")
TEXT_KINDS = ("string", "large_string", "null")  # how the names of the column types that will do begin
LABEL_KINDS = (*TEXT_KINDS, "int", "uint", "bool", "float")
LABEL_ALIASES = {"neg": "negative", "pos": "positive"}  # the names that IMDB's folders and hub features use
HUB_DATASET = "stanfordnlp/imdb"
HUB_TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True)
class Source:
    """The reviews of a source by split, and what the reader had to decide by itself.

    A single file has no splits of its own: its reviews are under ``"all"``.
    """

    splits: dict[str, list[Review]]
    notes: list[str] = field(default_factory=list)


def load_source(
    source: str,
    *,
    splits: Sequence[str] = SPLITS,
    text_column: str | None = None,
    label_column: str | None = None,
) -> Source:
    """Read the splits of a source that are asked for and that it has.

    Raises
    ------
    UsageError
        Where the path or a column does not exist.
    DataError
        Where a file cannot be parsed, or the hub cannot be reached.
    """
    if source in NAMED_SOURCES:
        _check_columns(["text", "label"], source, text_column, label_column)
    if source == "sample":
        return Source({name: reviews for name, reviews in build_sample().items() if name in splits})
    if source == "imdb":
        return _load_hub(splits)
    path = Path(source).expanduser()
    if not path.exists():
        hint = did_you_mean(path.name, NAMED_SOURCES) or ": expected a folder, a file, imdb or sample"
        raise UsageError(f"no data at {source}{hint}")
    if path.is_dir():
        if any((path / split / label).is_dir() for split in SPLITS for label in LABEL_ALIASES):
            return _load_text_folders(path, splits)
        files = _files_by_split(path, splits)
    else:
        if path.suffix.lower() not in BUILDERS:
            raise UsageError(f"cannot tell the format of {path}: expected a name ending in {', '.join(BUILDERS)}")
        files = {"all": [path]}
    return _load_files(path, files, text_column, label_column)


# ------------------------------------------------------------------------------------------------------- the hub


def _load_hub(splits: Sequence[str]) -> Source:
    out_of_reach = DataError(
        f"cannot reach the hub for {HUB_DATASET} and it is not cached: connect once, "
        "or give a folder with its parquet files as --data FOLDER, or try --data sample"
    )
    if not _hub_answers():
        if not _is_cached():
            raise out_of_reach  # at once: importing `datasets` takes seconds
        os.environ["HF_HUB_OFFLINE"] = "1"  # read before `datasets` is imported: use what is cached, do not retry
    from datasets import load_dataset

    try:
        found = load_dataset(HUB_DATASET)
    except Exception as error:
        raise out_of_reach from error
    return Source({name: _to_reviews(found[name], name, "text", "label", {}) for name in splits if name in found})


def _is_cached() -> bool:
    """Whether the `datasets` library has a folder for the data set, where its variables say it keeps them."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    folder = Path(os.environ.get("HF_DATASETS_CACHE") or Path(home) / "datasets").expanduser()
    return (folder / HUB_DATASET.replace("/", "___")).is_dir()


def _hub_answers() -> bool:
    """Whether the hub answers in time; name look-up included, which no socket timeout bounds."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    answers = []

    def ask() -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=HUB_TIMEOUT_SECONDS).close()
        except urllib.error.HTTPError:
            pass  # an error page is an answer too
        except (OSError, ValueError):
            return
        answers.append(True)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(HUB_TIMEOUT_SECONDS)
    return bool(answers)


# ------------------------------------------------------------------------------------------------------- aclImdb


def _load_text_folders(folder: Path, splits: Sequence[str]) -> Source:
    """Read ``<split>/<pos|neg>/<id>_<rating>.txt``: one review a file."""
    found: dict[str, list[Review]] = {}
    for split in splits:
        for name, label in LABEL_ALIASES.items():
            for path in sorted((folder / split / name).glob("*.txt")):
                review = Review(_read_utf8(path), label, f"{split}/{name}/{path.stem}")
                found.setdefault(split, []).append(review)
    return Source(found)


# --------------------------------------------------------------------------------------------------------- files


def _files_by_split(folder: Path, splits: Sequence[str]) -> dict[str, list[Path]]:
    data_files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in BUILDERS]
    files = {split: [path for path in data_files if path.name.lower().startswith(split)] for split in splits}
    files = {split: paths for split, paths in files.items() if paths}
    if not files:
        raise UsageError(
            f"{folder} holds no files named by split: expected train*.parquet, test*.parquet (or .csv, .tsv, .jsonl), "
            "or the folders train/pos and train/neg"
        )
    return files


def _load_files(
    source: Path, files: dict[str, list[Path]], text_column: str | None, label_column: str | None
) -> Source:
    tables = {split: _parse(paths) for split, paths in files.items()}
    first = next(iter(tables.values()))
    notes: list[str] = []
    text, label = _choose_columns(first, source, text_column, label_column, notes)
    for split, table in tables.items():
        for column in (text, label):
            if column not in table.column_names:
                raise DataError(f"{files[split][0]} has no column {column!r}, which the other splits have")
    names: dict[str, str | None] = {}
    if "all" not in files and (text, label) == ("text", "label"):
        values = {str(value) for table in tables.values() for value in table.unique(label)}
        if values <= {"-1", "0", "1"}:  # the hub's layout of IMDB, whose files carry the numbers alone
            names = {"0": "negative", "1": "positive", "-1": None}
            notes.append("labels 0 and 1 are read as negative and positive, as on the hub")
    prefix = {"all": source.stem}
    reviews = {
        split: _to_reviews(table, prefix.get(split, split), text, label, names) for split, table in tables.items()
    }
    return Source(reviews, notes)


def _parse(paths: list[Path]) -> Dataset:
    """Parse files of one format with the `datasets` builder for it."""
    formats = sorted({path.suffix.lower() for path in paths})
    if len(formats) > 1:
        raise UsageError(f"{paths[0]} and {paths[1]}: the files of a split must be of one format, not {formats}")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # local files: nothing to ask the hub for
    import datasets

    builder = BUILDERS[paths[0].suffix.lower()]
    digest = hashlib.sha256(builder.encode())
    for path in paths:
        digest.update(path.suffix.encode() + _sha256_of_file(path, is_text=builder != "parquet"))
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        options = _csv_options(paths[0], datasets) if builder == "csv" else {}
        return datasets.load_dataset(
            builder,
            data_files={"train": [str(path) for path in paths]},
            split="train",
            cache_dir=str(cache.tables_folder(digest.hexdigest()[:32])),
            **options,
        )
    except SentimentLSTMError:
        raise
    except Exception as error:  # each builder raises its parser's own errors, some of them wrapped
        for path in paths if len(paths) > 1 else []:
            _parse([path])  # says which file is at fault, where one is
        cause = error.__cause__ or error
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        if any(sign in reason for sign in ("no data", "No columns", "BatchSize must be greater than 0")):
            raise DataError(f"{paths[0]} is empty: expected a table with a text and a label column") from error
        if builder == "json":
            reason = _first_bad_line(paths[0]) or reason
        where = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        raise DataError(f"{where} cannot be read as {paths[0].suffix[1:].upper()}: {reason}") from error


def _first_bad_line(path: Path) -> str | None:
    """Which line of a JSON-lines file is not an object, and why: the builder's own message names a row of a block."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                if line.strip() and not isinstance(json.loads(line), dict):
                    return f'line {number} is not an object such as {{"text": "...", "label": "..."}}'
            except (ValueError, RecursionError) as error:
                return f"line {number}: {error}"
    return None


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
            for number, line in enumerate(lines, start=1):
                digest.update(line)
                if not line.isascii():
                    _decode(line, f"{path}, line {number}")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return digest.digest()


def _read_utf8(path: Path) -> str:
    try:
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


# ------------------------------------------------------------------------------------------------------- columns


def _choose_columns(
    table: Dataset, source: Path, text_column: str | None, label_column: str | None, notes: list[str]
) -> tuple[str, str]:
    columns = table.column_names
    _check_columns(columns, str(source), text_column, label_column)
    if len(columns) < 2:
        raise DataError(
            f"{source} has one column ({columns[0]}): expected a text and a label column, separated as its name says"
        )
    text = text_column or _guess_text(table, exclude=label_column)
    label = label_column or _guess_label(table, exclude=text)
    for column, expected, kinds in ((text, "texts", TEXT_KINDS), (label, "names or numbers", LABEL_KINDS)):
        kind = getattr(table.features[column], "dtype", None) or "nested or mixed values"
        if not kind.startswith(kinds):
            raise DataError(
                f"column {column!r} of {source} holds {kind}, expected {expected}: "
                f"choose with --text-column and --label-column (columns: {', '.join(columns)})"
            )
    if text_column is None or label_column is None:
        notes.append(f"text column {text!r}, label column {label!r} (guessed; --text-column, --label-column)")
    return text, label


def _check_columns(columns: Sequence[str], source: str, text_column: str | None, label_column: str | None) -> None:
    """Refuse columns that the source has not, and one column for both."""
    for option, column in (("--text-column", text_column), ("--label-column", label_column)):
        if column is not None and column not in columns:
            raise UsageError(
                f"{option} {column!r} is not in {source}{did_you_mean(column, columns)} (columns: {', '.join(columns)})"
            )
    if text_column is not None and text_column == label_column:
        raise UsageError(f"--text-column and --label-column are both {text_column!r}: text and label need their own")


def _guess_text(table: Dataset, exclude: str | None) -> str:
    """A column with a usual name, or else the one with the longest entries."""
    columns = [column for column in table.column_names if column != exclude]
    by_name = {column.lower().strip(): column for column in columns}
    for name in TEXT_COLUMNS:
        if name in by_name:
            return by_name[name]
    head = table[:200]
    return max(columns, key=lambda column: sum(len(str(value)) for value in head[column]))


def _guess_label(table: Dataset, exclude: str) -> str:
    """A column with a usual name, or else the one with the fewest different entries, but more than one."""
    columns = [column for column in table.column_names if column != exclude]
    by_name = {column.lower().strip(): column for column in columns}
    for name in LABEL_COLUMNS:
        if name in by_name:
            return by_name[name]
    head = table[:1000]
    distinct = {column: len({str(value) for value in head[column]}) for column in columns}
    return min(columns, key=lambda column: (distinct[column] < 2, distinct[column]))


def _to_reviews(table: Dataset, prefix: str, text: str, label: str, names: dict[str, str | None]) -> list[Review]:
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
