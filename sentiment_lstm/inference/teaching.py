"""What teachers answer, as it is kept in a run folder, and the soft labels that follow.

The answers are logits, asked for once: a run that is resumed reads them and needs no teacher.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_safetensors
from torch import Tensor

from sentiment_lstm.data.prepare import encode_token_ids, review_hashes
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.tokenizer import truncate
from sentiment_lstm.errors import ArchiveError, UsageError
from sentiment_lstm.files import write_file
from sentiment_lstm.inference.archive import TEACHERS, Archive
from sentiment_lstm.inference.ensemble import mean_logits
from sentiment_lstm.training.runtime import Runtime
from sentiment_lstm.training.scoring import compute_logits


@dataclass(frozen=True)
class Answers:
    """What teachers answered to the texts that a student learns from.

    Attributes
    ----------
    logits : (N, C) float32 array
        Their mean, with the columns in the order of the student's labels.
    reviews : (N,) int64 array
        A hash of each text, label and id.
    about : dict
        Who the teachers were and how often they are right.
    """

    logits: np.ndarray
    reviews: np.ndarray
    about: dict[str, Any]

    @property
    def sha256(self) -> str:
        """Tell these answers from others."""
        digest = hashlib.sha256(json.dumps(self.about, sort_keys=True).encode())
        for array in (self.logits, self.reviews):
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def ask(
    teachers: Sequence[Archive],
    reviews: Sequence[Review],
    labels: Sequence[str],
    runtime: Runtime,
    on_scored: Callable[[int], object] | None = None,
) -> Tensor:
    """Return the (N, C) float32 mean of the teachers' logits, each reading with its own tokenizer.

    Parameters
    ----------
    teachers : runs with these labels
    reviews : whose texts are asked about
    labels : the student's, which give the columns their order
    runtime : its device and precision are the scoring's
    on_scored : called with a number of texts when a teacher has answered to them, optional
    """
    texts = [review.text for review in reviews]
    answers = []
    for teacher in teachers:
        config = teacher.config.tokenizer
        token_ids = encode_token_ids(texts, teacher.tokenizer)
        kept = [truncate(ids, config.max_length, config.truncation) for ids in token_ids]
        logits = compute_logits(teacher.model.to(runtime.device), kept, runtime, on_scored)
        answers.append(mean_logits([logits], [teacher.labels], labels))
        teacher.model.to("cpu")
    return mean_logits(answers, [labels] * len(answers))


def soft_labels(logits: np.ndarray, temperature: float, labels: np.ndarray, label_weight: float) -> np.ndarray:
    """Return what is to be learnt: softmax(logits / T), and on labelled reviews a share of the label beside it.

    Hinton, Vinyals and Dean 2015, equation 1. The student learns at temperature 1, so its own answers get as soft as
    these.

    Parameters
    ----------
    logits : (N, C) float32 array
    temperature : T
    labels : (L,) int64 array
        Of the first L texts, those with a label.
    label_weight : share of the label

    Returns
    -------
    (N, C) float32 array
        Rows sum to 1.
    """
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(1, keepdims=True))
    probabilities = exponentials / exponentials.sum(1, keepdims=True)
    labelled = probabilities[: len(labels)]
    labelled *= 1 - label_weight
    labelled[np.arange(len(labels)), labels] += label_weight
    return probabilities.astype(np.float32)


def save_answers(answers: Answers, folder: Path) -> None:
    """Write ``teachers.safetensors``, whole or not at all, its own sha256 in the header."""
    metadata = {"sha256": answers.sha256, "about": json.dumps(answers.about)}
    tensors = {"logits": np.ascontiguousarray(answers.logits), "reviews": np.ascontiguousarray(answers.reviews)}
    write_file(folder / TEACHERS, save_safetensors(tensors, metadata))


def load_answers(folder: Path, reviews: Sequence[Review]) -> Answers:
    """Read what the teachers answered to these texts when the run began.

    Raises
    ------
    ArchiveError
        Where the file is missing or damaged.
    UsageError
        Where the texts are not those that were asked about.
    """
    path = folder / TEACHERS
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            about = json.loads(metadata.get("about", ""))
            answers = Answers(file.get_tensor("logits"), file.get_tensor("reviews"), about)
        if metadata.get("sha256") != answers.sha256:
            raise ValueError("its sha256 differs")
    except (OSError, SafetensorError, ValueError, TypeError) as error:
        reason = "it is missing" if not path.exists() else " ".join(str(error).split())[:300]
        raise ArchiveError(
            f"{path}, the teachers' answers, cannot be read ({reason}): copy it again, or distill anew"
        ) from error
    now = review_hashes(reviews)
    if len(now) != len(answers.reviews) or not np.array_equal(now, answers.reviews):
        raise UsageError(
            f"cannot resume {folder}: its teachers were asked about {len(answers.reviews):,} texts, and the data and "
            f"settings now give {len(now):,}, not all of them the same; distill anew with another --output"
        )
    return answers
