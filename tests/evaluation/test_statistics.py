"""Intervals and tests against brute force, against scipy and against worked examples."""

from __future__ import annotations

import itertools
import statistics

import numpy as np
import pytest
from scipy import stats

from sentiment_lstm.evaluation.statistics import bootstrap_interval, mcnemar, mean_and_deviation


def answers(both: int, only_first: int, only_second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Which answers of two classifiers are right, from the four counts of their table."""
    counts = (both, only_first, only_second, neither)
    first, second = (np.repeat(cells, counts) for cells in ([True, True, False, False], [True, False, True, False]))
    return first, second


def test_mcnemar_is_agrestis_worked_example() -> None:
    """Approval of a prime minister in two surveys: 794, 150, 86, 570; (|86 - 150| - 1)^2 / 236 = 16.82."""
    test = mcnemar(*answers(794, 150, 86, 570))
    assert (test.only_first, test.only_second, test.exact) == (150, 86, False)
    assert test.p_value == pytest.approx(stats.chi2.sf(63**2 / 236, 1), rel=1e-12)
    assert test.p_value == pytest.approx(4.115e-5, rel=1e-3)


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (1, 0), (5, 5), (2, 9), (24, 0), (11, 13)])
def test_few_disagreements_are_tested_exactly(only_first: int, only_second: int) -> None:
    test = mcnemar(*answers(7, only_first, only_second, 3))
    number = only_first + only_second
    expected = stats.binomtest(only_first, number, 0.5).pvalue if number else 1.0
    assert test.exact
    assert test.p_value == pytest.approx(expected, rel=1e-12)


def test_the_exact_test_is_the_share_of_all_ways_to_disagree() -> None:
    """Of the 2^8 ways in which eight disagreements can fall, those at least as lopsided as 1 to 7."""
    ways = [sum(way) for way in itertools.product((0, 1), repeat=8)]
    assert mcnemar(*answers(0, 1, 7, 0)).p_value == sum(own <= 1 or own >= 7 for own in ways) / 2**8


@pytest.mark.parametrize("only_first", [12, 13, 20, 25, 300])
def test_many_disagreements_follow_chi_square(only_first: int) -> None:
    test = mcnemar(*answers(100, only_first, 13, 50))
    expected = stats.chi2.sf(max(abs(only_first - 13) - 1, 0) ** 2 / (only_first + 13), 1)
    assert not test.exact
    assert test.p_value == pytest.approx(expected, rel=1e-12)


def test_mcnemar_has_no_favourite() -> None:
    first, second = answers(10, 20, 9, 5)
    assert mcnemar(first, second).p_value == mcnemar(second, first).p_value
    assert mcnemar(first, first).p_value == 1.0


def test_the_interval_is_that_of_reviews_drawn_with_replacement() -> None:
    correct = np.repeat([True, False], [170, 30])
    drawn = np.random.default_rng(7).integers(0, 200, size=(20_000, 200))
    expected = np.quantile(correct[drawn].mean(1), [0.025, 0.975])
    assert bootstrap_interval(correct) == pytest.approx(expected, abs=0.0051)  # one review of 200


def test_nineteen_of_twenty_intervals_hold_the_truth() -> None:
    samples = np.random.default_rng(0).random((400, 500)) < 0.8
    held = [low <= 0.8 <= high for low, high in map(bootstrap_interval, samples)]
    assert 0.92 <= np.mean(held) <= 0.98


def test_equal_seeds_give_equal_intervals() -> None:
    correct = np.random.default_rng(1).random(1000) < 0.9
    assert bootstrap_interval(correct, seed=3) == bootstrap_interval(correct, seed=3)
    assert bootstrap_interval(np.ones(5, dtype=bool)) == (1.0, 1.0)
    assert bootstrap_interval(np.zeros(5, dtype=bool)) == (0.0, 0.0)


def test_the_deviation_is_the_samples() -> None:
    values = [0.9024, 0.9024, 0.9041]
    mean, deviation = mean_and_deviation(values)
    assert mean == pytest.approx(np.mean(values))
    assert deviation == pytest.approx(np.std(values, ddof=1)) == pytest.approx(statistics.stdev(values))
    assert mean_and_deviation([0.5]) == (0.5, None)
