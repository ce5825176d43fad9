"""What can be found wrong with a data set: how bad it is, what to do about it, and how a report says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")  # the worst first
SHOWN = 3  # examples of a finding

# What can be found: its severity, and what to do about it. The only place that says how bad something is:
#   error    `train` refuses this data
#   warning  it trains, but the model gets worse, or the measured accuracy says more or less than it should
#   note     worth knowing; it may well be meant so
# `data check --strict` fails on errors and warnings, never on notes.
KINDS: dict[str, tuple[Severity, str]] = {
    "unreadable": ("error", "mend the file, then check again"),
    "utf_16": ("error", "convert it: iconv -f utf-16 -t utf-8"),
    "invalid_utf_8": ("error", "convert the file, for example: iconv -f cp1252 -t utf-8"),
    "no_training_reviews": ("error", "give a file, or a folder with a split named train"),
    "no_labelled_review": ("error", "check the label column"),
    "one_label": ("error", "at least two are needed; check the label column"),
    "too_few": ("error", "give more reviews, or --test-data and --validation-data"),
    "unknown_label": ("error", "leave these reviews out, or give training reviews with this label"),
    "without_label": ("warning", "train leaves them out; label or remove them"),
    "without_text": ("warning", "train leaves them out; fill or remove them"),
    "without_words": ("warning", "remove them: there is nothing to learn from"),
    "single_review": ("warning", "give more reviews of it, or join it with another label"),
    "imbalance": ("warning", "give more of them, or train with --set training.class_weights=balanced"),
    "copies": ("warning", "keep one of each"),
    "overlap": ("warning", "remove them from one side: what is measured on them is memory"),
    "conflict": ("warning", "decide on one label, or remove them"),
    "near_copies": ("note", "look at some; keep one of each where they are the same review"),
    "near_overlap": ("warning", "look at some; remove from one side what is the same review"),
    "near_copies_unfinished": ("note", "there may be more near copies than are counted"),
    "nul": ("warning", "remove these bytes: some programs end a text there"),
    "replacement_character": ("warning", "go back to the source: characters were lost before"),
    "control_character": ("note", "often Windows-1252 read as Latin-1; harmless in small numbers"),
    "mojibake": ("note", "read the source again as UTF-8"),
    "byte_order_mark": ("note", "nothing: it is left out when the file is read"),
    "mixed_line_ends": ("note", "nothing, unless files were joined by mistake"),
    "truncated": ("note", "raise tokenizer.max_length if what is cut matters"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or worth knowing.

    Attributes
    ----------
    kind : a key of ``KINDS``
    split : name of the split, or ``None`` for the whole
    count : how many reviews, texts, bytes or files; the message says which
    message : one line, without what to do
    examples : ids of reviews or places in files, never texts
    """

    kind: str
    split: str | None
    count: int
    message: str
    examples: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """How bad it is, by ``KINDS``."""
        return KINDS[self.kind][0]

    @property
    def advice(self) -> str:
        """What to do about it, by ``KINDS``."""
        return KINDS[self.kind][1]

    @property
    def line(self) -> str:
        """The finding in one line: what, where for example, and what to do."""
        more = ", …" if self.count > len(self.examples) >= SHOWN else ""
        examples = f" ({', '.join(self.examples)}{more})" if self.examples else ""
        return f"{self.message}{examples}: {self.advice}"


@dataclass(frozen=True)
class SplitSummary:
    """The numbers of one split.

    Attributes
    ----------
    reviews, without_label, without_text : how many rows, and how many of them lack one or the other
    labels : reviews with a text by label, the most frequent first
    largest_share : the share of the most frequent label; 0 where there is none
    lengths : tokens (``basic_english``) of the texts at some percentiles, and of the longest
    truncated_share : the share of the texts that are longer than ``max_length``
    """

    reviews: int
    without_label: int
    without_text: int
    labels: dict[str, int]
    largest_share: float
    lengths: dict[str, int]
    truncated_share: float


@dataclass(frozen=True)
class Report:
    """All that was found out about a data set.

    ``splits`` are the source's own; a single file's is named ``all``. What the reader had to decide is in ``notes``.
    """

    source: str
    max_length: int
    splits: dict[str, SplitSummary]
    findings: list[Finding]
    notes: list[str]

    def count(self, severity: Severity) -> int:
        """Return how many findings are of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        findings = [
            {**asdict(finding), "severity": finding.severity, "advice": finding.advice} for finding in self.findings
        ]
        counts = {severity: self.count(severity) for severity in SEVERITIES}
        return {**asdict(self), "findings": findings, "counts": counts}


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings with errors first, then warnings, then notes; within each as they were found."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def number_of(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural where it takes one."""
    return f"{count:,} {noun}" + ("s" if count != 1 else "")


def reviews_of(count: int) -> str:
    """Return a count of reviews in words."""
    return number_of(count, "review")


def quoted(label: str, width: int = 24) -> str:
    """Return a label as a short word in quotes: it may be anything, where the wrong column was taken for the labels."""
    return repr(label if len(label) <= width else label[: width - 1] + "…")
