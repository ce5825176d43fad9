"""Runs side by side, from what ``train`` and ``evaluate`` have written. No model is loaded and no data read.

    config.yaml  meta.json  metrics.json  history.jsonl                          settings, size, time
    evaluation/metrics.json  evaluation/predictions.jsonl                        what the model answered
    evaluation/baselines.json  evaluation/predictions-tfidf.jsonl  …             what baselines answered

A folder may come from anyone: its files are looked at before they are read.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sentiment_lstm.config import answers_folder
from sentiment_lstm.errors import ArchiveError, ConfigError, UsageError
from sentiment_lstm.evaluation.statistics import McNemar, bootstrap_interval, mcnemar
from sentiment_lstm.recipes import validate_config

LARGEST_BYTES = 2**30  # of a file; the answers to IMDB's 25,000 test reviews have 3 million
LARGEST_HEADER_BYTES = 2**20
PREDICTIONS, BASELINES_FILE = "predictions.jsonl", "baselines.json"
MACHINE = ("device", "precision", "threads", "processes")  # of meta.json: what changes the seconds
SHOWN = 3  # of the reviews in which two test sets differ


@dataclass(frozen=True)
class Answers:
    """What a classifier answered, review by review."""

    ids: list[str]
    labels: list[str]
    predicted: list[str]


@dataclass(frozen=True)
class Contestant:
    """A run or a baseline, as far as it is compared.

    Attributes
    ----------
    about : str
        The data and the split that were evaluated.
    reviews_sha256 : str or None
        Of the texts and labels that were evaluated.
    settings : dict
        By dotted key; empty for a baseline.
    """

    name: str
    answers: Answers
    about: str
    reviews_sha256: str | None
    parameters: int | None
    seconds: float | None
    tokens_per_second: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A line of the comparison: ``difference`` and ``test`` are against the first line's, which has none."""

    contestant: Contestant
    accuracy: float
    interval: tuple[float, float]
    difference: float | None
    test: McNemar | None


def compare(contestants: Sequence[Contestant]) -> list[Row]:
    """Return accuracies with their 95% bootstrap intervals, and McNemar's test of each against the first.

    Raises
    ------
    UsageError
        Where they were not evaluated on the same reviews.
    """
    first = contestants[0]
    order = {identity: place for place, identity in enumerate(first.answers.ids)}
    rows: list[Row] = []
    reference = np.zeros(0, dtype=bool)
    for contestant in contestants:
        check_same_reviews(first, contestant)
        answers = contestant.answers
        correct = np.zeros(len(order), dtype=bool)
        for identity, label, predicted in zip(answers.ids, answers.labels, answers.predicted, strict=True):
            correct[order[identity]] = label == predicted
        accuracy, interval = float(correct.mean()), bootstrap_interval(correct)
        if not rows:
            reference = correct
            rows.append(Row(contestant, accuracy, interval, None, None))
        else:
            rows.append(Row(contestant, accuracy, interval, accuracy - rows[0].accuracy, mcnemar(reference, correct)))
    return rows


def check_same_reviews(first: Contestant, other: Contestant) -> None:
    """Refuse to compare answers to different questions.

    Raises
    ------
    UsageError
        With the first reviews that only one of them has, or that differ.
    """
    own, foreign = (dict(zip(each.answers.ids, each.answers.labels, strict=True)) for each in (first, other))
    only_first = [identity for identity in own if identity not in foreign]
    only_other = [identity for identity in foreign if identity not in own]
    relabelled = [identity for identity in own if identity in foreign and own[identity] != foreign[identity]]
    parts = [
        f"{len(ids):,} {what} ({', '.join(ids[:SHOWN])}{', …' if len(ids) > SHOWN else ''})"
        for ids, what in (
            (only_first, f"only in {first.name}"),
            (only_other, f"only in {other.name}"),
            (relabelled, "with another label"),
        )
        if ids
    ]
    if not parts and None not in (digests := {first.reviews_sha256, other.reviews_sha256}) and len(digests) > 1:
        parts = ["the ids and labels are the same, the texts are not"]
    if parts:
        raise UsageError(
            f"the evaluated reviews of {first.name} ({first.about}) and {other.name} ({other.about}) differ: "
            f"{'; '.join(parts)}; evaluate both on the same data and split"
        )


