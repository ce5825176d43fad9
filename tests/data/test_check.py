"""Every fault of a data set is found where there is one, counted exactly, and not found where there is none."""

from __future__ import annotations

import json
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import review_rows, write_csv
from hypothesis import given
from hypothesis import strategies as st

from sentiment_lstm.config import DataConfig
from sentiment_lstm.data import check, duplicates
from sentiment_lstm.data.check import cheap_findings, check_source, check_splits
from sentiment_lstm.data.duplicates import (
    find_near_copies,
    group_texts,
    jaccard,
    minhash_signatures,
    normalise,
    word_triples,
)
from sentiment_lstm.data.encoding import scan_files, scan_reviews
from sentiment_lstm.data.findings import KINDS, SEVERITIES, Finding, Report
from sentiment_lstm.data.prepare import load_splits
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sample import build_sample
from sentiment_lstm.errors import DataError, UsageError

IMDB = Path(__file__).resolve().parents[3] / "shared" / "data" / "imdb"
needs_imdb = pytest.mark.skipif(not IMDB.is_dir(), reason=f"needs IMDB's parquet files in {IMDB}")


def reviews(split: str, *rows: tuple[str, str | None]) -> list[Review]:
    return [Review(text, label, f"{split}-{number}") for number, (text, label) in enumerate(rows)]


def clean(split: str, number: int = 10) -> list[Review]:
    """Reviews of which nothing is to be said."""
    rows = [(f"{split} {n}a {n}b {n}c {n}d {n}e", "yes" if n % 2 else "no") for n in range(number)]
    return reviews(split, *rows)


def clean_splits() -> dict[str, list[Review]]:
    return {split: clean(split) for split in ("train", "validation", "test")}


def found(findings: Report | Sequence[Finding], kind: str, split: str | None = None) -> Finding | None:
    """The finding of a kind, of which there is one at most; looked at as what it prints."""
    findings = findings.findings if isinstance(findings, Report) else findings
    own = [finding for finding in findings if finding.kind == kind and (split is None or finding.split == split)]
    assert len(own) <= 1
    for finding in own:
        assert "\n" not in finding.line
        assert finding.line.endswith(KINDS[kind][1])
    return own[0] if own else None


def count(findings: Report | Sequence[Finding], kind: str, split: str | None = None) -> int:
    finding = found(findings, kind, split)
    return finding.count if finding else 0


def test_of_a_clean_data_set_nothing_is_found() -> None:
    report = check_splits(clean_splits(), 400)
    assert report.findings == []
    assert cheap_findings(clean_splits()) == []


def test_every_kind_has_a_severity_and_something_to_do() -> None:
    assert all(severity in SEVERITIES and advice for severity, advice in KINDS.values())


# ------------------------------------------------------------------------------------------------- numbers


def test_a_summary_counts_rows_labels_and_lengths_exactly() -> None:
    rows = [(" ".join(["word"] * length), "a" if length <= 75 else "b") for length in range(1, 101)]
    splits = {"train": reviews("train", *rows, ("", "a"), ("a text", None))}
    summary = check_splits(splits, 90).splits["train"]
    assert (summary.reviews, summary.without_label, summary.without_text) == (102, 1, 1)
    assert summary.labels == {"a": 75, "b": 25}
    assert summary.largest_share == 0.75
    assert summary.lengths == {"5%": 5, "25%": 25, "50%": 50, "75%": 75, "95%": 95, "99%": 99, "max": 100}
    assert summary.truncated_share == 10 / 101
    assert count(check_splits(splits, 90), "truncated") == 10
    assert count(check_splits(splits, 100), "truncated") == 0


def test_rows_without_a_label_a_text_or_a_word_are_told_apart() -> None:
    splits = clean_splits()
    splits["train"] += reviews("odd", ("fine words", None), (" \t", "yes"), ('";', "no"), ("<br />", "no"))
    report = check_splits(splits, 400)
    for kind, number, examples in (
        ("without_label", 1, ("odd-0",)),
        ("without_text", 1, ("odd-1",)),
        ("without_words", 2, ("odd-2", "odd-3")),
    ):
        finding = found(report, kind, "train")
        assert finding
        assert (finding.count, finding.examples, finding.severity) == (number, examples, "warning")


