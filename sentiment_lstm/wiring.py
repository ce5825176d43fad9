"""Proof that a network is wired: it must be able to learn a handful of reviews by heart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sentiment_lstm.data.prepare import EncodedSplit
from sentiment_lstm.data.splits import stratified_sample
from sentiment_lstm.errors import TrainingError, UsageError
from sentiment_lstm.experiment import Experiment
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.training.objectives import supervised
from sentiment_lstm.training.trainer import Trainer

MOST_EPOCHS = 300
KNOWN_LOSS = 0.01
DROPOUTS = (
    *("ngram_dropout", "word_dropout", "embedding_dropout"),
    *("layer_dropout", "recurrent_dropout", "output_dropout"),
)


def overfit_batch(experiment: Experiment, number: int, say: Callable[[str], object]) -> str:
    """Train on ``number`` reviews alone, without any dropout, until they are known by heart; return the verdict.

    Parameters
    ----------
    experiment : Experiment
        Its model is left as it is.
    number : int
        Reviews, every label with its share.
    say : callable
        Told a line now and then.

    Raises
    ------
    UsageError
        Where there are not so many training reviews.
    TrainingError
        Where they are not known after 300 passes.
    """
    if number > len(experiment.train):
        raise UsageError(f"--overfit-batch {number}: there are {len(experiment.train)} training reviews")
    reviews = _part(experiment.train, number)
    config = experiment.config
    model_config = config.model.model_copy(update=dict.fromkeys(DROPOUTS, 0.0))
    model = SentimentClassifier(
        model_config,
        len(experiment.tokenizer),
        len(experiment.labels),
        initialize=False,
        num_ngrams=experiment.model.num_ngrams,
    )
    model.load_state_dict(experiment.model.state_dict())
    model.to(experiment.runtime.device)
    settings = {"epochs": MOST_EPOCHS, "target_loss": KNOWN_LOSS, "schedule": "constant", "warmup_share": 0.0}
    settings |= {"accumulation_steps": 1, "patience": None, "max_seconds": None}
    settings |= {"crop_tokens": None, "weight_averaging": 0.0}
    training = config.training.model_copy(update=settings)
    trainer = Trainer(model, supervised(), training, experiment.runtime, reviews, reviews)
    for record in trainer.fit():
        if record.epoch & (record.epoch - 1) == 0:  # 1, 2, 4, 8 …
            say(f"pass {record.epoch:3}  loss {record.train_loss:.4f}  accuracy {record.validation_accuracy:.3f}")
    last = trainer.history[-1]
    if last.train_loss > KNOWN_LOSS or last.validation_accuracy < 1:
        raise TrainingError(
            f"after {last.epoch} passes over {number} reviews the loss is still {last.train_loss:.4f} (accuracy "
            f"{last.validation_accuracy:.3f}): look for equal texts with different labels (sentiment-lstm data check), "
            "then at training.learning_rate, then at the wiring of the network"
        )
    return (
        f"{number} reviews known by heart after {trainer.steps_done} steps: loss {last.train_loss:.4f}, accuracy "
        f"{last.validation_accuracy:.3f}. Forward pass, loss, backward pass and update are wired."
    )


def _part(split: EncodedSplit, number: int) -> EncodedSplit:
    """A stratified part of a split."""
    position = {id(review): index for index, review in enumerate(split.reviews)}
    indices = [position[id(review)] for review in stratified_sample(split.reviews, number, seed=0)]
    return EncodedSplit(
        reviews=[split.reviews[index] for index in indices],
        token_ids=[split.token_ids[index] for index in indices],
        labels=split.labels[np.array(indices)],
        truncated_share=split.truncated_share,
        unknown_share=split.unknown_share,
    )
