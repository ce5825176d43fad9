"""One student from several teachers: their averaged answers, to more texts than have labels, are what it learns.

Hinton, Vinyals and Dean 2015. It is training as any other, with soft labels in the batches, so every objective and
every setting of training goes with it. Validation reviews keep their labels.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sentiment_lstm.augmentation import as_reviews, pair_texts, summary_of
from sentiment_lstm.config import Config
from sentiment_lstm.data.counterfactuals import make_counterfactuals
from sentiment_lstm.data.distillation import read_more_texts
from sentiment_lstm.data.prepare import encode_split, fingerprint, review_hashes
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sentences import add_reviews, draw_sentences
from sentiment_lstm.errors import DataError, UsageError
from sentiment_lstm.evaluation.behaviour import poles_of
from sentiment_lstm.evaluation.comparison import weights_sha256
from sentiment_lstm.experiment import Experiment
from sentiment_lstm.inference.archive import Archive, load_archive
from sentiment_lstm.inference.ensemble import check_labels
from sentiment_lstm.inference.teaching import Answers, ask, load_answers, soft_labels
from sentiment_lstm.training.scoring import loss_and_accuracy

logger = logging.getLogger(__name__)

NewBar = Callable[[int], AbstractContextManager[Callable[[int], object]]]  # for so many texts; told as they are scored


def load_teachers(config: Config) -> list[Archive]:
    """Load the runs that are to teach.

    Raises
    ------
    UsageError, ArchiveError
        Where one is no classifier, or damaged; where their labels are not the same.
    """
    teachers = [load_archive(Path(run)) for run in config.distillation.teachers]
    check_labels(teachers)
    return teachers


def distil(experiment: Experiment, folder: Path | None, new_bar: NewBar) -> Experiment:
    """Return the experiment with teachers' answers for labels, and with the texts that have none.

    Parameters
    ----------
    experiment : Experiment
        As :func:`prepare_experiment` leaves it.
    folder : the run folder that holds the answers, where a run goes on; ``None`` to ask the teachers
    new_bar : called with how many texts there are to score

    Raises
    ------
    UsageError, DataError, ArchiveError
        As :func:`load_teachers`, :func:`read_more_texts` and :func:`load_answers`; also where the teachers' labels are
        not those of the reviews.
    """
    config, splits, labels = experiment.config.distillation, experiment.splits, experiment.labels
    if config.counterfactuals and (len(labels) != 2 or poles_of(labels) is None):
        raise UsageError(
            f"distillation.counterfactuals needs the labels positive and negative, and these are {', '.join(labels)}: "
            "leave it out"
        )
    more = read_more_texts(experiment.config, splits)
    learnt = [*splits["train"], *more["unlabelled"], *more["sentences"]]
    parts = more.get("parts", [])
    asked = [*learnt, *parts]
    if folder is None:
        counts = {"labelled": len(splits["train"]), **{name: len(own) for name, own in more.items()}}
        answers = _ask(experiment, asked, counts, new_bar)
    else:
        answers = load_answers(folder, asked)
    given = [labels[place] for place in answers.logits[len(splits["train"]) : len(learnt)].argmax(1)]
    unlabelled = learnt[len(splits["train"]) :]
    named = [Review(review.text, label, review.id) for review, label in zip(unlabelled, given, strict=True)]
    made: list[Review] = []
    made_targets = np.empty((0, len(labels)), dtype=np.float32)
    if config.counterfactuals:
        made, made_targets = _make(experiment, parts, answers.logits[len(learnt) :])
        answers = _with_made(answers, made, made_targets, folder)
    train = encode_split([*splits["train"], *named, *made], experiment.tokenizer, labels, experiment.config.tokenizer)
    true_labels = train.labels[: len(splits["train"])]
    targets = soft_labels(answers.logits[: len(learnt)], config.temperature, true_labels, config.label_weight)
    targets = np.concatenate([targets, made_targets])
    drawn, sources = draw_sentences(
        [*splits["train"], *named[: len(more["unlabelled"])]],
        experiment.config.training.sentences_per_review,
        experiment.config.training.seed,
    )
    train = replace(train, soft_labels=targets)
    train = add_reviews(train, drawn, experiment.tokenizer, labels, experiment.config.tokenizer, targets[sources])
    return replace(experiment, train=train, answers=answers)


def _make(experiment: Experiment, parts: Sequence[Review], logits: np.ndarray) -> tuple[list[Review], np.ndarray]:
    """Return texts made of the parts, and their (N, 2) float32 targets; the minimal pairs' own texts are left out."""
    labels, config = experiment.labels, experiment.config
    poles = poles_of(labels)
    assert poles is not None
    positive = labels.index(poles["positive"])
    answers = soft_labels(logits, 1.0, np.empty(0, dtype=np.int64), 0.0)[:, positive]
    made = make_counterfactuals(
        [part.text for part in parts],
        answers.tolist(),
        config.distillation.counterfactuals,
        config.training.seed,
        pair_texts(),
    )
    count = sum(map(len, made.values()))
    if not count:
        raise DataError(
            f"distillation.counterfactuals: of {len(parts)} short sentences none could be negated or joined, as the "
            "teachers are sure of too few: give more reviews, or leave it out"
        )
    logger.info("%s", summary_of(made))
    if count < config.distillation.counterfactuals:
        logger.warning(
            "the sentences are enough for %d counterfactuals, not for %d", count, config.distillation.counterfactuals
        )
    probabilities = np.array([probability for own in made.values() for _, probability in own])
    targets = np.stack([1 - probabilities, probabilities][:: 1 if positive == 1 else -1], 1).astype(np.float32)
    return as_reviews(made, poles), targets


