"""Classifiers without a network, which every network has to beat: they count words, and short runs of words.

Nothing here is random. Their settings are common ones, looked at on IMDB's validation reviews, never on its test split.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from sentiment_lstm.data.reviews import Review
from sentiment_lstm.errors import DataError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

BaselineName = Literal["tfidf", "nb-ngrams"]
BASELINES: tuple[BaselineName, ...] = get_args(BaselineName)
DESCRIPTIONS: dict[BaselineName, str] = {
    "tfidf": "TF-IDF of words and pairs of words, logistic regression",
    "nb-ngrams": "words, pairs and triples weighted by naive Bayes, logistic regression",
}


@dataclass(frozen=True)
class BaselineResult:
    """What a baseline, fitted on some reviews, answered to others.

    Attributes
    ----------
    labels : list of str
        The C classes, in the order of the columns of ``probabilities``.
    probabilities : (N, C) float64 array
    accuracy : float
        Share of right answers.
    parameters : int
        Weights of the logistic regression.
    fit_seconds, scoring_seconds : float
        Counting words included.
    """

    name: BaselineName
    labels: list[str]
    probabilities: np.ndarray
    accuracy: float
    parameters: int
    fit_seconds: float
    scoring_seconds: float

    @property
    def predicted(self) -> list[str]:
        """The likeliest label of each review."""
        return [self.labels[place] for place in self.probabilities.argmax(1)]


def score_baseline(name: BaselineName, train: Sequence[Review], reviews: Sequence[Review]) -> BaselineResult:
    """Fit a baseline on labelled reviews and let it answer to others.

    Raises
    ------
    DataError
        Where no word is in two of the training reviews: those in one alone are left out.
    """
    pipeline = build_baseline(name)
    started = time.perf_counter()
    try:
        pipeline.fit([review.text for review in train], [review.label for review in train])
    except ValueError as error:
        if "vocabulary" not in str(error) and "no terms remain" not in str(error):
            raise
        raise DataError(f"baseline {name} has nothing to count: no word is in two training reviews") from error
    fitted = time.perf_counter()
    probabilities = pipeline.predict_proba([review.text for review in reviews])
    scored = time.perf_counter()
    labels = [str(label) for label in pipeline.classes_]
    right = [labels[best] == review.label for best, review in zip(probabilities.argmax(1), reviews, strict=True)]
    return BaselineResult(
        name,
        labels,
        probabilities,
        float(np.mean(right)),
        _count_parameters(pipeline),
        fitted - started,
        scored - fitted,
    )


def build_baseline(name: BaselineName) -> Pipeline:
    """Return an unfitted scikit-learn pipeline from texts to labels, for two classes or more."""
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    from sentiment_lstm.evaluation.naive_bayes import NaiveBayesLogistic

    if name == "tfidf":
        vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\w+")
        return make_pipeline(vectors, LogisticRegression(C=10.0, max_iter=1000))
    present = CountVectorizer(ngram_range=(1, 3), min_df=2, binary=True, token_pattern=r"\w+|[^\w\s]", dtype=np.float32)
    return make_pipeline(present, OneVsRestClassifier(NaiveBayesLogistic()))


def tfidf_accuracy(train: Sequence[Review], test: Sequence[Review]) -> float:
    """Return the test accuracy of TF-IDF over single words and logistic regression, scikit-learn's defaults.

    The bag of words of the first lesson: it cannot tell in which order words stand, as pairs of them partly can.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    model.fit([review.text for review in train], [review.label for review in train])
    return float(model.score([review.text for review in test], [review.label for review in test]))


def _count_parameters(pipeline: Pipeline) -> int:
    last = pipeline[-1]
    linear = [each.classifier_ for each in last.estimators_] if hasattr(last, "estimators_") else [last]
    return sum(each.coef_.size + each.intercept_.size for each in linear)