# ------------------------------------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([("good", "a"), ("bad", "a"), ("fine", "a")], "one_label"),
        ([("good", None), ("bad", None)], "no_labelled_review"),
        ([("", "a"), ("  ", "b")], "no_labelled_review"),
        ([(f"film {n}", str(n)) for n in range(9)], "too_few"),
        ([(f"film {n}", str(n // 2)) for n in range(18)], "too_few"),
    ],
)
def test_what_train_refuses_is_an_error(rows: list[tuple[str, str | None]], kind: str, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [f"{text},{label or ''}" for text, label in rows])
    config = DataConfig(source=str(path))
    finding = found(check_source(config, 400), kind)
    assert finding
    assert finding.severity == "error"
    if kind != "one_label":  # which the label names refuse, one step later
        with pytest.raises(DataError):
            load_splits(config)


def test_three_reviews_of_a_label_are_enough_for_all_splits(tmp_path: Path) -> None:
    config = DataConfig(source=str(write_csv(tmp_path / "a.csv", [f"film {n},{n // 3}" for n in range(9)])))
    assert count(check_source(config, 400), "too_few") == 0
    load_splits(config)


def test_a_data_set_without_training_reviews_is_an_error() -> None:
    assert found(check_splits({"test": clean("test")}, 400), "no_training_reviews")


def test_a_label_that_training_lacks_is_an_error() -> None:
    splits = clean_splits()
    splits["test"] += reviews("odd", ("new one", "maybe"))
    finding = found(check_splits(splits, 400), "unknown_label", "test")
    assert finding
    assert (finding.count, finding.severity, finding.examples) == (1, "error", ("odd-0 'maybe'",))


def test_a_label_with_a_single_review_is_a_warning() -> None:
    splits = clean_splits()
    splits["train"] += reviews("odd", ("new one", "maybe"))
    assert count(check_splits(splits, 400), "single_review", "train") == 1


@pytest.mark.parametrize(("rare", "number"), [(4, 1), (5, 0), (50, 0)])
def test_a_label_with_less_than_a_tenth_of_an_even_share_is_rare(rare: int, number: int) -> None:
    rows = [(f"film {n}", "b" if n < rare else "a") for n in range(100)]
    splits = {"train": reviews("train", *rows)}
    assert count(check_splits(splits, 400), "imbalance") == count(cheap_findings(splits), "imbalance") == number


# ------------------------------------------------------------------------------------------------- copies


@pytest.mark.parametrize(
    "copy", ["A good  film", "a\tgood\nfilm ", "a<br />good<br/>film", "ａ good ﬁlm", "a\u00a0good film"]
)
def test_white_space_capitals_line_breaks_and_forms_of_a_letter_make_no_other_text(copy: str) -> None:
    assert normalise(copy) == normalise("a good film")
    assert len(group_texts({"train": reviews("train", ("a good film", "a"), (copy, "a"))})) == 1


PIECES = ["a", "A", "ab", "b", " ", "\t", "\u00a0", "<br />", "<", "br", "/>", "ﬁ", "fi", "ß", "SS", "İ", "é", "\x1c"]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=5).map("".join), max_size=12))
def test_texts_share_a_group_exactly_where_their_normal_forms_are_equal(texts: list[str]) -> None:
    expected: dict[str, list[str]] = defaultdict(list)
    rows = reviews("train", *[(text, "a") for text in texts])
    for review in rows:
        if normalise(review.text):
            expected[normalise(review.text)].append(review.id)
    groups = [[review.id for _, review in members] for members in group_texts({"train": rows})]
    assert sorted(groups) == sorted(expected.values())


def test_texts_that_differ_in_a_blank_alone_are_two() -> None:
    rows = reviews("train", ("not able", "a"), ("notable", "b"))
    assert len(group_texts({"train": rows})) == 2
    assert check_splits({"train": rows}, 400).count("warning") == 1  # single reviews of their labels; no conflict


@pytest.mark.parametrize("look", [cheap_findings, lambda splits: check_splits(splits, 400).findings])
def test_copies_are_counted_within_train_and_where_they_leak(look: Callable[..., list[Finding]]) -> None:
    splits = clean_splits()
    text, label = splits["train"][3].text, splits["train"][3].label
    splits["train"] += reviews("again", (text.upper(), label), (text, label))
    splits["test"] += reviews("leak", (f" {text}", label))
    splits["validation"] += reviews("hint", (text, label), (text, label))
    findings = look(splits)
    copies = found(findings, "copies", "train")
    assert copies
    assert (copies.count, copies.examples) == (2, ("train-3 = again-0", "train-3 = again-1"))
    leak = found(findings, "overlap", "test")
    assert leak
    assert (leak.count, leak.examples) == (1, ("train-3 = leak-0",))
    assert count(findings, "overlap", "validation") == 2
    assert not found(findings, "conflict")


