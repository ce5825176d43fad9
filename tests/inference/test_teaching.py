"""From teachers' logits to what a student is to answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sentiment_lstm.inference.teaching import soft_labels

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-3.0, 4.0, 1.0], [500.0, -500.0, 0.0]], dtype=np.float32)
NONE = np.array([], dtype=np.int64)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_soft_labels_are_the_softmax_at_a_temperature(temperature: float) -> None:
    expected = (torch.from_numpy(LOGITS).double() / temperature).softmax(1).float().numpy()
    given = soft_labels(LOGITS, temperature, NONE, 0.0)
    assert given.dtype == np.float32
    np.testing.assert_allclose(given, expected, rtol=1e-6, atol=1e-30)


def test_the_true_label_has_its_share_where_there_is_one() -> None:
    labels = np.array([1, 2])
    plain, mixed = soft_labels(LOGITS, 1.0, labels, 0.0), soft_labels(LOGITS, 1.0, labels, 0.25)
    np.testing.assert_allclose(mixed[:2], 0.75 * plain[:2] + 0.25 * np.eye(3)[labels], rtol=1e-6)
    np.testing.assert_array_equal(mixed[2:], plain[2:])
    np.testing.assert_array_equal(soft_labels(LOGITS, 1.0, labels, 1.0)[:2], np.eye(3)[labels])
    np.testing.assert_allclose(mixed.sum(1), 1, rtol=1e-6)
