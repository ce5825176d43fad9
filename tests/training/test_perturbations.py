"""Perturbed embeddings, virtual adversarial training and entropy, against plain float64 ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sentiment_lstm.config import ModelConfig, TrainingConfig
from sentiment_lstm.data.batching import Batch, collate
from sentiment_lstm.data.prepare import EncodedSplit
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.unlabelled import UnlabelledBatches
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.training import perturbations
from sentiment_lstm.training.objectives import build_objective
from sentiment_lstm.training.perturbations import (
    CleanPass,
    entropy,
    kl_divergence,
    perturbation,
    virtual_adversarial_losses,
)
from sentiment_lstm.training.runtime import build_runtime
from sentiment_lstm.training.trainer import Trainer

LENGTHS = (5, 9, 3, 7)
DROPOUTS = {"word_dropout": 0.2, "embedding_dropout": 0.3, "output_dropout": 0.4}
ALL_PARTS = {"adversarial_epsilon": 0.7, "virtual_adversarial_epsilon": 0.5, "virtual_adversarial_weight": 0.8,
             "entropy_weight": 0.3}  # fmt: skip


def build_model(**settings: Any) -> SentimentClassifier:
    torch.manual_seed(0)
    config = ModelConfig.model_validate({"embedding_dim": 4, "hidden_dim": 5, "embedding_std": 0.7, **settings})
    model = SentimentClassifier(config, 20, 3)
    if config.normalize_embedding:
        model.set_token_frequency(torch.arange(20))
    return model


def build_batch(seed: int = 0, labels: bool = True) -> Batch:
    random = np.random.default_rng(seed)
    token_ids = [random.integers(2, 20, length).astype(np.int32) for length in LENGTHS]
    return collate(token_ids, np.arange(4), np.array([0, 2, 1, 1]) if labels else None)


@pytest.mark.parametrize("normalized", [False, True])
def test_a_virtual_perturbation_has_its_length_and_is_zero_on_padding(
    normalized: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves: list[Tensor] = []
    monkeypatch.setattr(
        perturbations, "perturbation", lambda *arguments: moves.append(perturbation(*arguments)) or moves[-1]
    )
    model, batch = build_model(normalize_embedding=normalized, **DROPOUTS), build_batch()
    virtual_adversarial_losses(CleanPass(model, batch), 2.5)
    unit = 1.0 if normalized else float(model.embedding.weight.detach().std())
    start, found = moves
    torch.testing.assert_close(found.flatten(1).norm(dim=1), torch.full((4,), 2.5 * unit))
    numbers = 4 * torch.tensor(LENGTHS)
    torch.testing.assert_close(start.flatten(1).norm(dim=1), 0.1 * unit * numbers.sqrt())
    for row, length in enumerate(LENGTHS):
        assert not found[row, length:].any()
        assert not start[row, length:].any()


def test_nothing_moved_is_no_divergence_under_dropout_and_a_divergence_is_never_negative() -> None:
    model, batch = build_model(**DROPOUTS), build_batch()
    for _ in range(5):
        assert not virtual_adversarial_losses(CleanPass(model, batch), 0.0).any(), "the same masks"
        assert bool((virtual_adversarial_losses(CleanPass(model, batch), 1.0) > 0).all())
    logits = torch.randn(2, 1000, 3)
    assert float(kl_divergence(*logits).min()) >= 0


def test_masks_drawn_again_take_nothing_from_the_random_numbers_that_follow() -> None:
    model, batch = build_model(**DROPOUTS), build_batch()
    clean = CleanPass(model, batch)
    before = torch.get_rng_state()
    clean.divergence(clean.embedded)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(clean.disturbed_logits(clean.embedded), clean.logits), "new masks"


def test_one_power_iteration_finds_a_direction_that_hurts_more_than_random_ones() -> None:
    model, batch = build_model(), build_batch()
    clean = CleanPass(model, batch)
    unit, epsilon = model.embedding_unit(), 0.5
    found = torch.stack([virtual_adversarial_losses(clean, epsilon) for _ in range(20)]).mean(0)
    moves = (perturbation(torch.randn_like(clean.embedded), clean.lengths, epsilon * unit) for _ in range(200))
    random = torch.stack([clean.divergence(clean.embedded + move) for move in moves])
    assert bool((found > 3 * random.mean(0)).all())
    assert bool((found > random.quantile(0.9, dim=0)).all())


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("parts", [*[{name: 0.6} for name in ALL_PARTS if "weight" not in name], ALL_PARTS], ids=str)
def test_loss_and_gradients_are_those_of_a_plain_float64_implementation(
    parts: dict[str, float], normalized: bool
) -> None:
    model = build_model(bidirectional=False, pooling="mean", normalize_embedding=normalized)
    batch, unlabelled = build_batch(), build_batch(seed=1, labels=False)
    torch.manual_seed(7)
    loss = build_objective(TrainingConfig.model_validate(parts))(model, batch, unlabelled)
    total = loss.scaled_total(4, 4) / 4
    total.backward()
    torch.manual_seed(7)
    weights = {name: value.detach().double().requires_grad_() for name, value in model.named_parameters()}
    expected = reference(weights, model.token_frequency, batch, unlabelled, parts)
    expected.backward()
    assert float(total.detach()) == pytest.approx(float(expected.detach()), rel=1e-4)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad.double(), weights[name].grad, rtol=1e-2, atol=1e-5, msg=name)


def reference(
    weights: dict[str, Tensor], frequency: Tensor | None, batch: Batch, unlabelled: Batch, parts: dict[str, float]
) -> Tensor:
    """The mean loss, review by review."""
    table, unit = weights["embedding.weight"], weights["embedding.weight"].detach().std()
    if frequency is not None:
        mean = sum(share * row for share, row in zip(frequency.double(), table, strict=True))
        variance = sum(share * (row - mean) ** 2 for share, row in zip(frequency.double(), table, strict=True))
        table, unit = (table - mean) / variance**0.5, torch.ones(())

    def log_p(steps: Tensor) -> Tensor:
        """The LSTM's gates, one step after another, the mean of its outputs, and the classes' log probabilities."""
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        w, u, b, c = (weights[f"recurrent.forwards.0.{name}"] for name in names)
        hidden, cell, outputs = torch.zeros(5).double(), torch.zeros(5).double(), []
        for step in steps:
            i, f, g, o = (w @ step + b + u @ hidden + c).chunk(4)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            hidden = o.sigmoid() * cell.tanh()
            outputs.append(hidden)
        pooled = torch.stack(outputs).mean(0)
        return (weights["output.weight"] @ pooled + weights["output.bias"]).log_softmax(0)

    def kl(steps: Tensor, moved: Tensor) -> Tensor:
        fixed = log_p(steps).detach()
        return (fixed.exp() * (fixed - log_p(moved))).sum()

    def towards(value: Tensor, of: Tensor, length: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(value, of, retain_graph=True)
        return length * gradient / gradient.norm()

    weight = parts.get("virtual_adversarial_weight", 1.0)
    mean_loss: Tensor = torch.zeros(()).double()
    for own in (batch, unlabelled):
        reviews = [table[ids[:length]] for ids, length in zip(own.token_ids, own.lengths, strict=True)]
        if own.labels is None and "entropy_weight" in parts:
            for steps in reviews:
                mean_loss = mean_loss - parts["entropy_weight"] * (log_p(steps).exp() * log_p(steps)).sum() / 4
        for steps, label in zip(reviews, own.labels if own.labels is not None else [], strict=False):
            loss = -log_p(steps)[label]
            if epsilon := parts.get("adversarial_epsilon"):
                loss = loss - log_p(steps + towards(loss, steps, epsilon * unit))[label]
            mean_loss = mean_loss + loss / 4
        if epsilon := parts.get("virtual_adversarial_epsilon"):
            for steps, normal in zip(reviews, torch.randn(*own.token_ids.shape, 4), strict=True):
                normal = normal[: len(steps)].double()
                start = (0.1 * unit * normal.numel() ** 0.5 * normal / normal.norm()).requires_grad_()
                move = towards(kl(steps, steps + start), start, epsilon * unit)
                mean_loss = mean_loss + weight * kl(steps, steps + move) / 8
    return mean_loss


def test_entropy_is_minus_p_log_p() -> None:
    p = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(entropy(p.clamp_min(1e-30).log()), torch.tensor([1.5, 0.0]) * np.log(2))
    torch.testing.assert_close(entropy(torch.zeros(1, 7)), torch.tensor([np.log(7)], dtype=torch.float32))


def test_without_any_part_the_loss_is_cross_entropy_to_the_last_bit() -> None:
    model, batch = build_model(**DROPOUTS), build_batch()
    torch.manual_seed(3)
    loss = build_objective(TrainingConfig())(model, batch, None)
    torch.manual_seed(3)
    expected = F.cross_entropy(model(batch.token_ids, batch.lengths), batch.labels, reduction="none").sum()
    assert torch.equal(loss.scaled_total(4, 0), expected)


def test_the_wide_branch_counts_on_both_sides() -> None:
    model, batch = build_model(), build_batch()
    plain = CleanPass(model, batch)
    model.wide_logits = lambda *_: torch.full((4, 3), 0.5) * torch.arange(3)  # type: ignore[method-assign]
    clean = CleanPass(model, batch)
    torch.testing.assert_close(clean.logits, plain.logits + 0.5 * torch.arange(3))
    assert not clean.divergence(clean.embedded).any()


def test_a_frozen_embedding_is_disturbed_too() -> None:
    model, batch = build_model(freeze_embedding=True), build_batch()
    build_objective(TrainingConfig.model_validate(ALL_PARTS))(model, batch, batch).scaled_total(4, 4).backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in model.parameters() if p.requires_grad)
    assert model.embedding.weight.grad is None


def test_each_part_has_a_mean_of_its_own_over_the_whole_step() -> None:
    """Batches of 3 and 1 labelled reviews, beside 2 and 4 unlabelled ones, whose gradients are added."""
    model, batch = build_model(), build_batch()
    config = TrainingConfig(accumulation_steps=2, entropy_weight=0.5, learning_rate=1e-9)
    token_ids = [ids[:length].numpy() for ids, length in zip(batch.token_ids, batch.lengths, strict=True)]
    assert batch.labels is not None
    split = EncodedSplit([Review("", "", "")] * 4, token_ids, batch.labels.numpy(), 0.0, 0.0)
    others = UnlabelledBatches([*token_ids, *token_ids[::-1]], config)
    others._batches = [np.array([0, 1]), np.array([7, 4, 5, 6]), np.array([2]), np.array([3])]
    runtime = build_runtime("cpu", "fp32")
    trainer = Trainer(model, build_objective(config), config, runtime, split, split, unlabelled=others)
    trainer.progress.steps = 1
    assert [own.tolist() for own in trainer._beside([np.array([0])] * 2)] == [[2], [3]], "those of the second step"
    trainer.progress.steps = 0
    sums = trainer.compute_gradient([np.array([0, 1, 2]), np.array([3])])
    gradient = {name: value.grad for name, value in model.named_parameters()}
    model.zero_grad()
    logits = model(batch.token_ids, batch.lengths)
    unlabelled = logits[torch.tensor([0, 1, 0, 3, 2, 1])]  # the same reviews
    loss = F.cross_entropy(logits, batch.labels) + 0.5 * entropy(unlabelled).mean()
    loss.backward()
    assert sums[0] / sums[2] == pytest.approx(float(loss.detach()), rel=1e-5)
    for name, value in model.named_parameters():
        torch.testing.assert_close(gradient[name], value.grad, msg=name)