@pytest.mark.parametrize("look", [cheap_findings, lambda splits: check_splits(splits, 400).findings])
@pytest.mark.parametrize("split", ["train", "test"])
def test_the_same_text_with_two_labels_is_found_within_and_across_splits(
    look: Callable[..., list[Finding]], split: str
) -> None:
    splits = clean_splits()
    splits[split] += reviews("other", (splits["train"][0].text.title(), "yes"), (splits["train"][2].text, None))
    finding = found(look(splits), "conflict")
    assert finding
    assert (finding.count, finding.examples) == (1, ("train-0 'no' / other-0 'yes'",))


def test_copies_in_a_file_without_splits_are_found() -> None:
    rows = reviews("all", ("a film", "a"), ("A film", "b"))
    findings = cheap_findings({"all": rows})
    assert (count(findings, "copies", "all"), count(findings, "conflict")) == (1, 1)


# ------------------------------------------------------------------------------------------------- near copies


def variations(seed: int, bases: int, copies: int, length: int = 40) -> list[str]:
    """Texts and copies of them in which up to eight words are others: Jaccard indices from 0.2 to 1."""
    generator = random.Random(seed)
    words = [f"w{number}" for number in range(500)]
    texts = []
    for _ in range(bases):
        base = generator.choices(words, k=length)
        for number in range(copies + 1):
            own = list(base)
            for place in generator.sample(range(length), k=min(number, 8)):
                own[place] = generator.choice(words)
            texts.append(" ".join(own))
    return list(dict.fromkeys(texts))


def test_near_copies_are_those_that_a_comparison_of_all_pairs_finds() -> None:
    texts = variations(0, bases=80, copies=5)
    members = np.random.default_rng(0).integers(1, 4, size=len(texts))
    triples = [word_triples(text) for text in texts]
    expected = np.zeros_like(members)
    for one, other in combinations(range(len(texts)), 2):
        if jaccard(triples[one], triples[other]) >= duplicates.THRESHOLD:
            expected[one] |= members[other]
            expected[other] |= members[one]
    near = find_near_copies(texts, members)
    assert (near.partners & ~expected == 0).all(), "found what is none"
    bits = [int(((own & 1) + (own >> 1 & 1)).sum()) for own in (near.partners, expected)]
    assert bits[1] > 100
    assert bits[0] >= 0.99 * bits[1]
    assert all(jaccard(triples[one], triples[other]) >= duplicates.THRESHOLD for one, other in near.pairs)


def test_signatures_agree_in_the_share_of_places_that_is_the_jaccard_index() -> None:
    texts = variations(1, bases=30, copies=5)
    signatures = minhash_signatures(texts)
    errors = [
        (signatures[one] == signatures[one + 1]).mean()
        - jaccard(word_triples(texts[one]), word_triples(texts[one + 1]))
        for one in range(len(texts) - 1)
    ]
    assert abs(float(np.mean(errors))) < 0.01
    assert float(np.std(errors)) < 0.06


def test_signatures_do_not_depend_on_how_texts_are_cut_into_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["one", "", "two words", *variations(2, bases=5, copies=2)]
    whole = minhash_signatures(texts)
    monkeypatch.setattr(duplicates, "CHUNK_WORDS", 7)
    assert (minhash_signatures(texts) == whole).all()


def test_every_text_of_a_large_family_is_found_to_have_a_near_copy() -> None:
    base = "this is a long text about one film that has been printed again and again with another number at its end"
    texts = [f"{base} {number}" for number in range(500)]
    assert (find_near_copies(texts, np.ones(500, dtype=np.int64)).partners == 1).all()


def test_near_copies_are_reported_within_train_and_where_they_leak_but_copies_are_not() -> None:
    splits = clean_splits()
    long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    splits["train"] += reviews("long", (long, "yes"), (f"{long} sixteen", "yes"))
    splits["validation"] += reviews("same", (long, "yes"))
    splits["test"] += reviews("leak", (f"ZERO, {long}!", "yes"))
    report = check_splits(splits, 400)
    within, leak = found(report, "near_copies", "train"), found(report, "near_overlap", "test")
    assert within
    assert (within.count, within.examples) == (2, ("long-0 ~ long-1",))
    assert leak
    assert (leak.count, leak.severity) == (1, "warning")
    assert count(report, "near_overlap", "validation") == 0
    assert count(report, "overlap", "validation") == 1


