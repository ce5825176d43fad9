"""Files of reviews that stand for far more than they are: refused in one line, in little memory, without a trace."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import resource
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment_lstm.data import cache, guards
from sentiment_lstm.data.sources import load_source
from sentiment_lstm.errors import DataError, SentimentLSTMError, UsageError

TABLE = b"text,label\ngood,pos\nbad,neg\n"


def refused(path: Path, kind: type[SentimentLSTMError] = DataError, megabytes: int = 400) -> str:
    """Load a file that must be refused soon, in so much more memory at most, and without a trace."""
    kept = set((cache.folder() / "datasets").glob("*"))
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    with pytest.raises(kind) as caught:
        load_source(str(path))
    assert time.perf_counter() - started < 10
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < megabytes
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    assert len(message) < 1_000
    assert set((cache.folder() / "datasets").glob("*")) <= kept
    return message


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../a.csv", content)
    return file.getvalue()


def tarred(content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("../a.csv")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize(
    ("kind", "pack"),
    [
        ("gzip", gzip.compress),
        ("bzip2", bz2.compress),
        ("xz", lzma.compress),
        ("zip", zipped),
        ("zip", lambda content: content + zipped(content)),
        ("tar", tarred),
        ("tar", lambda content: bytes(10_240)),
        ("lz4", lambda content: b"\x04\x22\x4d\x18" + content),
        ("zstd", lambda content: b"\x28\xb5\x2f\xfd" + content),
        ("7z", lambda content: b"7z\xbc\xaf\x27\x1c" + content),
        ("rar", lambda content: b"Rar!" + content),
    ],
)
def test_what_is_packed_is_not_unpacked_whatever_its_name(
    name: str, kind: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(pack(TABLE))
    assert f"is packed ({kind}): unpack it first" in refused(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_a_terabyte_of_nothing_is_not_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"PAR1")
    os.truncate(tmp_path / name, 2**40)
    assert "not all of which were ever written" in refused(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_pipe_is_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    assert "no plain file" in refused(tmp_path / name, UsageError)


def test_a_pipe_among_the_reviews_of_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "train" / "pos").mkdir(parents=True)
    os.mkfifo(tmp_path / "train" / "pos" / "0_9.txt")
    with pytest.raises(UsageError, match="no plain file"):
        load_source(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", ",".join(f"c{n}" for n in range(200_000)) + "\n", "more than 1,000 columns"),
        ("a.csv", "text,label" + ",c" * 900 + "\n" + "a\n" * 1_000_000, "out of proportion"),
        ("a.jsonl", "".join(f'{{"text": "a", "k{n}": 1}}\n' for n in range(5_000)), "more than 1,000 columns"),
        ("a.jsonl", "".join(f'{{"text": {{"k{n}": 1}}}}\n' for n in range(5_000)), "more than 1,000 columns"),
        ("a.jsonl", json.dumps({f"k{n}": 1 for n in range(900)}) + "\n" + "{}\n" * 500_000, "out of proportion"),
        ("a.jsonl", '{"text":' * 100_000, "line 1: maximum recursion depth"),
        ("a.jsonl", '{"text": "a", "label": ' + "9" * 5_000 + "}", "line 1"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_table_out_of_proportion_to_its_file_is_refused(name: str, content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    assert words in refused(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_line_and_a_quoted_field_have_a_longest_length(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "LONGEST_LINE", 2**20)
    monkeypatch.setattr(guards.iter_lines, "__defaults__", (2**20,))
    (tmp_path / name).write_bytes(b"x" * (2**20 + 1))
    assert "line 1 is longer than 1 MiB" in refused(tmp_path / name)
    if name == "a.csv":
        (tmp_path / name).write_bytes(b'text,label\n"never closed,\n' + b"some words\n" * 200_000)
        assert "is a quote not closed?" in refused(tmp_path / name)


def runs_of_one_value(path: Path) -> None:
    zeros = np.zeros(30_000_000, np.int32)
    text = pa.DictionaryArray.from_arrays(pa.array(zeros), pa.array(["x" * 100]))
    pq.write_table(pa.table({"text": text, "label": zeros}), path)


def one_long_text(path: Path) -> None:
    zeros = np.zeros(5_000, np.int32)
    text = pa.DictionaryArray.from_arrays(pa.array(zeros), pa.array(["x" * 1_000_000]))
    pq.write_table(pa.table({"text": text, "label": zeros}), path)


def no_values_at_all(path: Path) -> None:
    group = pa.table({"text": pa.nulls(10_000_000, pa.string()), "label": pa.nulls(10_000_000, pa.int64())})
    with pq.ParquetWriter(path, group.schema) as writer:
        for _ in range(500):
            writer.write_table(group)


def differences(path: Path) -> None:
    texts = ["x" * 1_000_000 + str(number) for number in range(1_200)]
    options = {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}, "compression": "zstd"}
    pq.write_table(pa.table({"text": texts, "label": [0] * len(texts)}), path, **options)


@pytest.mark.parametrize("write", [runs_of_one_value, one_long_text])
def test_a_parquet_bomb_is_refused(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 1_000_000
    assert "out of proportion" in refused(tmp_path / "a.parquet")


@pytest.mark.slow
@pytest.mark.parametrize("write", [no_values_at_all, differences])
def test_a_large_parquet_bomb_is_refused(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "a.parquet")
    assert "out of proportion" in refused(tmp_path / "a.parquet", megabytes=2_000)


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", None])
def test_every_encoding_of_parquet_is_read(compression: str, encoding: str | None, tmp_path: Path) -> None:
    texts = [f"a film of the year {number}" for number in range(1_000)]
    options = {"use_dictionary": False, "column_encoding": {"text": encoding}} if encoding else {}
    table = pa.table({"text": texts, "label": ["a", "b"] * 500, "tags": [["x", "y"]] * 1_000})
    pq.write_table(table, tmp_path / "a.parquet", compression=compression, row_group_size=300, **options)
    assert [review.text for review in load_source(str(tmp_path / "a.parquet")).splits["all"]] == texts


def test_texts_of_parquet_that_are_no_utf_8_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["good film"], "label": ["pos"]}), tmp_path / "a.parquet", compression="none")
    content = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(content.replace(b"good film", b"good \xff\xfe\xffm"))
    assert "Invalid UTF8" in refused(tmp_path / "a.parquet")


@pytest.mark.parametrize("kind", ["Image", "Audio", "Video", "Pdf", "Nonsense"])
@pytest.mark.parametrize("column", ["text", "picture"])
def test_a_column_that_calls_itself_a_picture_opens_no_file(kind: str, column: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "trap")  # whoever opened it would wait for ever
    described = {"info": {"features": {column: {"_type": kind}}}}
    rows = {"text": [str(tmp_path / "trap")] * 3, "picture": [str(tmp_path / "trap")] * 3, "label": ["a", "b", "a"]}
    table = pa.table(rows).replace_schema_metadata({"huggingface": json.dumps(described)})
    pq.write_table(table, tmp_path / "a.parquet")
    assert [review.text for review in load_source(str(tmp_path / "a.parquet")).splits["all"]] == rows["text"]
    pq.write_table(table.rename_columns(["x", "picture", "y"]), tmp_path / "b.parquet")  # looked at to guess columns
    load_source(str(tmp_path / "b.parquet"))


def test_the_names_of_labels_that_a_parquet_file_brings_are_kept(tmp_path: Path) -> None:
    described = {"info": {"features": {"label": {"_type": "ClassLabel", "names": ["neg", "pos"]}}}}
    table = pa.table({"text": ["a", "b"], "label": [0, 1]})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(described)}), tmp_path / "a.parquet")
    labels = [review.label for review in load_source(str(tmp_path / "a.parquet")).splits["all"]]
    assert labels == ["negative", "positive"]


def test_a_folder_with_a_loading_script_runs_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "reviews"
    folder.mkdir()
    script = f"import os\nos.mkdir({str(tmp_path / 'canary')!r})\n"
    for name in ("reviews.py", "train.py", "__init__.py"):
        (folder / name).write_text(script)
    (folder / "README.md").write_text("---\nconfigs:\n- config_name: default\n  data_files: ../../*.csv\n---\n")
    (folder / "dataset_infos.json").write_text("{")
    (folder / "train.csv").write_bytes(TABLE)
    assert len(load_source(str(folder)).splits["train"]) == 2
    assert not (tmp_path / "canary").exists()


def test_long_names_and_many_columns_make_no_long_message(tmp_path: Path) -> None:
    for header in ("x" * 100_000, ",".join(f"column{n}" for n in range(900))):
        (tmp_path / "a.csv").write_text(f"{header}\n" + ",".join("a" for _ in header.split(",")) + "\n")
        with pytest.raises(SentimentLSTMError) as caught:
            load_source(str(tmp_path / "a.csv"), text_column="gone")
        assert len(str(caught.value)) < 600