def setting_differences(contestants: Sequence[Contestant]) -> dict[str, list[Any]]:
    """Return the settings that are not the same in all runs: by key, a value a run."""
    runs = [contestant.settings for contestant in contestants if contestant.settings]
    keys = dict.fromkeys(key for settings in runs for key in settings)
    values = {key: [settings.get(key) for settings in runs] for key in keys}
    return {key: own for key, own in values.items() if any(value != own[0] for value in own)}


def load_run(folder: Path) -> Contestant:
    """Read what is known of a run.

    Raises
    ------
    UsageError
        Where the folder is no run, or was not evaluated since it was trained.
    ArchiveError
        Where a file is missing or damaged.
    """
    check_is_run(folder)
    if not (answers_folder(folder) / PREDICTIONS).is_file():
        raise UsageError(f"{folder} has not been evaluated: run sentiment-lstm evaluate {folder}")
    meta, metrics = read_object(folder / "meta.json"), read_object(folder / "metrics.json")
    evaluated = read_object(answers_folder(folder) / "metrics.json")
    if evaluated.get("weights_sha256") not in (None, weights_sha256(folder)):
        raise UsageError(f"{folder} was trained on after it was evaluated: run sentiment-lstm evaluate {folder}")
    settings = _settings(folder / "config.yaml")
    settings.update({f"machine.{name}": meta.get(name) for name in MACHINE})
    settings["training reviews (sha256)"] = str(meta.get("data_fingerprint"))[:12]
    return Contestant(
        name=str(folder),
        answers=read_answers(answers_folder(folder) / PREDICTIONS),
        about=_about(evaluated),
        reviews_sha256=evaluated.get("reviews_sha256"),
        parameters=_number(meta.get("parameters"), int),
        seconds=_number(metrics.get("seconds"), float),
        tokens_per_second=_tokens_per_second(folder / "history.jsonl"),
        settings=settings,
    )


def check_is_run(folder: Path) -> None:
    """Refuse a folder that is no run.

    Raises
    ------
    UsageError
        Where it is missing, or has no settings.
    """
    if not folder.is_dir():
        raise UsageError(f"no run at {folder}: expected a folder written by sentiment-lstm train")
    if not (folder / "config.yaml").is_file():
        raise UsageError(f"{folder} is not a run folder: it has no config.yaml")


def load_baseline(folder: Path, name: str) -> Contestant | None:
    """Read what a baseline answered when a run was evaluated; ``None`` where it was not asked, or of other reviews."""
    if not (answers_folder(folder) / BASELINES_FILE).is_file():
        return None
    stored = read_object(answers_folder(folder) / BASELINES_FILE)
    facts = (stored.get("baselines") or {}).get(name)
    evaluated = read_object(answers_folder(folder) / "metrics.json")
    if not isinstance(facts, dict) or stored.get("reviews_sha256") != evaluated.get("reviews_sha256"):
        return None
    return Contestant(
        name=name,
        answers=read_answers(answers_folder(folder) / baseline_predictions(name)),
        about=_about(evaluated),
        reviews_sha256=stored.get("reviews_sha256"),
        parameters=_number(facts.get("parameters"), int),
        seconds=_number(facts.get("fit_seconds"), float),
    )


def evaluate_command(folder: Path, baseline: str) -> str:
    """Return what to type so that a baseline's answers to the evaluated reviews of a run are there to compare."""
    evaluated, settings = read_object(answers_folder(folder) / "metrics.json"), _settings(folder / "config.yaml")
    data, split = evaluated.get("data"), evaluated.get("split")
    other = f" --data {data}" if data != settings.get("data.source") else ""
    return (
        f"sentiment-lstm evaluate {folder}{other}{f' --split {split}' if split != 'test' else ''} --baseline {baseline}"
    )