def _with_made(answers: Answers, made: Sequence[Review], targets: np.ndarray, folder: Path | None) -> Answers:
    """Note in the answers what was made of them, or compare it with what was noted when the run began."""
    digest = hashlib.sha256(review_hashes(made).tobytes() + targets.tobytes()).hexdigest()
    if folder is None:
        return replace(answers, about={**answers.about, "counterfactuals": {"texts": len(made), "sha256": digest}})
    if answers.about.get("counterfactuals", {}).get("sha256") != digest:
        raise UsageError(
            f"cannot resume {folder}: the counterfactuals that its teachers' answers now give are not those that it "
            "began with (another version of the program?); distill anew with another --output"
        )
    return answers


def _ask(experiment: Experiment, asked: Sequence[Review], counts: dict[str, int], new_bar: NewBar) -> Answers:
    """Put the texts to the teachers, and the validation reviews: how good they are is what a student can become."""
    teachers = load_teachers(experiment.config)
    for teacher in teachers:
        if set(teacher.labels) != set(experiment.labels):
            raise UsageError(
                f"{teacher.folder} answers with {', '.join(teacher.labels)}, and the training reviews' labels are "
                f"{', '.join(experiment.labels)}: a teacher must have the same"
            )
        if teacher.meta.get("data_fingerprint") != fingerprint(experiment.splits):
            logger.warning(
                "%s was trained on other reviews or another split: it may have seen the validation reviews",
                teacher.folder,
            )
    texts = [*asked, *experiment.splits["validation"]]
    logger.info("asking %d teachers about %d texts", len(teachers), len(texts))
    with new_bar(len(texts) * len(teachers)) as on_scored:
        logits = ask(teachers, texts, experiment.labels, experiment.runtime, on_scored)
    _, accuracy = loss_and_accuracy(logits[len(asked) :], experiment.validation.labels)
    about: dict[str, Any] = {
        "teachers": [{"run": own.folder.name, "weights_sha256": weights_sha256(own.folder)} for own in teachers],
        "texts": counts,
        "validation_accuracy": accuracy,
    }
    return Answers(logits[: len(asked)].numpy(), review_hashes(asked), about)
