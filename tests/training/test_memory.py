"""When memory does not suffice: the batch is named, or gone through in halves with the same gradient."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_trainer import RUNTIME, build_trainer, weights_of

from sentiment_lstm.data.batching import Batch
from sentiment_lstm.errors import RunFailure, TrainingError
from sentiment_lstm.training.memory import is_out_of_memory
from sentiment_lstm.training.objectives import Loss, Objective
from sentiment_lstm.training.scoring import compute_logits

ERRORS = [
    MemoryError("16 GB"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried ..."),
]


def small_memory(objective: Objective, tokens: int, error: BaseException) -> Callable[..., Loss]:
    """An objective that fails, after some work, on a batch of more than so many tokens, padding included."""

    def call(model: Any, batch: Batch, unlabelled: Any) -> Loss:
        loss = objective(model, batch, unlabelled)
        if batch.token_ids.numel() > tokens:
            loss.total.backward(retain_graph=True)  # half a gradient, which must not be kept
            raise error
        return loss

    return call


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_the_batch_and_what_to_halve_are_named(error: BaseException) -> None:
    trainer = build_trainer(batch_size=80)
    trainer.objective = small_memory(trainer.objective, 100, error)
    with pytest.raises(TrainingError) as refusal:
        list(trainer.fit())
    for words in ("out of memory at step 1", "80 reviews of up to 8 tokens", "640", "halve training.batch_tokens",
                  "(to 320; it is 32,768)", "tokenizer.max_length", "--auto-batch"):  # fmt: skip
        assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_halves_add_up_to_the_same_step(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    settings = {"batch_size": 80, "optimizer": "sgd", "learning_rate": 0.1, "epochs": 2, "accumulation_steps": 2}
    whole, halved = build_trainer(**settings), build_trainer(**settings, auto_batch=True)
    halved.objective = small_memory(halved.objective, 200, error)
    histories = []
    with caplog.at_level(logging.WARNING):
        for trainer in (whole, halved):
            histories.append(list(trainer.fit()))
    torch.testing.assert_close(weights_of(halved), weights_of(whole), atol=1e-6, rtol=0)
    assert histories[0][1].train_loss == pytest.approx(histories[1][1].train_loss, abs=1e-6)
    assert halved.pieces.tokens == 160
    assert [record.message.split(": ")[-1] for record in caplog.records] == [
        "going on with at most 320 tokens at once", "going on with at most 160 tokens at once",
    ]  # fmt: skip


def test_a_single_review_that_is_too_much_is_named() -> None:
    trainer = build_trainer(auto_batch=True)
    trainer.objective = small_memory(trainer.objective, 0, MemoryError())
    with pytest.raises(TrainingError, match=r"out of memory at step 1: 1 reviews? of up to \d tokens"):
        list(trainer.fit())


def test_other_errors_are_left_as_they_are() -> None:
    trainer = build_trainer(auto_batch=True)
    trainer.objective = small_memory(trainer.objective, 0, RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        list(trainer.fit())
    assert not is_out_of_memory(ValueError("no"))


def test_scoring_goes_on_in_halves_with_the_same_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = build_trainer()
    token_ids = trainer.train_split.token_ids
    whole = compute_logits(trainer.model, token_ids, RUNTIME)
    forward, sizes = trainer.model.forward, []

    def small(ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        if ids.numel() > 100:
            raise MemoryError
        sizes.append(len(ids))
        return forward(ids, lengths)

    monkeypatch.setattr(trainer.model, "forward", small)
    torch.testing.assert_close(compute_logits(trainer.model, token_ids, RUNTIME), whole, atol=1e-6, rtol=0)
    assert sizes == [10] * 8


def test_a_text_too_long_to_score_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = build_trainer()

    def none(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(trainer.model, "forward", none)
    with pytest.raises(RunFailure, match=r"a text of \d tokens is too long for this machine"):
        compute_logits(trainer.model, trainer.train_split.token_ids, RUNTIME)
