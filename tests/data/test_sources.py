"""A name or a path to reviews: every layout and format gives the same reviews, every fault a line that names it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment_lstm.data import sources
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sources import load_source
from sentiment_lstm.errors import DataError, UsageError

ROWS = [("good, really", "pos"), ('a "quoted"\nline', "neg"), ("naïve 映画", "pos"), ("NA", "neg"), ("a\0b", "pos")]


def write_table(path: Path, rows: list[tuple[object, object]], names: tuple[str, str] = ("text", "label")) -> Path:
    """Write rows in the format that the path's name says."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        pq.write_table(pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)}), path)
    elif suffix == ".jsonl":
        path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    else:
        separator = "\t" if suffix == ".tsv" else ","
        lines = [separator.join('"' + str(value).replace('"', '""') + '"' for value in row) for row in [names, *rows]]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def pairs(reviews: list[Review]) -> list[tuple[str, str | None]]:
    return [(review.text, review.label) for review in reviews]


def refused(content: str | bytes, path: Path, kind: type[Exception] = DataError, **columns: str) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(kind) as caught:
        load_source(str(path), **columns)
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet", "A.CSV"])
def test_every_format_gives_the_same_reviews(name: str, tmp_path: Path) -> None:
    source = load_source(str(write_table(tmp_path / name, ROWS)))
    assert list(source.splits) == ["all"]
    assert pairs(source.splits["all"]) == ROWS
    assert len({review.id for review in source.splits["all"]}) == len(ROWS)