def baseline_predictions(name: str) -> str:
    """Return the name of the file that holds a baseline's answers."""
    return f"predictions-{name}.jsonl"


def read_answers(path: Path) -> Answers:
    """Read a file of predictions, a review a line.

    Raises
    ------
    ArchiveError
        Where it is damaged, empty, or names a review twice.
    """
    answers = Answers([], [], [])
    for number, line in enumerate(_read(path).splitlines(), 1):
        try:
            row = json.loads(line)
            values = [row[name] for name in ("id", "label", "predicted")]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ArchiveError(f"{path}, line {number} is damaged; evaluate again") from error
        if not all(isinstance(value, str) for value in values):
            raise ArchiveError(
                f"{path}, line {number} is damaged: id, label and predicted must be text; evaluate again"
            )
        for column, value in zip((answers.ids, answers.labels, answers.predicted), values, strict=True):
            column.append(value)
    if not answers.ids:
        raise ArchiveError(f"{path} holds no predictions; evaluate again")
    if len(set(answers.ids)) < len(answers.ids):
        raise ArchiveError(f"{path} names a review twice, so that answers cannot be aligned by id")
    return answers


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    ArchiveError
        Where the file is missing, damaged or holds something else.
    """
    try:
        value = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{path} is damaged; train or evaluate again, or copy it again") from error
    if not isinstance(value, dict):
        raise ArchiveError(f"{path} must be an object; train or evaluate again, or copy it again")
    return value


def read_objects(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON objects, one a line; none where there is no file.

    Raises
    ------
    ArchiveError
        Where a line is damaged or holds something else.
    """
    objects = []
    for number, line in enumerate(_read(path).splitlines() if path.exists() else [], 1):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ArchiveError(f"{path}, line {number} is damaged; train again, or copy it again") from error
        if not isinstance(value, dict):
            raise ArchiveError(f"{path}, line {number} must be an object; train again, or copy it again")
        objects.append(value)
    return objects


def weights_sha256(folder: Path) -> str | None:
    """Return the sha256 that a run's weights carry in their header, without reading them; ``None`` without weights."""
    path = folder / "model.safetensors"
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length <= LARGEST_HEADER_BYTES else {}
        return header["__metadata__"]["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _settings(path: Path) -> dict[str, Any]:
    """All settings of a run by dotted key; keys that came later than the run have their defaults."""
    try:
        config = validate_config(yaml.safe_load(_read(path)), where="configuration")
    except ArchiveError:
        raise
    except Exception as error:  # for dates and numbers that are none, yaml raises whatever Python does
        reason = f" ({error})" if isinstance(error, ConfigError) else ""
        raise ArchiveError(f"{path} is damaged or from another version{reason}; copy it again") from error
    sections = config.model_dump(mode="json")
    return {f"{section}.{key}": value for section, own in sections.items() for key, value in own.items()}


def _tokens_per_second(path: Path) -> float | None:
    """The tokens of all epochs by the seconds of all epochs, validation left out; ``None`` where none was finished."""
    tokens = seconds = 0.0
    try:
        for line in _read(path).splitlines():
            record = json.loads(line)
            seconds += record["training_seconds"]
            tokens += record["training_seconds"] * record["tokens_per_second"]
    except (ArchiveError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return tokens / seconds if seconds else None


def _about(evaluated: Mapping[str, Any]) -> str:
    return f"{evaluated.get('data')}, {evaluated.get('split')}"


def _number(value: Any, kind: type) -> Any:
    return kind(value) if isinstance(value, (int, float)) else None


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe waits, reading a device never ends
            raise ArchiveError(f"{path} is no file; copy it again")
        if status.st_size > LARGEST_BYTES:
            raise ArchiveError(f"{path} has {status.st_size:,} bytes, where {LARGEST_BYTES:,} are the most")
        return path.read_bytes()
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {error.strerror}") from error
