"""Logistic regression on features weighted by naive Bayes, as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression


class NaiveBayesLogistic(ClassifierMixin, BaseEstimator):
    """Two classes: each feature is multiplied by its log-count ratio, then logistic regression.

    With p and q the counts of each feature over the reviews of one class and of the other, each plus ``smoothing``, the
    ratio is r = log((p / |p|_1) / (q / |q|_1)).

    Wang and Manning 2012, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification", equation 2; their
    support vector machine is logistic regression here, as in Mesnil et al. 2014, because that gives probabilities.
    """

    def __init__(self, smoothing: float = 1.0, inverse_penalty: float = 1.0, seed: int = 0) -> None:
        self.smoothing = smoothing
        self.inverse_penalty = inverse_penalty
        self.seed = seed

    def fit(self, features: Any, labels: np.ndarray) -> NaiveBayesLogistic:
        """Learn ratios and weights.

        Parameters
        ----------
        features : (N, F) sparse matrix of 0 and 1
        labels : (N,) array of two values
        """
        self.classes_ = np.unique(labels)
        is_second = np.asarray(labels) == self.classes_[-1]
        second, first = (self.smoothing + np.asarray(features[rows].sum(0)).ravel() for rows in (is_second, ~is_second))
        self.log_ratios_ = np.log(second / second.sum()) - np.log(first / first.sum())
        # The dual problem has a variable a review, not a variable a feature: a hundred times fewer.
        self.classifier_ = LogisticRegression(
            C=self.inverse_penalty, solver="liblinear", dual=True, max_iter=1000, random_state=self.seed
        )
        self.classifier_.fit(features.multiply(self.log_ratios_).tocsr(), labels)
        return self

    def predict_proba(self, features: Any) -> np.ndarray:
        """Return the (N, 2) probabilities."""
        return self.classifier_.predict_proba(features.multiply(self.log_ratios_).tocsr())

    def predict(self, features: Any) -> np.ndarray:
        """Return the (N,) likelier classes."""
        return self.classes_[self.predict_proba(features).argmax(1)]
