"""What is wrong with a data set, found before an epoch is spent on it."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sentiment_lstm.config import DataConfig
from sentiment_lstm.data.duplicates import MOST_COMPARED, Member, find_near_copies, group_texts
from sentiment_lstm.data.encoding import Fault, scan_files, scan_reviews, text_files, write_decodable_copy
from sentiment_lstm.data.findings import (
    SHOWN,
    Finding,
    Report,
    SplitSummary,
    number_of,
    quoted,
    reviews_of,
    worst_first,
)
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sources import load_source
from sentiment_lstm.data.tokenizer import basic_english
from sentiment_lstm.errors import DataError, SentimentLSTMError

Splits = Mapping[str, Sequence[Review]]

RARE = 0.1  # a label with less than this part of an even share is rare
PERCENTILES = (5, 25, 50, 75, 95, 99)
HELD_OUT = ("validation", "test")


def check_source(config: DataConfig, max_length: int) -> Report:
    """Read a source as ``train`` would and check all of it. Faulty bytes are reported and do not end the check.

    Raises
    ------
    UsageError
        Where a path or a column does not exist.
    DataError
        Where nothing can be read and there is nothing else to report.
    """
    files = [path for source in _sources(config) for path in text_files(source)]
    faults = scan_files(files)
    undecodable = any(fault.kind in ("utf_16", "invalid_utf_8") for fault in faults)
    findings = _fault_findings(faults, None, "byte")
    notes: list[str] = []
    try:
        with _decodable(config) if undecodable else _as_it_is(config) as readable:
            splits = _load(readable, notes)
    except DataError as error:
        if not findings:
            raise
        findings.append(Finding("unreadable", None, 1, str(error)))
        return Report(config.source, max_length, {}, worst_first(findings), notes)
    if undecodable:
        notes.append("checked on a converted copy; train refuses the file until it is mended")
    report = check_splits(splits, max_length, source=config.source)
    known = {fault.kind for fault in faults} | ({"replacement_character"} if undecodable else set())
    findings += [finding for finding in report.findings if finding.kind not in known]
    return Report(config.source, max_length, report.splits, worst_first(findings), notes)


def check_splits(splits: Splits, max_length: int, source: str = "") -> Report:
    """Check reviews that have been read: all checks but those of a file's bytes."""
    summaries: dict[str, SplitSummary] = {}
    findings: list[Finding] = []
    for name, reviews in splits.items():
        lengths = [len(basic_english(review.text)) for review in reviews]
        summaries[name] = _summarise(reviews, lengths, max_length)
        findings += _empty_findings(name, reviews, lengths)
        findings += _fault_findings(scan_reviews(reviews), name, "review")
        if cut := sum(length > max_length for length in lengths):
            message = (
                f"{name}: {reviews_of(cut)} ({summaries[name].truncated_share:.1%}) longer than {max_length} tokens"
            )
            findings.append(Finding("truncated", name, cut, message))
    findings += _label_findings(splits)
    groups = group_texts(splits)
    findings += [*_copy_findings(groups, list(splits)), *_conflict_findings(groups)]
    findings += _near_copy_findings(groups, list(splits))
    return Report(source, max_length, summaries, worst_first(findings), [])


def cheap_findings(splits: Splits) -> list[Finding]:
    """Return what hashes and counts alone can find, in about half a second for 50,000 reviews of 230 words.

    Copies within the training reviews, copies of them in the test and validation reviews, texts with several labels,
    and rare labels. For ``train`` to warn of, a line each: ``finding.line``.
    """
    groups = group_texts(splits)
    findings = [*_copy_findings(groups, list(splits)), *_conflict_findings(groups)]
    train = training_split(splits)
    wanted = [finding for finding in findings if finding.kind != "copies" or finding.split == train]
    return worst_first([*wanted, *_imbalance_findings(splits)])


def training_split(splits: Mapping[str, object]) -> str | None:
    """Return the name of the split that is trained on: ``train``, or ``all`` for a file without splits."""
    return next((name for name in ("train", "all") if name in splits), None)


# ------------------------------------------------------------------------------------------------- reading


def _sources(config: DataConfig) -> list[str]:
    return [source for source in (config.source, config.validation_data, config.test_data) if source is not None]


def _load(config: DataConfig, notes: list[str]) -> dict[str, list[Review]]:
    """All rows by split, those without a label or a text too. ``prepare.load_splits`` leaves them out and splits."""
    loaded = load_source(config.source, text_column=config.text_column, label_column=config.label_column)
    notes += loaded.notes
    splits = dict(loaded.splits)
    if "all" in splits and len(_sources(config)) > 1:
        splits = {"train": splits["all"]}
    for name, path in (("validation", config.validation_data), ("test", config.test_data)):
        if path is not None:
            own = load_source(path, text_column=config.text_column, label_column=config.label_column)
            notes += [f"{name}: {note}" for note in own.notes]
            splits[name] = [review for reviews in own.splits.values() for review in reviews]
    return splits


@contextmanager
def _as_it_is(config: DataConfig) -> Iterator[DataConfig]:
    yield config


