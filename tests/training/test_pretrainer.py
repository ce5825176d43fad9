"""Pretraining: the sampled softmax learns what the whole one would, and the state goes on between windows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from sentiment_lstm.data.prepare import EncodedSplit
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.errors import OutOfMemory
from sentiment_lstm.model.language_model import LanguageModel
from sentiment_lstm.recipes import validate_config
from sentiment_lstm.training.pretrainer import (
    Pretrainer,
    compared_words,
    draw_words,
    exact_loss,
    log_expected,
    sampled_loss,
)
from sentiment_lstm.training.runtime import build_runtime

WORDS = 30


def chain(count: int, seed: int) -> EncodedSplit:
    """Texts in which each word is the one before plus one: a next word that can be known."""
    random = np.random.default_rng(seed)
    starts, lengths = random.integers(0, WORDS - 2, count), random.integers(5, 25, count)
    token_ids = [
        (2 + (start + np.arange(length)) % (WORDS - 2)).astype(np.int32)
        for start, length in zip(starts, lengths, strict=True)
    ]
    return EncodedSplit(
        [Review("", None, str(n)) for n in range(count)], token_ids, np.zeros(count, np.int64), 0.0, 0.0
    )


def build(pretraining: dict[str, Any] | None = None, **training: Any) -> Pretrainer:
    settings = {
        "model": {"embedding_dim": 12, "hidden_dim": 24, "bidirectional": False},
        "training": {"precision": "fp32", "learning_rate": 0.02, "epochs": 3, **training},
        "pretraining": {"streams": 4, "window": 8, "sampled_words": 10, **(pretraining or {})},
    }
    config = validate_config(settings, "test")
    torch.manual_seed(config.training.seed)
    model = LanguageModel(config.model, WORDS)
    return Pretrainer(model, config, build_runtime("cpu", "fp32"), chain(60, 0), chain(20, 1))


def test_words_are_drawn_as_often_as_expected() -> None:
    torch.manual_seed(0)
    drawn, sizes = torch.zeros(200), []
    for _ in range(3000):
        words = draw_words(20, 200)
        assert bool((words.diff() > 0).all()), "different ones, in order"
        drawn[words] += 1
        sizes.append(len(words))
    expected = log_expected(20, 200, torch.device("cpu"))
    torch.testing.assert_close(drawn / 3000, expected.exp(), atol=0.04, rtol=0.2)
    assert bool((expected.diff() < 0).all()), "the frequent ones more often"
    assert compared_words(20, 200) == pytest.approx(np.mean(sizes) + 1, abs=0.7)
    assert compared_words(None, 200) == compared_words(200, 200) == 200


def test_a_drawn_word_that_is_the_target_counts_once() -> None:
    """Against the formula written out: the target beside every drawn word that is another."""
    model = build().model
    features, targets = torch.randn(40, 12), torch.randint(0, WORDS, (40,))
    torch.nn.init.normal_(model.output_bias)
    torch.manual_seed(5)
    words = draw_words(10, WORDS)
    torch.manual_seed(5)
    loss = sampled_loss(model, features, targets, 10)
    logits = features @ model.embedding.weight.T + model.output_bias - log_expected(10, WORDS, torch.device("cpu"))
    parts = []
    for own, target in zip(logits, targets, strict=True):
        others = own[words[words != target]]
        parts.append(torch.cat([own[target][None], others]).logsumexp(0) - own[target])
    assert 0 < int(torch.isin(targets, words).sum()) < 40
    assert float(loss.detach()) == pytest.approx(float(torch.stack(parts).sum().detach()), rel=1e-5)
    for one, other in zip(
        torch.autograd.grad(loss, list(model.parameters()), allow_unused=True),
        torch.autograd.grad(torch.stack(parts).sum(), list(model.parameters()), allow_unused=True),
        strict=True,
    ):
        if one is not None:
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_the_sampled_loss_is_the_whole_one_where_all_words_are_drawn() -> None:
    model = build().model
    features, targets = torch.randn(50, 12), torch.randint(0, WORDS, (50,))
    exact, right = exact_loss(model, features, targets)
    logits = features @ model.embedding.weight.T + model.output_bias
    expected = -logits.log_softmax(1)[torch.arange(50), targets].sum()
    assert float(exact.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert int(right) == int((logits.argmax(1) == targets).sum())
    sampled = sampled_loss(model, features, targets, 100_000)
    assert float(sampled.detach()) == pytest.approx(float(exact.detach()), rel=1e-4)


def test_the_sampled_gradient_is_near_the_whole_one_on_average() -> None:
    model = build().model
    features, targets = torch.randn(200, 12), torch.randint(0, WORDS, (200,))
    exact_loss(model, features, targets)[0].backward()
    bias = model.output_bias
    assert bias.grad is not None
    whole = bias.grad.clone()
    total = torch.zeros_like(whole)
    for _ in range(300):
        model.zero_grad()
        sampled_loss(model, features, targets, 60).backward()
        total += bias.grad
    assert float(torch.nn.functional.cosine_similarity(total, whole, dim=0)) > 0.98


@pytest.mark.parametrize("sampled", [None, 10])
@pytest.mark.parametrize("backward", [False, True])
def test_what_can_be_known_is_learnt(sampled: int | None, backward: bool) -> None:
    trainer = build({"sampled_words": sampled, "backward": backward}, epochs=12)
    records = list(trainer.fit())
    assert records[-1].validation_loss < 0.5 * records[0].validation_loss
    assert records[-1].validation_accuracy > 0.8
    assert math.exp(records[-1].validation_loss) < 2.5
    assert records[-1].train_accuracy is None, "among drawn words it would say nothing"
    assert trainer.best is not None
    assert trainer.best.validation_loss == min(record.validation_loss for record in records)
    assert not trainer.model.embedding.weight[0].any()


def test_the_state_goes_on_within_an_epoch_and_starts_anew_with_the_next() -> None:
    trainer = build(epochs=1)
    seen: list[float] = []
    forward = trainer.model.forward

    def watched(token_ids: torch.Tensor, state: Any) -> Any:
        if trainer.model.training:
            seen.append(float(state[0][0].abs().sum()))
        return forward(token_ids, state)

    trainer.model.forward = watched  # type: ignore[method-assign]
    list(trainer.fit())
    assert seen[0] == 0
    assert all(value > 0 for value in seen[1:])


def test_memory_that_does_not_suffice_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = build()

    def none(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(trainer.model, "forward", none)
    with pytest.raises(OutOfMemory, match=r"4 streams of 8 words .* halve pretraining\.streams"):
        list(trainer.fit())
