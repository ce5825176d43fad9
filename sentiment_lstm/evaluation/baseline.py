"""The bag of words every classifier has to beat. It counts words and cannot tell in which order they stand."""

from __future__ import annotations

from collections.abc import Sequence

from sentiment_lstm.data.reviews import Review


def tfidf_accuracy(train: Sequence[Review], test: Sequence[Review]) -> float:
    """Return the test accuracy of TF-IDF over single words and logistic regression, scikit-learn's defaults."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    model.fit([review.text for review in train], [review.label for review in train])
    return float(model.score([review.text for review in test], [review.label for review in test]))