@contextmanager
def _decodable(config: DataConfig) -> Iterator[DataConfig]:
    """The same data from copies in which every byte can be decoded, for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="sentiment-lstm-check-") as folder, _cache_in(Path(folder) / "cache"):
        names = ("source", "validation_data", "test_data")
        originals = {name: source for name in names if (source := getattr(config, name)) and text_files(source)}
        copies = {name: write_decodable_copy(source, Path(folder) / name) for name, source in originals.items()}
        try:
            yield config.model_copy(update=copies)
        except SentimentLSTMError as error:
            message = str(error)
            for name, copy in copies.items():
                message = message.replace(copy, originals[name])
            raise type(error)(message) from error


@contextmanager
def _cache_in(folder: Path) -> Iterator[None]:
    """Keep the tables of a passing copy out of the user's cache."""
    before = os.environ.get("SENTIMENT_LSTM_CACHE")
    os.environ["SENTIMENT_LSTM_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SENTIMENT_LSTM_CACHE"]
        else:
            os.environ["SENTIMENT_LSTM_CACHE"] = before


# ------------------------------------------------------------------------------------------------- one split


def _usable(reviews: Sequence[Review]) -> list[Review]:
    """The reviews that ``train`` keeps."""
    return [review for review in reviews if review.label is not None and review.text.strip()]


def _summarise(reviews: Sequence[Review], lengths: Sequence[int], max_length: int) -> SplitSummary:
    labels = dict(Counter(str(review.label) for review in _usable(reviews)).most_common())
    texts = [length for length, review in zip(lengths, reviews, strict=True) if review.text.strip()]
    percentiles = np.percentile(texts, PERCENTILES, method="inverted_cdf").tolist() if texts else []
    return SplitSummary(
        reviews=len(reviews),
        without_label=sum(review.label is None for review in reviews),
        without_text=len(reviews) - len(texts),
        labels=labels,
        largest_share=max(labels.values()) / sum(labels.values()) if labels else 0.0,
        lengths={f"{p}%": value for p, value in zip(PERCENTILES, percentiles, strict=False)}
        | ({"max": max(texts)} if texts else {}),
        truncated_share=sum(length > max_length for length in texts) / max(len(texts), 1),
    )


def _empty_findings(name: str, reviews: Sequence[Review], lengths: Sequence[int]) -> list[Finding]:
    """Reviews without a label, without a text, or with a text in which there is no word."""
    empty: dict[str, list[str]] = {"without_label": [], "without_text": [], "without_words": []}
    for review, length in zip(reviews, lengths, strict=True):
        if review.label is None:
            empty["without_label"].append(review.id)
        if not review.text.strip():
            empty["without_text"].append(review.id)
        elif length == 0:
            empty["without_words"].append(review.id)
    what = {"without_label": "without a label", "without_text": "without a text", "without_words": "without a word"}
    return [
        Finding(kind, name, len(ids), f"{name}: {reviews_of(len(ids))} {what[kind]}", tuple(ids[:SHOWN]))
        for kind, ids in empty.items()
        if ids
    ]


def _fault_findings(faults: Sequence[Fault], split: str | None, unit: str) -> list[Finding]:
    what = {
        "utf_16": "in UTF-16, not UTF-8",
        "invalid_utf_8": "that cannot be UTF-8",
        "nul": "of value NUL" if unit == "byte" else "with a NUL character",
        "replacement_character": "with U+FFFD, the mark of a lost character",
        "control_character": "with control characters",
        "mojibake": "with UTF-8 that was read as Windows-1252",
        "byte_order_mark": "with a byte-order mark",
        "mixed_line_ends": "with both Unix and Windows line ends",
    }
    of_files = ("utf_16", "byte_order_mark", "mixed_line_ends")
    where = f"{split}: " if split else ""
    return [
        Finding(
            fault.kind,
            split,
            fault.count,
            f"{where}{number_of(fault.count, 'file' if fault.kind in of_files else unit)} {what[fault.kind]}",
            fault.places if unit == "byte" else fault.places[:SHOWN],
        )
        for fault in faults
    ]


# ------------------------------------------------------------------------------------------------- labels


def _label_findings(splits: Splits) -> list[Finding]:
    """What ``train`` would refuse, and labels it can do little with."""
    findings = []
    counts = {name: Counter(str(review.label) for review in _usable(reviews)) for name, reviews in splits.items()}
    for name, own in counts.items():
        if not own:
            findings.append(Finding("no_labelled_review", name, 0, f"{name}: no labelled review with a text"))
    train = training_split(splits)
    if train is None:
        return [*findings, Finding("no_training_reviews", None, 0, "there are no training reviews")]
    labels = counts[train]
    if len(labels) == 1:
        findings.append(Finding("one_label", train, 1, f"{train}: only the label {quoted(next(iter(labels)))}"))
    carved = sum(name not in splits for name in HELD_OUT)
    if labels and max(labels.values()) <= carved:
        message = f"{train}: no label has a review to spare for {' and '.join(n for n in HELD_OUT if n not in splits)}"
        findings.append(Finding("too_few", train, sum(labels.values()), message))
    if single := [label for label, count in labels.items() if count == 1]:
        message = f"{train}: {number_of(len(single), 'label')} with a single review"
        findings.append(Finding("single_review", train, len(single), message, tuple(map(quoted, single[:SHOWN]))))
    for name in HELD_OUT:
        if foreign := [review for review in _usable(splits.get(name, [])) if str(review.label) not in labels]:
            message = f"{name}: {reviews_of(len(foreign))} with a label that no training review has"
            examples = tuple(f"{review.id} {quoted(str(review.label))}" for review in foreign[:SHOWN])
            findings.append(Finding("unknown_label", name, len(foreign), message, examples))
    return [*findings, *_imbalance_findings(splits)]