@pytest.mark.parametrize("change", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n"), str.strip])
def test_a_byte_order_mark_and_windows_line_ends_change_nothing(change: Callable[[str], str], tmp_path: Path) -> None:
    for name, text in (("a.csv", "text,label\ngood,pos\nbad,neg\n"), ("a.jsonl", '{"text": "good", "label": "pos"}\n')):
        (tmp_path / name).write_bytes(change(text).encode())
        assert pairs(load_source(str(tmp_path / name)).splits["all"])[0] == ("good", "pos")


def test_a_folder_of_files_named_by_split_gives_its_splits_and_nothing_else(tmp_path: Path) -> None:
    write_table(tmp_path / "train-00000-of-00002.parquet", ROWS[:2])
    write_table(tmp_path / "train-00001-of-00002.parquet", ROWS[2:])
    write_table(tmp_path / "test-00000-of-00001.parquet", ROWS[:1])
    write_table(tmp_path / "unsupervised-00000-of-00001.parquet", ROWS[:3])
    (tmp_path / "train.txt").write_text("not data")
    splits = load_source(str(tmp_path)).splits
    assert {name: pairs(own) for name, own in splits.items()} == {"train": ROWS, "test": ROWS[:1]}


def test_the_hubs_numbers_for_imdb_have_its_names_and_minus_one_is_no_label(tmp_path: Path) -> None:
    write_table(tmp_path / "train.parquet", [("bad", 0), ("good", 1), ("unlabelled", -1)])
    source = load_source(str(tmp_path))
    assert pairs(source.splits["train"]) == [("bad", "negative"), ("good", "positive"), ("unlabelled", None)]
    assert any("0 and 1 are read as negative and positive" in note for note in source.notes)


def test_aclimdb_is_read_as_it_is_unpacked(tmp_path: Path) -> None:
    for place in (
        "train/pos/0_9.txt",
        "train/pos/1_7.txt",
        "train/neg/0_1.txt",
        "test/neg/3_2.txt",
        "train/unsup/0_0.txt",
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(place, encoding="utf-8")
    (tmp_path / "README").write_text("not a review")
    splits = load_source(str(tmp_path)).splits
    assert {(review.text, review.label) for review in splits["train"]} == {
        ("train/pos/0_9.txt", "positive"),
        ("train/pos/1_7.txt", "positive"),
        ("train/neg/0_1.txt", "negative"),
    }
    assert pairs(splits["test"]) == [("test/neg/3_2.txt", "negative")]
    asked_for = load_source(str(tmp_path), splits=("train", "unsupervised")).splits
    assert pairs(asked_for["unsupervised"]) == [("train/unsup/0_0.txt", None)]


def test_an_aclimdb_review_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "train" / "pos").mkdir(parents=True)
    (tmp_path / "train" / "pos" / "0_9.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"0_9\.txt: byte 4 \(0xe9\) is not UTF-8"):
        load_source(str(tmp_path))


@pytest.mark.parametrize("labels", [[0, 1, 2, 3, 4], ["a", "b", "c", "d", "e"], [10, -3, 5, 0, 7]])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_labels_are_any_number_of_strings_or_integers(name: str, labels: list[object], tmp_path: Path) -> None:
    path = write_table(tmp_path / name, [(f"text {n}", label) for n, label in enumerate(labels)])
    assert [review.label for review in load_source(str(path)).splits["all"]] == [str(label) for label in labels]


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_whole_numbers_stay_whole_where_some_are_missing(name: str, tmp_path: Path) -> None:
    path = write_table(tmp_path / name, [("a", 1.0), ("b", None), ("c", 0.0)])
    assert [review.label for review in load_source(str(path)).splits["all"]] == ["1", None, "0"]


def test_a_missing_label_is_none_in_every_spelling(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\ngood,pos\nno label,\nblank label,  \nshort row\n")
    labels = [review.label for review in load_source(str(tmp_path / "a.csv")).splits["all"]]
    assert labels == ["pos", None, None, None]
    path = tmp_path / "nan.parquet"
    pq.write_table(pa.table({"text": ["a", "b"], "label": pa.array([float("nan"), 1.0], from_pandas=False)}), path)
    assert [review.label for review in load_source(str(path)).splits["all"]] == [None, "1"]


@pytest.mark.parametrize(
    ("header", "text", "label"),
    [
        ("label,text", 1, 0),
        ("Sentiment,Review", 1, 0),
        ("id,stars,comment", 2, 1),
        ("x,y", 1, 0),
    ],
)
def test_columns_are_guessed_and_announced(header: str, text: int, label: int, tmp_path: Path) -> None:
    columns = header.split(",")
    rows = []
    for number in range(20):
        cells = [str(number)] * len(columns)
        cells[text], cells[label] = f"a long text about film {number}", f"kind{number % 2}"
        rows.append(",".join(cells))
    (tmp_path / "a.csv").write_text("\n".join([header, *rows]) + "\n")
    source = load_source(str(tmp_path / "a.csv"))
    assert pairs(source.splits["all"])[1] == ("a long text about film 1", "kind1")
    assert source.notes == [
        f"text column {columns[text]!r}, label column {columns[label]!r} (guessed; --text-column, --label-column)"
    ]


def test_columns_that_are_named_are_not_announced(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label,mine,kind\nno,no,yes,1\n")
    source = load_source(str(tmp_path / "a.csv"), text_column="mine", label_column="kind")
    assert pairs(source.splits["all"]) == [("yes", "1")]
    assert source.notes == []


def test_the_first_of_two_columns_of_one_name_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,text,label\nfirst,second,x\n")
    assert pairs(load_source(str(tmp_path / "a.csv")).splits["all"]) == [("first", "x")]


@pytest.mark.parametrize("option", ["text_column", "label_column"])
@pytest.mark.parametrize("source", ["sample", "a.csv"])
def test_a_wrong_column_is_answered_with_those_there_are_and_the_nearest(
    source: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("text,label\na,b\n")
    wrong = {"text_column": "txet", "label_column": "lable"}[option]
    with pytest.raises(UsageError) as caught:
        load_source(source, **{option: wrong})
    right = option.removesuffix("_column")
    assert f"--{right}-column '{wrong}' is not in {source}; did you mean '{right}'?" in str(caught.value)
    assert "(columns: text, label)" in str(caught.value)


def test_one_column_cannot_be_both(tmp_path: Path) -> None:
    message = refused("text,label\na,b\n", tmp_path / "text.csv", UsageError, text_column="x", label_column="x")
    assert "'x' is not in" in message
    with pytest.raises(UsageError, match="are both 'text'"):
        load_source(str(tmp_path / "text.csv"), text_column="text", label_column="text")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_an_empty_file_is_said_to_be_empty(name: str, tmp_path: Path) -> None:
    assert "is empty" in refused("", tmp_path / name)


@pytest.mark.parametrize("content", ["text,label\n", "text,label", "\n\n"])
def test_a_table_without_rows_is_said_to_be_empty(content: str, tmp_path: Path) -> None:
    assert "is empty" in refused(content, tmp_path / "a.csv")


def test_a_parquet_file_without_rows_is_said_to_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array([], pa.string()), "label": pa.array([], pa.int64())}), path)
    assert "is empty" in refused(path.read_bytes(), path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,label\na,b\nc,d,e\n", "line 3"),
        ("text,label\ngood, but long,pos\nbad, and short,neg\n", "line 2 has more than the 2 fields"),
        ("text,label\n1,a,b\n", "line 2 has more than the 2 fields"),
        ('text,label\na,b\n"never closed,x\ny,z\n', "cannot be read as CSV"),
        ("text\na\n", "has one column (text)"),
        (b"text,label\na,b\ncaf\xe9,b\n", "line 3: byte 4 (0xe9) is not UTF-8"),
        ("text,label\na,b\n".encode("utf-16"), "line 1: byte 1 (0xff) is not UTF-8"),
    ],
)
def test_a_broken_csv_is_refused_with_its_line(content: str | bytes, words: str, tmp_path: Path) -> None:
    assert words in refused(content, tmp_path / "a.csv")


GOOD_LINE = '{"text": "a", "label": "b"}\n'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GOOD_LINE * 20 + '{"text": "x", "lab\n' + GOOD_LINE, "line 21"),
        ("[1, 2]\n[3, 4]\n", "line 1 is not an object"),
        ("1\n2\n", "line 1 is not an object"),
        ("text,label\na,b\n", "line 1"),
        ('{"text": {"a": "b"}, "label": "x"}\n', "column 'text' of"),
        ('{"text": "a", "label": ["x"]}\n', "column 'label' of"),
        ('{"text": 1, "label": "x"}\n', "holds int64, expected texts"),
        ('{"text": "a", "label": "x"}\n{"text": 5, "label": "x"}\n', "holds nested or mixed values"),
    ],
)
def test_a_broken_jsonl_is_refused_with_its_line_or_column(content: str, words: str, tmp_path: Path) -> None:
    assert words in refused(content, tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"text": [{"a": "b"}], "label": [1]}, "column 'text' of"),
        ({"text": [["a"]], "label": [1]}, "column 'text' of"),
        ({"text": ["a"], "label": [{"x": 1}]}, "column 'label' of"),
        ({"text": [b"a\xff"], "label": [1]}, "holds binary, expected texts"),
        ({"text": [1.5], "label": [1]}, "holds float64, expected texts"),
    ],
)
def test_parquet_columns_that_are_no_text_or_label_are_refused(columns: dict, words: str, tmp_path: Path) -> None:
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert words in refused((tmp_path / "a.parquet").read_bytes(), tmp_path / "a.parquet")


