"""The gradients that the lesson shows are the model's own, and vanish where they must."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Outcome
from torch.nn import functional as F

from sentiment_lstm.config import ModelConfig
from sentiment_lstm.errors import UsageError
from sentiment_lstm.lessons import gradients as lesson
from sentiment_lstm.lessons import gradients_of_run
from sentiment_lstm.lessons.reading import Sentence, outputs_of, read, recurrent_inputs
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.model.recurrent import Recurrent

SMALL = {"embedding_dim": 6, "hidden_dim": 5, "embedding_std": 1.0, "conv_channels": 4, "conv_kernel_size": 3}
LABELS = ["negative", "positive"]


def small_model(**settings: object) -> SentimentClassifier:
    torch.manual_seed(1)
    return SentimentClassifier(ModelConfig(**{**SMALL, **settings}), 20, 2).eval()


def sentence(length: int = 9) -> Sentence:
    ids = torch.arange(2, 2 + length)[None]
    return Sentence(tuple(f"w{number}" for number in ids[0].tolist()), ids, length)


@pytest.mark.parametrize("kind", ["lstm", "rnn"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("segment_length", [None, 4, 5])
def test_reading_word_by_word_equals_the_model(
    kind: str, layers: int, bidirectional: bool, segment_length: int | None
) -> None:
    torch.manual_seed(1)
    recurrent = Recurrent(kind, 3, 4, layers, bidirectional, segment_length=segment_length).double()
    inputs = torch.randn(2, 10, 3, dtype=torch.float64)
    expected, _ = recurrent(inputs, torch.tensor([10, 10]))
    assert (outputs_of(read(recurrent, inputs)) - expected).abs().max() < 1e-14


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "mean_max", "attention"])
@pytest.mark.parametrize("kind", ["lstm", "cnn_lstm", "rnn"])
def test_the_answer_and_its_gradients_are_the_models(kind: str, pooling: str) -> None:
    model, own = small_model(kind=kind, pooling=pooling, conv_pool_size=2, num_layers=2), sentence()
    result = gradients_of_run.measure(model, LABELS, own, "run")
    with torch.no_grad():
        logits = model(own.token_ids, torch.tensor([9]))
    assert result.probability == pytest.approx(float(logits.softmax(1).max()), abs=1e-6)
    assert len(result.words) == (5 if kind == "cnn_lstm" else 9)
    assert [len(norms) for own in result.directions for norms in (own.through_time, own.everything)] == [
        len(result.words)
    ] * 4
    if pooling == "last":
        for direction in result.directions:
            assert direction.through_time == pytest.approx(direction.everything, rel=1e-5)


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_everything_is_the_loss_by_finite_differences(pooling: str) -> None:
    # One number of h_t is moved, and the words after it are read again.
    model, own = small_model(kind="rnn", pooling=pooling, bidirectional=False), sentence(5)
    result = gradients_of_run.measure(model, LABELS, own, "run")
    model = model.double()
    W, U, b, b_more = model.recurrent.forwards[0].parameters()
    inputs = recurrent_inputs(model, own.token_ids)[0]
    label = LABELS.index(result.label)

    def loss(place: int, number: int, move: float) -> float:
        h, states = torch.zeros(5, dtype=torch.float64), []
        for t, x in enumerate(inputs):
            h = torch.tanh(W @ x + U @ h + b + b_more)
            if t == place:
                h = h + move * F.one_hot(torch.tensor(number), 5)
            states.append(h)
        pooled = states[-1] if pooling == "last" else torch.stack(states).mean(0)
        return float(F.cross_entropy(model.output(pooled), torch.tensor(label)))

    with torch.no_grad():
        for place in range(5):
            slopes = [(loss(place, number, 1e-6) - loss(place, number, -1e-6)) / 2e-6 for number in range(5)]
            norm = math.sqrt(sum(slope**2 for slope in slopes))
            assert result.directions[0].everything[place] == pytest.approx(norm, rel=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "max", "mean_max", "attention"])
def test_what_pooling_gives_is_put_on_the_last_state(pooling: str) -> None:
    # A forget gate of 0 and no way from h to h: whatever is not at the end has nothing to do with the end.
    model = small_model(pooling=pooling)
    with torch.no_grad():
        for layer in [*model.recurrent.forwards, *model.recurrent.backwards]:
            layer.weight_hh_l0.zero_()
    result = gradients_of_run.measure(model, LABELS, sentence(), "run")
    forward, backward = result.directions
    assert forward.through_time[-1] > 0
    assert backward.through_time[0] > 0
    assert not any(forward.through_time[:-1] + backward.through_time[1:])
    assert forward.ratio == backward.ratio == 0
    assert sum(norm > 0 for norm in forward.everything) > 1


def test_no_gradient_leaves_a_segment() -> None:
    result = gradients_of_run.measure(small_model(segment_length=4), LABELS, sentence(), "run")
    forward, backward = ([norm > 0 for norm in own.through_time] for own in result.directions)
    assert forward == [False] * 8 + [True]
    assert backward == [True] * 4 + [False] * 5


def test_one_step_is_refused() -> None:
    with pytest.raises(UsageError, match="in one step"):
        gradients_of_run.measure(small_model(), LABELS, sentence(1), "run")


def test_the_forget_bias_keeps_the_gradient_and_the_word(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    values = json.loads(cli("learn", "gradients", "--json", "--output", "a.svg").out)
    assert (tmp_path / "a.svg").read_bytes().startswith(b"<?xml")
    rnn, low, high = values["networks"]
    assert (low["forget_bias"], high["forget_bias"]) == (0.0, 1.0)
    for state in ("untrained", "trained"):
        assert len(rnn[state]["hidden"]) == 30
        assert high[state]["ratio"] > 50 * max(rnn[state]["ratio"], low[state]["ratio"])
    assert high["trained"]["accuracy"] > 0.95
    assert max(rnn["trained"]["accuracy"], low["trained"]["accuracy"]) < 0.75
    assert high["trained"]["cell"][0] / high["trained"]["cell"][-1] > 1e-3


def test_the_seed_decides_and_the_sentence_holds_the_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson, "STEPS", 2)
    first, again, other = lesson.measure(1), lesson.measure(1), lesson.measure(2)
    assert first == again != other
    text = "\n".join(lesson.lines(first, lesson.Say("en")))
    for own in first.networks:
        assert f"{own.trained.hidden[0] / own.trained.hidden[-1]:.1e} trained" in text
    assert "Learnt what the first word means: none." in text


def test_a_run_and_a_sentence(cli: Callable[..., Outcome], tiny_run: Path, tmp_path: Path) -> None:
    told = cli("learn", "gradients", "a good film, not a bad one", "--model", tiny_run, "--output", "a.png")
    assert (told.code, told.err) == (0, "")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "Reading forward, the norm" in told.out
    assert "straight from there" in told.out
    values = json.loads(cli("learn", "gradients", "--model", tiny_run, "--json").out)
    assert len(values["words"]) == len(values["directions"][0]["through_time"]) == values["num_words"]
    assert "lewat waktu" in cli("learn", "gradients", "a good film", "--model", tiny_run, "--language", "id").out


def test_bad_input_is_one_line(cli: Callable[..., Outcome], tiny_run: Path) -> None:
    assert "leave it out" in cli("learn", "gradients", "a film", "--seed", "2").error(2)
    assert "in one step" in cli("learn", "gradients", "film", "--model", tiny_run).error(2)
    assert "no word" in cli("learn", "gradients", "qqxyzzy", "--model", tiny_run).error(2)
    assert "empty" in cli("learn", "gradients", " ", "--model", tiny_run).error(2)
    cli("learn", "gradients", "--seed", "-1").error(2)
    cli("learn", "gradients", "--model", "nowhere").error(2)
