"""From a configuration to encoded splits, and the cache under it: it may be missing or damaged, never stale."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from sentiment_lstm.config import DataConfig, TokenizerConfig
from sentiment_lstm.data import cache, prepare
from sentiment_lstm.data.prepare import encode_split, fingerprint, load_evaluation_split, load_splits, tokenizer_for
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.errors import DataError, UsageError

SETTINGS = TokenizerConfig(min_frequency=1)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("SENTIMENT_LSTM_CACHE", str(folder))
    return folder


def write(path: Path, labels: list[str], word: str = "film") -> str:
    lines = [f"{word} number {number},{label}" for number, label in enumerate(labels)]
    path.write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    return str(path)


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def some_reviews(*texts: str) -> list[Review]:
    return [Review(text, "a" if place % 2 else "b", str(place)) for place, text in enumerate(texts)]


def test_a_single_file_becomes_three_stratified_parts_that_share_nothing(tmp_path: Path) -> None:
    splits = load_splits(DataConfig(source=write(tmp_path / "a.csv", ["x", "y"] * 100)))
    ids = [review.id for own in splits.values() for review in own]
    assert len(ids) == len(set(ids)) == 200
    assert {name: len(own) for name, own in splits.items()} == {"train": 162, "validation": 18, "test": 20}
    for own in splits.values():
        assert sum(review.label == "x" for review in own) * 2 == len(own)


def test_the_split_follows_from_its_seed_alone(tmp_path: Path) -> None:
    source = write(tmp_path / "a.csv", ["x", "y"] * 50)
    assert load_splits(DataConfig(source=source)) == load_splits(DataConfig(source=source))
    other = load_splits(DataConfig(source=source, split_seed=1))
    assert other["validation"] != load_splits(DataConfig(source=source))["validation"]


def test_given_test_and_validation_files_are_used_whole_and_nothing_is_carved_out(tmp_path: Path) -> None:
    config = DataConfig(
        source=write(tmp_path / "a.csv", ["x", "y"] * 10),
        test_data=write(tmp_path / "t.csv", ["x", "y"] * 3, "test"),
        validation_data=write(tmp_path / "v.csv", ["y", "x"] * 2, "validation"),
    )
    splits = load_splits(config)
    assert {name: len(own) for name, own in splits.items()} == {"train": 20, "test": 6, "validation": 4}
    assert all(review.text.startswith("test") for review in splits["test"])
    assert all(review.text.startswith("validation") for review in splits["validation"])


def test_the_test_split_of_a_folder_is_never_trained_on(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", ["x", "y"] * 20, "train")
    write(tmp_path / "test.csv", ["x", "y"] * 5, "test")
    splits = load_splits(DataConfig(source=str(tmp_path)))
    assert {review.text.split()[0] for review in splits["train"] + splits["validation"]} == {"train"}
    assert len(splits["test"]) == 10


def test_a_limit_is_a_stratified_sample_of_each_split_never_its_beginning(tmp_path: Path) -> None:
    source = write(tmp_path / "a.csv", ["x"] * 100 + ["y"] * 100)
    splits = load_splits(DataConfig(source=source, limit=40))
    kept = [review for own in splits.values() for review in own]
    assert len(kept) == 40
    assert sum(review.label == "x" for review in kept) == 20
    numbers = sorted(int(review.text.split()[-1]) for review in kept if review.label == "x")
    assert numbers != list(range(20))


def test_reviews_without_a_label_or_a_text_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "good,x\nbad,y\n" * 10 + "lost,\n  ,x\n \0 ,y\n", encoding="utf-8")
    splits = load_splits(DataConfig(source=str(path)))
    texts = [review.text for own in splits.values() for review in own]
    assert len(texts) == 21
    assert "1 review without a label left out" in caplog.text
    assert "1 review without a text left out, the first is a-21" in caplog.text


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["x", "y"], "no label has a review to spare for a .* split"),
        (["x"], "no label has a review to spare"),
        (["", ""], "holds no labelled review"),
    ],
)
def test_too_few_reviews_are_refused(labels: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        load_splits(DataConfig(source=write(tmp_path / "a.csv", labels)))


@pytest.mark.parametrize("option", ["test_data", "validation_data"])
def test_a_label_that_training_lacks_is_refused_before_training(option: str, tmp_path: Path) -> None:
    source = write(tmp_path / "a.csv", ["x", "y"] * 10)
    with pytest.raises(DataError, match="has the label 'foreign', which no training review has"):
        load_splits(DataConfig(source=source, **{option: write(tmp_path / "b.csv", ["x", "foreign"])}))


def test_a_label_met_once_stays_in_training(tmp_path: Path) -> None:
    splits = load_splits(DataConfig(source=write(tmp_path / "a.csv", ["x", "y"] * 10 + ["once"])))
    assert [review.label for review in splits["train"]].count("once") == 1


def test_an_evaluation_split_is_one_the_source_has_or_the_whole_of_a_file(tmp_path: Path) -> None:
    file = write(tmp_path / "train.csv", ["x", "y"] * 3)
    assert len(load_evaluation_split(DataConfig(source=file), "test")) == 6
    with pytest.raises(DataError, match=r"has no test split \(it has train\)"):
        load_evaluation_split(DataConfig(source=str(tmp_path)), "test")


def test_a_folder_without_training_reviews_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "test.csv", ["x", "y"] * 3)
    with pytest.raises(DataError, match="has no training reviews"):
        load_splits(DataConfig(source=str(tmp_path)))
    with pytest.raises(UsageError, match="no data at"):
        load_splits(DataConfig(source=str(tmp_path / "gone")))


def test_the_fingerprint_tells_any_change_of_what_was_trained_on() -> None:
    splits = {"train": some_reviews("a", "b"), "validation": some_reviews("c"), "test": some_reviews("d")}
    own = fingerprint(splits)
    assert fingerprint({**splits, "test": []}) == own
    for changed in (some_reviews("a", "B"), some_reviews("a"), some_reviews("ab", ""), some_reviews("b", "a")):
        assert fingerprint({**splits, "train": changed}) != own
    relabelled = [Review(review.text, "z", review.id) for review in splits["train"]]
    assert fingerprint({**splits, "train": relabelled}) != own


def test_a_second_run_takes_everything_from_the_cache_and_gets_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    reviews = some_reviews("a good film", "a bad film", "<pad> <unk>", "nothing known")
    tokenizer = tokenizer_for(reviews, SETTINGS)
    first = encode_split(reviews, tokenizer, ["a", "b"], SETTINGS)

    def fail(*arguments: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(prepare, "build_tokenizer", fail)
    again = tokenizer_for(reviews, SETTINGS)
    assert again.fingerprint == tokenizer.fingerprint
    monkeypatch.setattr(type(again), "encode_batch", fail)
    second = encode_split(reviews, again, ["a", "b"], SETTINGS)
    for left, right in zip(first.token_ids, second.token_ids, strict=True):
        np.testing.assert_array_equal(left, right)
        assert left.dtype == right.dtype


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "bpe", "max_size": 300},
        {"min_frequency": 2},
        {"max_size": 4},
    ],
)
def test_another_tokeniser_is_never_served_the_old_ones_entries(changed: dict) -> None:
    reviews = some_reviews("a good good film", "a bad film film")
    old, other = SETTINGS, SETTINGS.model_copy(update=changed)
    tokenizer = tokenizer_for(reviews, old)
    expected = [ids.tolist() for ids in encode_split(reviews, tokenizer, ["a", "b"], old).token_ids]
    own = tokenizer_for(reviews, other)
    assert own.fingerprint != tokenizer.fingerprint
    encoded = [ids.tolist() for ids in encode_split(reviews, own, ["a", "b"], other).token_ids]
    assert encoded == [ids.tolist() for ids in own.encode_batch([review.text for review in reviews])]
    assert encoded != expected


def test_changed_texts_are_encoded_anew_even_where_they_join_to_the_same_string() -> None:
    tokenizer = tokenizer_for(some_reviews("good film", "bad"), SETTINGS)
    for texts in (("good film", "bad"), ("good", "film bad"), ("good filmbad", "")):
        encoded = encode_split(some_reviews(*texts), tokenizer, ["a", "b"], SETTINGS).token_ids
        assert [ids.tolist() for ids in encoded] == [ids.tolist() for ids in tokenizer.encode_batch(list(texts))]


def test_a_changed_file_of_the_same_size_and_time_is_never_served_stale(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    config = DataConfig(source=write(path, ["x", "y"] * 20, "good"))
    first = load_splits(config)
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"good", b"evil"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = load_splits(config)
    assert fingerprint(first) != fingerprint(second)
    assert "evil" in tokenizer_for(second["train"], SETTINGS).tokens
    assert "good" not in tokenizer_for(second["train"], SETTINGS).tokens


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_entry_is_made_again(damage: str, own_cache: Path) -> None:
    reviews = some_reviews("a good film", "a bad film")
    tokenizer = tokenizer_for(reviews, SETTINGS)
    expected = encode_split(reviews, tokenizer, ["a", "b"], SETTINGS)
    assert len(entries(own_cache)) == 2
    for path in entries(own_cache):
        content = bytearray(path.read_bytes())
        content[-2] ^= 1
        path.write_bytes({"flip": bytes(content), "cut": bytes(content[:40]), "empty": b""}[damage])
    again = tokenizer_for(reviews, SETTINGS)
    assert again.fingerprint == tokenizer.fingerprint
    encoded = encode_split(reviews, again, ["a", "b"], SETTINGS)
    for left, right in zip(expected.token_ids, encoded.token_ids, strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_cache_that_cannot_be_written_costs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SENTIMENT_LSTM_CACHE", str(tmp_path / "file"))
    reviews = some_reviews("a good film", "a bad film")
    assert len(encode_split(reviews, tokenizer_for(reviews, SETTINGS), ["a", "b"], SETTINGS)) == 2


def test_a_full_disk_leaves_no_half_entry(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache.os, "replace", fail)
    cache.write("entry", b"content")
    assert list(own_cache.iterdir()) == []
    assert cache.read("entry") is None


def test_the_cache_forgets_its_oldest_entries(own_cache: Path) -> None:
    for number in range(cache.KEPT_FILES + 5):
        cache.write(f"{number}", b"x")
        os.utime(own_cache / f"{number}", (number, number))
    cache.write("last", b"y")
    assert len(entries(own_cache)) == cache.KEPT_FILES
    assert cache.read("0") is None
    assert cache.read("last") == b"y"


def test_where_one_part_of_a_key_ends_counts() -> None:
    assert cache.key(["ab", "c"]) != cache.key(["a", "bc"])
    assert cache.key(["a", ""]) != cache.key(["a"])
    assert cache.key(["\ud800"]) != cache.key(["?"])
    assert cache.key(["a", "b"]) == cache.key(iter(["a", "b"]))


def test_the_cache_of_tables_forgets_the_oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTIMENT_LSTM_CACHE", str(tmp_path))
    for number in range(cache.KEPT_TABLES + 3):
        table = tmp_path / "datasets" / f"table-{number:02}"
        table.mkdir(parents=True)
        os.utime(table, (number, number))
    assert cache.tables_folder("new") == tmp_path / "datasets" / "new"
    kept = sorted(path.name for path in (tmp_path / "datasets").iterdir())
    assert kept == [f"table-{number:02}" for number in range(3, cache.KEPT_TABLES + 3)]
