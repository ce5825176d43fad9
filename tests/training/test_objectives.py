"""The loss: exact sums, smoothing, weights."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from sentiment_lstm.config import ModelConfig
from sentiment_lstm.data.batching import Batch
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.training.objectives import balanced_class_weights, supervised


def model_and_batch() -> tuple[SentimentClassifier, Batch]:
    torch.manual_seed(0)
    model = SentimentClassifier(ModelConfig(embedding_dim=4, hidden_dim=4), 20, 3)
    token_ids = torch.randint(2, 20, (5, 6))
    labels = torch.tensor([0, 0, 0, 1, 2])
    return model, Batch(token_ids, torch.full((5,), 6), labels, np.arange(5))


def test_total_is_a_sum_over_reviews() -> None:
    model, batch = model_and_batch()
    loss = supervised()(model, batch, None)
    expected = F.cross_entropy(model(batch.token_ids, batch.lengths), batch.labels, reduction="sum")
    torch.testing.assert_close(loss.total, expected)
    assert loss.count == 5
    assert 0 <= int(loss.parts["correct"]) <= 5


def test_label_smoothing_is_torchs() -> None:
    model, batch = model_and_batch()
    loss = supervised(label_smoothing=0.2)(model, batch, None)
    expected = F.cross_entropy(
        model(batch.token_ids, batch.lengths), batch.labels, reduction="sum", label_smoothing=0.2
    )
    torch.testing.assert_close(loss.total, expected)


def test_balanced_weights_are_scikit_learns_and_average_to_one() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.array([0, 0, 0, 1, 2])
    weights = balanced_class_weights([3, 1, 1])
    np.testing.assert_allclose(weights, compute_class_weight("balanced", classes=np.arange(3), y=labels), rtol=1e-6)
    assert float(weights[torch.from_numpy(labels)].mean()) == 1.0
    model, batch = model_and_batch()
    losses = F.cross_entropy(model(batch.token_ids, batch.lengths), batch.labels, reduction="none")
    torch.testing.assert_close(supervised(0.0, weights)(model, batch, None).total, (losses * weights[labels]).sum())