def _imbalance_findings(splits: Splits) -> list[Finding]:
    train = training_split(splits)
    if train is None:
        return []
    counts = Counter(str(review.label) for review in _usable(splits[train]))
    even = sum(counts.values()) / max(len(counts), 1)
    rare = [label for label, count in reversed(counts.most_common()) if count < RARE * even]
    if not rare:
        return []
    message = (
        f"{train}: {number_of(len(rare), 'label')} with less than {RARE:.0%} of an even share ({even:,.0f} reviews); "
        f"the largest label has {max(counts.values()) / sum(counts.values()):.1%}"
    )
    examples = tuple(f"{quoted(label)} {counts[label]:,}" for label in rare[:SHOWN])
    return [Finding("imbalance", train, len(rare), message, examples)]


# ------------------------------------------------------------------------------------------------- copies


def _copy_findings(groups: Sequence[Sequence[Member]], names: Sequence[str]) -> list[Finding]:
    """Copies within each split, and copies of training reviews in the others."""
    train = training_split(dict.fromkeys(names))
    again: dict[str, list[str]] = {name: [] for name in names}
    shared: dict[str, list[str]] = {name: [] for name in names}
    for members in groups:
        if len(members) == 1:
            continue
        first: dict[str | None, Review] = {}
        for split, review in members:
            if split in first:
                again[split].append(f"{first[split].id} = {review.id}")
            first.setdefault(split, review)
        for split, review in members:
            if train in first and split != train:
                shared[split].append(f"{first[train].id} = {review.id}")
    findings = []
    for name in names:
        if count := len(again[name]):
            message = f"{name}: {reviews_of(count)} {'repeat' if count > 1 else 'repeats'} an earlier one"
            findings.append(Finding("copies", name, count, message, tuple(again[name][:SHOWN])))
        if count := len(shared[name]):
            message = f"{name}: {reviews_of(count)} {'are' if count > 1 else 'is'} in {train} too"
            findings.append(Finding("overlap", name, count, message, tuple(shared[name][:SHOWN])))
    return findings


def _conflict_findings(groups: Sequence[Sequence[Member]]) -> list[Finding]:
    """Texts that have different labels in different places, within a split or across them."""
    examples = []
    for members in groups:
        first: dict[str, str] = {}
        for _, review in members:
            if review.label is not None:
                first.setdefault(review.label, review.id)
        if len(first) > 1:
            examples.append(" / ".join(f"{own} {quoted(label)}" for label, own in list(first.items())[:2]))
    if not examples:
        return []
    verb = "have" if len(examples) > 1 else "has"
    message = f"{number_of(len(examples), 'text')} {verb} different labels in different rows"
    return [Finding("conflict", None, len(examples), message, tuple(examples[:SHOWN]))]


def _near_copy_findings(groups: Sequence[Sequence[Member]], names: Sequence[str]) -> list[Finding]:
    """Near copies within the training reviews, and of them in the other splits. Equal texts count once."""
    train = training_split(dict.fromkeys(names))
    if train is None:
        return []
    bits = {name: 1 << place for place, name in enumerate(names)}
    held_by = [{split: review.id for split, review in reversed(members)} for members in groups]
    members = np.array([sum(bits[split] for split in own) for own in held_by], dtype=np.int64)
    near = find_near_copies([own[0][1].text for own in groups], members)
    findings = []
    if not near.complete:
        message = f"the search for near copies ended after {MOST_COMPARED:,} pairs"
        findings.append(Finding("near_copies_unfinished", None, 0, message))
    for name in names:
        here = (members & bits[name]) != 0
        if name != train:
            here &= (members & bits[train]) == 0  # those that are copies to the letter have been reported
        count = int((here & ((near.partners & bits[train]) != 0)).sum())
        if not count:
            continue
        kind, of = ("near_copies", "another one") if name == train else ("near_overlap", f"one of {train}")
        verb = "repeat" if count > 1 else "repeats"
        message = f"{name}: {reviews_of(count)} nearly {verb} {of}"
        examples: list[str] = []
        for pair in near.pairs:
            for one, other in (pair, pair[::-1]):
                if len(examples) < SHOWN and here[other] and train in held_by[one] and (name != train or one < other):
                    examples.append(f"{held_by[one][train]} ~ {held_by[other][name]}")
        findings.append(Finding(kind, name, count, message, tuple(examples)))
    return findings