def test_a_search_that_is_cut_short_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    splits = {"train": reviews("train", *[(text, "ab"[n % 2]) for n, text in enumerate(variations(3, 9, 3))])}
    assert not found(check_splits(splits, 400), "near_copies_unfinished")
    monkeypatch.setattr(duplicates, "MOST_COMPARED", 2)
    assert found(check_splits(splits, 400), "near_copies_unfinished")


# ------------------------------------------------------------------------------------------------- characters


def test_every_byte_that_is_not_utf_8_is_counted_and_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\nna\xefve \xc3\xa9\xe9,a\nfine,b\n\xff\xff\xff\xff,a\nfine too,b\nmore,a\n")
    (fault,) = scan_files([path])
    assert (fault.kind, fault.count) == ("invalid_utf_8", 6)
    assert fault.places == tuple(f"{path}:{place}" for place in ("2:3", "2:9", "4:1", "4:2", "4:3"))
    report = check_source(DataConfig(source=str(path)), 400)
    finding = found(report, "invalid_utf_8")
    assert finding
    assert (finding.count, finding.severity) == (6, "error")
    assert report.splits["all"].labels == {"a": 3, "b": 2}, "the other checks must run"
    assert not found(report, "replacement_character"), "which only the copy holds"
    with pytest.raises(DataError):
        load_splits(DataConfig(source=str(path)))


@pytest.mark.parametrize(
    ("content", "kind", "places"),
    [
        (b"\xef\xbb\xbftext,label\ngood,a\n", "byte_order_mark", ("",)),
        (b"text,label\r\ngood,a\r\nbad,b\n", "mixed_line_ends", (":3",)),
        (b"text,label\na\0\0b,a\n", "nul", (":2:2", ":2:3")),
        ("text,label\ngood,a\nbad,b\n".encode("utf-16"), "utf_16", ("",)),
    ],
)
def test_faults_of_a_file_are_named_by_their_place(
    content: bytes, kind: str, places: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    (fault,) = scan_files([path])
    assert (fault.kind, fault.count) == (kind, len(places))
    assert fault.places == tuple(f"{path}{place}" for place in places)
    report = check_source(DataConfig(source=str(path)), 400)
    assert count(report, kind) == len(places), "once, not again by review"
    assert report.splits["all"].labels


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_plain_file_has_no_fault(end: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(end.join([b"text,label", "«naïve» – 映画,a".encode(), b""]))
    assert scan_files([tmp_path / "a.csv"]) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("lost \ufffd here", "replacement_character"),
        ("a\0b", "nul"),
        ("ring \x07", "control_character"),
        ("it\x92s", "control_character"),
        ("joined\ufefffiles", "control_character"),
        *((text.encode().decode("latin-1"), "mojibake") for text in ("café", "it’s", "“so”", "😀", "привет")),
        *((text.encode().decode("cp1252", "ignore"), "mojibake") for text in ("café", "it’s", "“so", "wait…")),
    ],
)
def test_faulty_characters_are_found_in_texts_of_any_source(text: str, kind: str, tmp_path: Path) -> None:
    assert kind in {fault.kind for fault in scan_reviews([Review(text, "a", "x-0")])}
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["good", text], "label": ["a", "b"]}), path)
    finding = found(check_source(DataConfig(source=str(path)), 400), kind, "all")
    assert finding
    assert (finding.count, finding.examples) == (1, ("a-1",))


@pytest.mark.parametrize(
    "text",
    ["naïve café", "«CAFÉ»", "“so”, it’s — …", "São João, mañana, MAÇÃ", "привет, мир", "映画 😀", "tab\tline\nend"],
)
def test_good_characters_are_no_fault(text: str) -> None:
    assert scan_reviews([Review(text, "a", "x-0")]) == []


# ------------------------------------------------------------------------------------------------- sources


