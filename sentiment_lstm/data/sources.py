"""A name or a path to reviews.

``imdb``              the hub's stanfordnlp/imdb, through `datasets`
``sample``            the built-in corpus
a folder of files     ``train*.parquet``, ``test*.parquet`` … (also .csv, .tsv, .jsonl): the hub's layout
a folder of folders   ``train/pos/0_9.txt`` …: the layout of aclImdb
a file                one CSV, TSV, JSONL or parquet file
"""

from __future__ import annotations

import os
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sentiment_lstm.config import NAMED_SOURCES
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sample import build_sample
from sentiment_lstm.data.tables import (
    BUILDERS,
    LABEL_ALIASES,
    check_columns,
    choose_columns,
    parse_files,
    read_utf8,
    to_reviews,
)
from sentiment_lstm.errors import DataError, UsageError, did_you_mean

SPLITS = ("train", "validation", "test")
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
        check_columns(["text", "label"], source, text_column, label_column)
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
    return Source({name: to_reviews(found[name], name, "text", "label", {}) for name in splits if name in found})


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
    """Read ``<split>/<pos|neg>/<id>_<rating>.txt``, one review a file; ``train/unsup`` is the unsupervised split."""
    found: dict[str, list[Review]] = {}
    for split in splits:
        for name, label in LABEL_ALIASES.items():
            for path in sorted((folder / split / name).glob("*.txt")):
                review = Review(read_utf8(path), label, f"{split}/{name}/{path.stem}")
                found.setdefault(split, []).append(review)
    if "unsupervised" in splits and (unsupervised := sorted((folder / "train" / "unsup").glob("*.txt"))):
        found["unsupervised"] = [Review(read_utf8(path), None, f"train/unsup/{path.stem}") for path in unsupervised]
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
    tables = {split: parse_files(paths) for split, paths in files.items()}
    first = next(iter(tables.values()))
    notes: list[str] = []
    text, label = choose_columns(first, source, text_column, label_column, notes)
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
        split: to_reviews(table, prefix.get(split, split), text, label, names) for split, table in tables.items()
    }
    return Source(reviews, notes)
