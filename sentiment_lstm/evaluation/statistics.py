"""How sure a measured accuracy is, and whether two of them differ: plain counts in, no torch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
EXACT_BELOW = 25  # discordant pairs; from there on the chi-square distribution is near enough


@dataclass(frozen=True)
class McNemar:
    """Where two classifiers that answered the same reviews disagree, and how surprising that is.

    Attributes
    ----------
    only_first, only_second : int
        Reviews that one of them alone got right.
    p_value : float
        Two-sided, for the null hypothesis that both make as many errors.
    exact : bool
        Whether it is from the binomial distribution, else from chi-square.
    """

    only_first: int
    only_second: int
    p_value: float
    exact: bool


def mcnemar(first: np.ndarray, second: np.ndarray) -> McNemar:
    """Return McNemar's test of two (N,) bool arrays: which reviews each classifier got right.

    Below 25 discordant pairs exact, else chi-square with one degree of freedom and Edwards' continuity correction,
    (|b - c| - 1)^2 / (b + c).

    McNemar 1947, "Note on the sampling error of the difference between correlated proportions or percentages";
    Edwards 1948. For classifiers: Dietterich 1998, "Approximate statistical tests".
    """
    only_first = int(np.count_nonzero(first & ~second))
    only_second = int(np.count_nonzero(~first & second))
    discordant = only_first + only_second
    if discordant < EXACT_BELOW:
        tail = sum(math.comb(discordant, k) for k in range(min(only_first, only_second) + 1)) / 2**discordant
        return McNemar(only_first, only_second, min(1.0, 2 * tail), exact=True)
    statistic = max(abs(only_first - only_second) - 1, 0) ** 2 / discordant
    p_value = math.erfc(math.sqrt(statistic / 2))  # of chi-square with one degree of freedom
    return McNemar(only_first, only_second, p_value, exact=False)


def bootstrap_interval(correct: np.ndarray, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile bootstrap interval of an accuracy.

    N reviews drawn with replacement from N, of which a share p is right, hold a binomial(N, p) number of right ones. So
    the 10,000 resamples are drawn as these numbers, without drawing a single review.

    Parameters
    ----------
    correct : (N,) bool array, N > 0
    seed : int
        Equal seeds, equal intervals.
    level : float
        Share of the resamples inside.

    Notes
    -----
    Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13. Where every answer is right, or none,
    the interval is a single point.
    """
    resampled = np.random.default_rng(seed).binomial(len(correct), correct.mean(), RESAMPLES) / len(correct)
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean and the sample standard deviation (N - 1), which a single value does not have."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None