def test_test_and_validation_files_are_checked_against_the_training_file(tmp_path: Path) -> None:
    rows = review_rows()
    config = DataConfig(
        source=str(write_csv(tmp_path / "a.csv", rows[:30])),
        test_data=str(write_csv(tmp_path / "b.csv", [*rows[:2], *rows[30:35]])),
        validation_data=str(write_csv(tmp_path / "c.csv", [*rows[:3], *rows[35:]])),
    )
    report = check_source(config, 400)
    assert {name: split.reviews for name, split in report.splits.items()} == {"train": 30, "validation": 8, "test": 7}
    assert (count(report, "overlap", "test"), count(report, "overlap", "validation")) == (2, 3)


def test_a_faulty_test_file_is_checked_to_its_end_and_leaves_nothing_behind(tmp_path: Path) -> None:
    rows = review_rows()
    test = write_csv(tmp_path / "b.csv", rows[:5])
    test.write_bytes(test.read_bytes() + b"caf\xe9,yes\n")
    cache = os.environ["SENTIMENT_LSTM_CACHE"]
    report = check_source(DataConfig(source=str(write_csv(tmp_path / "a.csv", rows)), test_data=str(test)), 400)
    assert (count(report, "invalid_utf_8"), count(report, "overlap", "test")) == (1, 5)
    assert os.environ["SENTIMENT_LSTM_CACHE"] == cache
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]


def test_a_folder_of_text_files_is_checked_file_by_file(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in ("pos", "neg"):
            (tmp_path / split / label).mkdir(parents=True)
            for number in range(5):
                text = f"{split} {label} {number}a {number}b {number}c {number}d"
                (tmp_path / split / label / f"{number}_9.txt").write_text(text)
    config = DataConfig(source=str(tmp_path))
    assert check_source(config, 400).findings == []
    (tmp_path / "train/pos/3_9.txt").write_bytes(b"line\ncaf\xe9")
    (tmp_path / "test/neg/1_9.txt").write_bytes((tmp_path / "train/neg/2_9.txt").read_bytes())
    report = check_source(config, 400)
    assert [finding.kind for finding in report.findings] == ["invalid_utf_8", "overlap"]
    assert report.findings[0].examples == (f"{tmp_path}/train/pos/3_9.txt:2:4",)
    assert report.findings[1].examples == ("train/neg/2_9 = test/neg/1_9",)


def test_what_cannot_be_parsed_is_one_error_beside_the_faults_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\nca\xe9,a,b,c\nd\n,,,,\n" + bytes(range(256)))
    report = check_source(DataConfig(source=str(path)), 400)
    unreadable = found(report, "unreadable")
    assert unreadable
    assert str(path) in unreadable.message, "not the name of the copy"
    assert count(report, "invalid_utf_8") == 129
    assert report.splits == {}
    path.write_bytes(b"text,label\na,b\nc,d,e\n")
    with pytest.raises(DataError, match=r"a\.csv"):
        check_source(DataConfig(source=str(path)), 400)


def test_a_column_that_a_faulty_file_lacks_is_a_usage_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"text,label\ncaf\xe9,a\n")
    with pytest.raises(UsageError) as caught:
        check_source(DataConfig(source=str(tmp_path / "a.csv"), text_column="body"), 400)
    assert f"is not in {tmp_path / 'a.csv'} " in str(caught.value)


def test_a_local_folder_named_as_a_source_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample" / "train.csv").write_bytes(b"\xff")
    monkeypatch.setattr(check, "find_near_copies", lambda texts, members: duplicates.NearCopies(members * 0))
    assert check_source(DataConfig(source="sample"), 400).findings == []


def test_a_report_is_json_and_holds_no_text() -> None:
    splits = clean_splits()
    splits["train"] += reviews("odd", ("a secret text", "yes"), ("A secret text", "no"), ("", "no"))
    written = json.dumps(check_splits(splits, 3).to_dict())
    assert "secret" not in written
    assert json.loads(written)["counts"] == {"error": 0, "warning": 3, "note": 3}


def test_the_sample_corpus_has_neither_copies_nor_conflicts() -> None:
    assert cheap_findings(build_sample()) == []


@needs_imdb
def test_the_cheap_part_takes_no_time_worth_mentioning_on_imdb() -> None:
    splits = load_splits(DataConfig(source=str(IMDB), validation_share=0.1))
    start = time.process_time()
    findings = cheap_findings(splits)
    assert time.process_time() - start < 4, "0.6 s on an idle core"
    assert {(finding.kind, finding.split): finding.count for finding in findings} == {
        ("copies", "train"): 84,
        ("overlap", "test"): 112,
        ("overlap", "validation"): 13,
    }
