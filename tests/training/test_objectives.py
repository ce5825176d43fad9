"""The loss: exact sums, smoothing, weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sentiment_lstm.config import ModelConfig
from sentiment_lstm.data.batching import Batch, collate
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.training.objectives import adversarial, balanced_class_weights, supervised
from sentiment_lstm.training.perturbations import CleanPass, perturbation


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


def test_a_perturbation_has_its_length_and_is_zero_on_padding() -> None:
    torch.manual_seed(0)
    gradient, lengths = torch.randn(4, 7, 3), torch.tensor([7, 1, 4, 3])
    moved = perturbation(gradient, lengths, 2.5)
    torch.testing.assert_close(moved.flatten(1).norm(dim=1), torch.full((4,), 2.5))
    for row, length in enumerate(lengths.tolist()):
        assert not moved[row, length:].any()
        own = gradient[row, :length] / gradient[row, :length].norm()
        torch.testing.assert_close(moved[row, :length], 2.5 * own)
    assert not perturbation(torch.zeros(2, 3, 1), torch.tensor([3, 2]), 2.5).any(), "no gradient, no perturbation"


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("kind", ["lstm", "cnn_lstm"])
def test_the_perturbation_makes_the_loss_larger_and_training_smaller(kind: str, frozen: bool) -> None:
    torch.manual_seed(0)
    config = ModelConfig(kind=kind, embedding_dim=6, hidden_dim=5, conv_channels=4, freeze_embedding=frozen)
    model = SentimentClassifier(config, 20, 2)
    batch = collate([np.arange(1, n, dtype=np.int32) for n in (5, 9, 3)], np.arange(3), np.array([0, 1, 1]))
    plain = supervised()(model, batch, None)
    disturbed = adversarial(1.0)(model, batch, None)
    assert float(disturbed.total.detach()) > 2 * float(plain.total.detach()), "its own half is the larger one"
    assert int(disturbed.parts["correct"]) == int(plain.parts["correct"])
    assert disturbed.count == plain.count == 3
    disturbed.total.backward()
    assert all((p.grad is not None and bool(p.grad.any())) for p in model.parameters() if p.requires_grad)
    nothing = adversarial(1.0, weight=0.0)(model, batch, None)
    assert float(nothing.total.detach()) == pytest.approx(float(plain.total.detach()), rel=1e-5)


def test_one_backward_pass_of_the_undisturbed_reviews_serves_perturbation_and_weights() -> None:
    torch.manual_seed(0)
    config = ModelConfig(embedding_dim=6, hidden_dim=5, output_dropout=0.3, word_dropout=0.2, ngrams=2)
    model = SentimentClassifier(config, 20, 2, num_ngrams=4)
    assert model.ngrams is not None
    model.ngrams.set_ratios(torch.arange(1, 5), torch.ones_like(model.ngrams.ratios))
    batch = collate([np.arange(1, n, dtype=np.int32) for n in (5, 9, 3)], np.arange(3), np.array([0, 1, 1]))

    def gradients(total: torch.Tensor) -> dict[str, torch.Tensor]:
        model.zero_grad()
        (2 * total).backward()
        return {name: own.grad.clone() for name, own in model.named_parameters() if own.grad is not None}

    torch.manual_seed(1)
    once = gradients(adversarial(0.5, weight=0.7)(model, batch, None).total)
    torch.manual_seed(1)
    clean = CleanPass(model, batch)
    losses = F.cross_entropy(clean.logits, batch.labels, reduction="none")
    (gradient,) = torch.autograd.grad(losses.sum(), clean.embedded, retain_graph=True)
    moved = clean.embedded + perturbation(gradient, batch.lengths, 0.5 * model.embedding_unit())
    disturbed = F.cross_entropy(clean.disturbed_logits(moved), batch.labels, reduction="sum")
    twice = gradients(losses.sum() + 0.7 * disturbed)
    assert once.keys() == twice.keys() == dict(model.named_parameters()).keys()
    for name, expected in twice.items():
        torch.testing.assert_close(once[name], expected, msg=name)


def test_soft_labels_give_the_divergence_from_the_teachers_and_hard_ones_what_they_gave() -> None:
    model, batch = model_and_batch()
    targets = torch.randn(5, 3).softmax(1)
    soft = replace(batch, soft_labels=targets)
    log_probabilities = model(batch.token_ids, batch.lengths).log_softmax(1)
    divergence = (targets * (targets.log() - log_probabilities)).sum()  # KL(teacher || student)
    entropy = -(targets * targets.log()).sum()
    loss = supervised()(model, soft, None)
    torch.testing.assert_close(loss.total, divergence + entropy)
    assert int(loss.parts["correct"]) == int((log_probabilities.argmax(1) == targets.argmax(1)).sum())
    hard = replace(batch, soft_labels=F.one_hot(batch.labels, 3).float())
    for objective in (supervised(), adversarial(1.0)):
        of_labels, of_certainty = objective(model, batch, None), objective(model, hard, None)
        torch.testing.assert_close(of_labels.total, of_certainty.total)
        assert of_labels.parts == of_certainty.parts
    assert float(adversarial(1.0)(model, soft, None).total.detach()) > 2 * float(loss.total.detach())
    torch.testing.assert_close(soft.rows(1, 3).soft_labels, targets[1:3])
    picked = collate([np.arange(1, 4)] * 5, np.array([4, 0]), batch.labels.numpy(), targets.numpy())
    torch.testing.assert_close(picked.soft_labels, targets[[4, 0]])
