"""Texts that are learnt beside the reviews: sentences cut from them, and counterfactuals made of such sentences."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from sentiment_lstm.data.batching import collate, plan_batches
from sentiment_lstm.data.counterfactuals import make_counterfactuals, normalized
from sentiment_lstm.data.distillation import PARTS_PER_TEXT, cut_short_sentences
from sentiment_lstm.data.parts import CONFIDENT, Made
from sentiment_lstm.data.prepare import EncodedSplit, encode_token_ids
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sentences import add_reviews, draw_sentences
from sentiment_lstm.data.tokenizer import Tokenizer
from sentiment_lstm.errors import ConfigError
from sentiment_lstm.evaluation.behaviour import SETS, load_pairs, pairs_folder, poles_of
from sentiment_lstm.experiment import Experiment
from sentiment_lstm.model.ngrams import NgramBranch, count_ratios

logger = logging.getLogger(__name__)

NGRAM_MIN_COUNT = 5  # reviews that a word or pair of words must occur in to say anything
# Naive Bayes takes words for independent and is far too sure. Of the fifth of IMDB's sentences that it is surest of,
# 95% are answered likewise by a classifier with 0.93 of the test reviews right; of the surest half 88%.
SURE_SHARE = 0.2


def augment(experiment: Experiment) -> Experiment:
    """Return the experiment with ``training.sentences_per_review`` and ``training.counterfactuals`` learnt as well."""
    config, train = experiment.config, experiment.splits["train"]
    more, _ = draw_sentences(train, config.training.sentences_per_review, config.training.seed)
    if config.training.counterfactuals:
        more += _counterfactuals(experiment)
    encoded = add_reviews(experiment.train, more, experiment.tokenizer, experiment.labels, config.tokenizer)
    return replace(experiment, train=encoded)


def _counterfactuals(experiment: Experiment) -> list[Review]:
    """Return texts made of the reviews' own sentences, as many as there are reviews at most, each with its label."""
    training, labels, reviews = experiment.config.training, experiment.labels, experiment.splits["train"]
    poles = poles_of(labels) if len(labels) == 2 else None
    if poles is None:
        logger.info("no counterfactuals: they need the labels positive and negative")
        return []
    count = min(training.counterfactuals, len(reviews))
    sentences = [review.text for review in cut_short_sentences(reviews, PARTS_PER_TEXT * count, training.seed)]
    try:
        positive = naive_bayes(
            experiment.train, experiment.tokenizer, sentences, labels.index(poles["positive"])
        ).tolist()
    except ConfigError:  # so few reviews that no word occurs in enough of them
        positive = [0.5] * len(sentences)
    made = make_counterfactuals(sentences, positive, count, training.seed, pair_texts())
    logger.info("%s", summary_of(made))
    return as_reviews(made, poles)


def naive_bayes(train: EncodedSplit, tokenizer: Tokenizer, sentences: Sequence[str], positive: int) -> np.ndarray:
    """Return the (N,) probability that each sentence is positive, by how often its words and pairs occur in reviews.

    The sums of log-count ratios (Wang and Manning 2012, as in the wide branch) are shifted to a median of 0, as
    sentences are drawn from reviews of both labels alike, and scaled so that a share ``SURE_SHARE`` of the
    probabilities lies beyond ``CONFIDENT``: they order sentences, and are not calibrated for single ones.

    Parameters
    ----------
    train : two labels
    positive : the class index that means positive

    Raises
    ------
    ConfigError
        Where no word occurs in ``NGRAM_MIN_COUNT`` reviews.
    """
    keys, ratios = count_ratios(train.token_ids, train.labels, 2, 2, len(tokenizer), NGRAM_MIN_COUNT)
    branch = NgramBranch(2, len(keys), len(tokenizer), 2).eval()
    branch.set_ratios(keys, ratios)
    token_ids = encode_token_ids(list(sentences), tokenizer)
    sums = np.zeros(len(token_ids))
    with torch.inference_mode():
        for places in plan_batches([len(ids) for ids in token_ids], batch_size=1024, batch_tokens=32_768):
            batch = collate(token_ids, places, None)
            sums[places] = branch(batch.token_ids, batch.lengths)[:, 1].numpy()
    sums = (sums - np.median(sums)) * (1 if positive == 1 else -1)
    sure = np.quantile(np.abs(sums), 1 - SURE_SHARE)
    return 1 / (1 + np.exp(-math.log(CONFIDENT / (1 - CONFIDENT)) * sums / max(sure, 1e-12)))


def as_reviews(made: Mapping[str, Made], poles: Mapping[str, str]) -> list[Review]:
    """Return the texts that makers made as reviews, with the label that their probability is nearer to."""
    return [
        Review(text, poles["positive" if probability > 0.5 else "negative"], f"{name}-{number}")
        for name, own in made.items()
        for number, (text, probability) in enumerate(own)
    ]


def summary_of(made: Mapping[str, Made]) -> str:
    """Return a line that says how many texts each maker made, where it made any."""
    counts = ", ".join(f"{len(own):,} of {name}" for name, own in made.items() if own)
    return f"counterfactuals: {counts}" if counts else "no counterfactuals: too few English sentences of a clear sign"


def pair_texts() -> set[str]:
    """Return the words of the texts of all minimal pairs, so that nobody is taught one of them."""
    folder = pairs_folder()
    files = [path for path in (folder, folder / "development") if path.is_dir()]
    pairs = [pair for path in files for own in SETS for pair in load_pairs(path / f"{own}.jsonl")]
    return {normalized(text) for pair in pairs for text in (pair.positive, pair.negative)}