def test_a_truncated_parquet_file_is_the_one_named_among_many(tmp_path: Path) -> None:
    write_table(tmp_path / "train-0.parquet", ROWS)
    whole = write_table(tmp_path / "train-1.parquet", ROWS).read_bytes()
    (tmp_path / "train-1.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"train-1\.parquet cannot be read as PARQUET"):
        load_source(str(tmp_path))


def test_a_split_in_two_formats_is_refused(tmp_path: Path) -> None:
    write_table(tmp_path / "train-0.csv", ROWS)
    write_table(tmp_path / "train-1.jsonl", ROWS)
    with pytest.raises(UsageError, match=r"one format.*\.csv.*\.jsonl"):
        load_source(str(tmp_path))


def test_a_split_without_the_columns_of_the_first_is_named(tmp_path: Path) -> None:
    write_table(tmp_path / "train.csv", ROWS)
    write_table(tmp_path / "test.csv", ROWS, ("review", "kind"))
    with pytest.raises(DataError, match=r"test\.csv has no column 'text'"):
        load_source(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone.csv", "no data at"),
        ("sampel", "did you mean 'sample'"),
        ("folder/imbd", "did you mean 'imdb'"),
        ("a.txt", "cannot tell the format"),
        ("a", "cannot tell the format"),
        (".", "train*.parquet"),
        ("folder.csv", "train*.parquet"),
    ],
)
def test_a_path_that_leads_nowhere_is_answered_with_what_would_do(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "a").write_text("x")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError) as caught:
        load_source(name)
    assert words in str(caught.value)


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_table(tmp_path / "a.csv", ROWS)

    def deny(self: Path, *arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", deny)  # chmod stops no root
    with pytest.raises(UsageError, match=r"cannot read .*a\.csv: Permission denied"):
        load_source(str(path))


def test_a_text_of_ten_megabytes_is_read_whole(tmp_path: Path) -> None:
    text = "long word " * 1_000_000
    for name in ("a.csv", "a.jsonl"):
        reviews = load_source(str(write_table(tmp_path / name, [(text, "x"), ("short", "y")]))).splits["all"]
        assert reviews[0].text == text


def test_a_changed_file_of_the_same_size_and_time_is_read_anew(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", [("good", "pos"), ("fine", "pos")])
    assert load_source(str(path)).splits["all"][0].text == "good"
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"good", b"evil"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert load_source(str(path)).splits["all"][0].text == "evil"


def test_reading_a_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", ROWS)
    load_source(str(path))
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_cannot_be_resolved_is_known_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("name or service not known")

    monkeypatch.setattr(sources, "HUB_TIMEOUT_SECONDS", 60.0)
    monkeypatch.setattr(sources.urllib.request, "urlopen", refuse)
    assert not sources._hub_answers()


def test_a_hub_that_never_answers_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(*arguments: object, **options: object) -> None:
        release.wait(10)
        raise OSError("too late")

    monkeypatch.setattr(sources, "HUB_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(sources.urllib.request, "urlopen", hang)
    assert not sources._hub_answers()
    release.set()
