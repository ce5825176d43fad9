"""Minimal pairs: two texts that differ in few words and say the opposite.

Accuracy over long reviews rewards counting words. A pair is right only when both of its texts are, so a model that
answers by the words they share, or always the same, gets no pair at all, however many single texts it gets. No model
may be trained or chosen on the shipped files. ``tests/behaviour/development/`` holds others, for choosing recipes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sentiment_lstm.data.tables import read_utf8
from sentiment_lstm.errors import DataError, UsageError
from sentiment_lstm.evaluation.report import format_table
from sentiment_lstm.inference.predictor import Predictor

POLES = ("positive", "negative")
SETS = ("sentences", "twins")


@dataclass(frozen=True)
class Pair:
    """A text that praises and its counterpart that does not.

    Attributes
    ----------
    id : str
        Unique within its file.
    kind : str
        What turns the one into the other (negation, contrast, ...); "twin" where the file names none.
    positive, negative : str
    """

    id: str
    kind: str
    positive: str
    negative: str


@dataclass(frozen=True)
class PairScore:
    """How many pairs, the share of their texts answered rightly, and the share of pairs with both right."""

    num_pairs: int
    single_accuracy: float
    pair_accuracy: float


@dataclass(frozen=True)
class Behaviour:
    """What a model answered to a file of pairs: over all of them, and kind by kind in the file's order."""

    overall: PairScore
    by_kind: dict[str, PairScore]

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries and numbers, ready for JSON."""
        return asdict(self)


def pairs_folder() -> Path:
    """Return the folder of the pairs: inside an installed wheel, or ``tests/behaviour/`` of a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "pairs"
    return installed if installed.is_dir() else package.parent / "tests" / "behaviour"


def load_pairs(path: Path) -> list[Pair]:
    """Read pairs from a file of JSON objects, one a line.

    Raises
    ------
    UsageError
        Where the file cannot be opened.
    DataError
        Where it is not UTF-8 or holds nothing, a line is no pair, or an id occurs twice.
    """
    lines = read_utf8(path).split("\n")
    pairs = [_pair(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not pairs:
        raise DataError(f"{path} holds no pairs: expected a JSON object a line")
    seen: set[str] = set()
    for pair in pairs:
        if pair.id in seen:
            raise DataError(f"{path}: the id {pair.id!r} occurs twice: every pair needs its own")
        seen.add(pair.id)
    return pairs


def _pair(line: str, where: str) -> Pair:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        raise DataError(f"{where}: expected a JSON object with id, positive and negative") from None
    if isinstance(values, dict):
        values = {"kind": "twin", **values}
        texts = [values.get(name) for name in ("id", "kind", "positive", "negative")]
        own = [text for text in texts if isinstance(text, str) and text.strip()]
        if len(own) == len(texts):
            return Pair(*own)
    raise DataError(f"{where}: expected a JSON object with id, positive and negative, each a text that is not blank")


def poles_of(labels: Sequence[str], mapping: Mapping[str, str] | None = None) -> dict[str, str] | None:
    """Return which of a model's labels means "positive" and which "negative"; ``None`` where that is not known.

    Parameters
    ----------
    labels : the model's
    mapping : "positive" and "negative" to labels of the model; ``None`` to go by the labels' names, upper or lower case

    Raises
    ------
    UsageError
        Where the mapping lacks a pole, names a label that the model lacks, or one label twice.
    """
    if mapping is None:
        found = {label.casefold(): label for label in labels}
        return {pole: found[pole] for pole in POLES} if found.keys() >= set(POLES) else None
    chosen = set(mapping.values())
    if set(mapping) != set(POLES) or len(chosen) != 2 or not chosen <= set(labels):
        raise UsageError(
            f"pairs need two of the model's labels ({', '.join(labels)}), for positive and for negative; got {mapping}"
        )
    return dict(mapping)


def score_answers(pairs: Sequence[Pair], answers: Sequence[tuple[bool, bool]]) -> Behaviour:
    """Count right texts and right pairs.

    Parameters
    ----------
    pairs : N pairs, at least one
    answers : for each pair, whether its positive text was answered rightly, and its negative one
    """
    kinds: dict[str, list[tuple[bool, bool]]] = {}
    for pair, answer in zip(pairs, answers, strict=True):
        kinds.setdefault(pair.kind, []).append(answer)
    return Behaviour(_score(answers), {kind: _score(own) for kind, own in kinds.items()})


def _score(answers: Sequence[tuple[bool, bool]]) -> PairScore:
    number = len(answers)
    return PairScore(number, sum(map(sum, answers)) / (2 * number), sum(map(all, answers)) / number)


def score_pairs(
    pairs: Sequence[Pair], predictor: Predictor, mapping: Mapping[str, str] | None = None
) -> Behaviour | None:
    """Score a model on pairs; ``None`` where it is not known which of its labels are positive and negative.

    A model with further labels ("neutral") is scored too: such an answer is wrong for either text.

    Raises
    ------
    UsageError
        Where ``mapping`` does not fit the model's labels; see :func:`poles_of`.
    """
    poles = poles_of(predictor.labels, mapping)
    if poles is None:
        return None
    texts = [text for pair in pairs for text in (pair.positive, pair.negative)]
    given = [prediction.label for prediction in predictor.predict(texts)]
    right = [label == poles["positive"] for label in given[::2]], [label == poles["negative"] for label in given[1::2]]
    return score_answers(pairs, list(zip(*right, strict=True)))


def load_pair_sets(folder: Path) -> dict[str, list[Pair]]:
    """Read ``sentences.jsonl`` and ``twins.jsonl`` of a folder.

    Raises
    ------
    UsageError
        Where either cannot be opened.
    DataError
        Where either is damaged; see :func:`load_pairs`.
    """
    return {name: load_pairs(folder / f"{name}.jsonl") for name in SETS}


def measure_behaviour(
    predictor: Predictor,
    mapping: Mapping[str, str] | None = None,
    pair_sets: Mapping[str, Sequence[Pair]] | None = None,
) -> dict[str, Behaviour] | None:
    """Score a model on sets of pairs, by default the shipped ones; ``None`` where its labels are not of this kind.

    Raises
    ------
    UsageError
        Where ``mapping`` does not fit the model's labels, or the shipped files are missing.
    DataError
        Where they are damaged.
    """
    if poles_of(predictor.labels, mapping) is None:
        return None
    sets = load_pair_sets(pairs_folder()) if pair_sets is None else pair_sets
    scores = {name: score_pairs(pairs, predictor, mapping) for name, pairs in sets.items()}
    return {name: score for name, score in scores.items() if score is not None}


def format_behaviour(behaviours: Mapping[str, Behaviour]) -> str:
    """Return the table that ``evaluate`` prints: each set of pairs, and below it its kinds where there are several."""
    rows = [["minimal pairs", "both right", "single texts", "pairs"]]
    for name, behaviour in behaviours.items():
        rows.append([name, *_cells(behaviour.overall)])
        if len(behaviour.by_kind) > 1:
            rows += [[f"  {kind}", *_cells(score)] for kind, score in behaviour.by_kind.items()]
    return format_table(rows)


def _cells(score: PairScore) -> list[str]:
    return [f"{score.pair_accuracy:.4f}", f"{score.single_accuracy:.4f}", f"{score.num_pairs:,}"]
