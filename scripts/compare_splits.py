"""Validation by single reviews and by whole groups, side by side: what each promises, and what the test split says.

    .venv/bin/python scripts/compare_splits.py --data ../shared/data/imdb --seeds 0 1 2

Each line is a model trained anew: logistic regression over which words and pairs of words are present, weighted by
naive Bayes log-count ratios (Wang and Manning 2012). It learns names as readily as anything. The test split is read
here to compare the two ways of splitting; no recipe is chosen by it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from sentiment_lstm.data.groups import Groups, find_groups, rare_names
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sources import load_source
from sentiment_lstm.data.splits import LARGEST_GROUP, draw_groups, draw_reviews, label_names


def describe(reviews: Sequence[Review], groups: Groups) -> None:
    """Print how many groups there are and how large."""
    for name, own in (("copies", groups.copies), ("copies and names", groups.names)):
        sizes = np.unique(own, return_counts=True)[1]
        large = sizes[sizes > LARGEST_GROUP]
        print(
            f"{name}: {len(sizes):,} groups of {len(reviews):,} reviews; {(sizes > 1).sum():,} of more than one, which "
            f"hold {sizes[sizes > 1].sum() / len(reviews):.1%}; largest {sizes.max():,}; "
            f"{len(large)} above {LARGEST_GROUP}, which hold {large.sum() / len(reviews):.1%} and stay in training"
        )


def share_with_names(names: dict[str, list[int]], held_out: np.ndarray) -> float:
    """Return the share of the held-out reviews that have a rare name in common with a training review."""
    shared = {place for places in names.values() if not held_out[places].all() for place in places if held_out[place]}
    return len(shared) / int(held_out.sum())


def accuracies(train: csr_matrix, labels: np.ndarray, others: Sequence[tuple[csr_matrix, np.ndarray]]) -> list[float]:
    """Train on word presence; return the accuracy on each of the others."""
    present, absent = (np.asarray(train[labels == label].sum(axis=0)).ravel() + 1 for label in (1, 0))
    ratios = np.log(present / present.sum()) - np.log(absent / absent.sum())
    model = LogisticRegression(solver="liblinear", dual=True, random_state=0)
    model.fit(train.multiply(ratios).tocsr(), labels)
    return [float(model.score(words.multiply(ratios).tocsr(), truth)) for words, truth in others]


def fold_of(groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Return the fold of each review, a (N,) array: whole groups, the largest first, each to the emptiest fold."""
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    folds_of_groups = np.zeros(len(sizes), dtype=int)
    filled = np.zeros(folds, dtype=int)
    for number in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        folds_of_groups[number] = filled.argmin()
        filled[filled.argmin()] += sizes[number]
    return folds_of_groups[numbers]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="imdb", help="data with two labels and a test split of its own")
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folds", type=int, default=10, help="0: leave the folds out")
    arguments = parser.parse_args()

    splits = load_source(arguments.data, splits=("train", "test")).splits
    reviews, test = splits["train"], splits["test"]
    start = time.process_time()
    groups = find_groups(reviews)
    print(f"groups found in {time.process_time() - start:.1f} s of processor time")
    describe(reviews, groups)
    names = rare_names([review.text for review in reviews])

    positive = label_names(reviews)[-1]
    vectorizer = CountVectorizer(binary=True, ngram_range=(1, 2), min_df=2, token_pattern=r"\b\w+\b", dtype=np.float32)
    words = vectorizer.fit_transform(review.text for review in reviews)
    test_words = vectorizer.transform(review.text for review in test)
    labels, test_labels = (np.array([own.label == positive for own in part], dtype=int) for part in (reviews, test))

    print("\nsplit    seed  share a name with train  validation    test  difference")
    for kind in ("random", "grouped"):
        rows = []
        for seed in arguments.seeds:
            if kind == "random":
                held_out = draw_reviews(reviews, arguments.share, seed)
            elif (drawn := draw_groups(reviews, groups.names, arguments.share, seed)) is not None:
                held_out = drawn
            else:
                raise SystemExit(f"{arguments.data}: whole groups do not make up a share of {arguments.share}")
            parts = [(words[held_out], labels[held_out]), (test_words, test_labels)]
            rows.append((share_with_names(names, held_out), *accuracies(words[~held_out], labels[~held_out], parts)))
            print_row(kind, str(seed), *rows[-1])
        print_row(kind, "mean", *(statistics.mean(column) for column in zip(*rows, strict=True)))

    if not arguments.folds:
        return
    print(f"\nevery review held out once, in {arguments.folds} folds, the largest groups too")
    for kind, numbers in (("random", np.arange(len(reviews))), ("grouped", groups.names)):
        folds = fold_of(numbers, arguments.folds, seed=0)
        rows = []
        for fold in range(arguments.folds):
            out = folds == fold
            parts = [(words[out], labels[out]), (test_words, test_labels)]
            rows.append((share_with_names(names, out), *accuracies(words[~out], labels[~out], parts)))
        print_row(kind, "", *(statistics.mean(column) for column in zip(*rows, strict=True)))


def print_row(kind: str, seed: str, sharing: float, validation: float, test: float) -> None:
    print(
        f"{kind:8} {seed:>4}  {sharing:23.1%}  {validation:10.4f}  {test:.4f}  {validation - test:+10.4f}", flush=True
    )


if __name__ == "__main__":
    main()
