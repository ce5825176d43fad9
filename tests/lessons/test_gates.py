"""The gates are torch's, and the running probability is what predict answers to each beginning."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Outcome
from test_gradients import LABELS, sentence, small_model

from sentiment_lstm.config import SHIPPED, find_language_model
from sentiment_lstm.errors import UsageError
from sentiment_lstm.inference.predictor import load
from sentiment_lstm.lessons import gates as lesson
from sentiment_lstm.lessons.language import Say
from sentiment_lstm.lessons.reading import read, recurrent_inputs

TEXT = "a good film , not a bad one"


@torch.no_grad()
def test_cell_states_are_those_that_torch_returns() -> None:
    model, own = small_model(bidirectional=False), sentence()
    (steps,) = read(model.recurrent, recurrent_inputs(model, own.token_ids))
    inputs, state = model.embed(own.token_ids), None
    for t, step in enumerate(steps):
        _, state = model.recurrent.forwards[0](inputs[:, t : t + 1], state)
        for mine, torchs in zip((step.h, step.c), state, strict=True):
            assert mine is not None
            assert (mine - torchs[0]).abs().max() < 1e-6


@torch.no_grad()
def test_a_gate_is_shown_under_its_own_name() -> None:
    model = small_model(forget_bias=0.0)
    for layer in [*model.recurrent.forwards, *model.recurrent.backwards]:
        layer.weight_ih_l0.zero_()
        layer.weight_hh_l0.zero_()
        layer.bias_ih_l0.copy_(torch.tensor([-2.0, 1.0, 3.0, 2.0]).repeat_interleave(5))  # i, f, g, o
    for own in lesson.measure(model, LABELS, sentence(), "run").directions:
        i, f, g, o = (float(value) for value in torch.tensor([-2.0, 1.0, 0.0, 2.0]).sigmoid())
        assert g == 0.5
        assert own.input == pytest.approx([i] * 9)
        assert own.forget == pytest.approx([f] * 9)
        assert own.output == pytest.approx([o] * 9)
        first = own.cell[0 if own.name == "forward" else -1]
        assert first == pytest.approx(float(torch.tanh(i * torch.tanh(torch.tensor(3.0)))))


def test_the_running_probability_is_what_predict_answers(cli: Callable[..., Outcome], tiny_run: Path) -> None:
    values = json.loads(cli("learn", "gates", TEXT, "--model", tiny_run, "--json").out)
    words = TEXT.split()
    assert values["words"] == words
    predictions = load(tiny_run).predict([" ".join(words[: number + 1]) for number in range(len(words))])
    assert values["probability"] == pytest.approx([own.probabilities["positive"] for own in predictions], abs=1e-5)
    assert [own["name"] for own in values["directions"]] == ["forward"]


def test_groups_of_a_cnn_lstm() -> None:
    model, own = small_model(kind="cnn_lstm", conv_pool_size=4), sentence()
    result = lesson.measure(model, ["bad", "good"], own, "run")
    assert result.words == ("w2…w5", "w6…w9", "w10")
    assert result.label == "good"
    with torch.no_grad():
        expected = [float(model(own.token_ids[:, :end], torch.tensor([end])).softmax(1)[0, 1]) for end in (4, 8, 9)]
    assert result.probability == pytest.approx(expected, abs=1e-6)


def test_the_label_is_positive_wherever_it_stands() -> None:
    model, own = small_model(), sentence()
    first, last = (lesson.measure(model, labels, own, "run") for labels in (["positive", "other"], LABELS))
    assert first.label == last.label == "positive"
    assert [a + b for a, b in zip(first.probability, last.probability, strict=True)] == pytest.approx([1.0] * 9)


def test_words_are_coloured_where_the_terminal_can(monkeypatch: pytest.MonkeyPatch) -> None:
    result = lesson.measure(small_model(), LABELS, sentence(), "run")
    assert [own.name for own in result.directions] == ["forward", "backward"]
    coloured, plain = ("\n".join(lesson.lines(result, Say("en"), colour)) for colour in (True, False))
    assert "\x1b" not in plain
    assert f"w2 {result.probability[0]:.2f}" in plain
    assert lesson.painted("w2", result.probability[0]) in coloured
    assert lesson.painted("a", 0.0) == "\x1b[38;5;27ma\x1b[0m"
    assert lesson.painted("a", 1.0) == "\x1b[38;5;202ma\x1b[0m"
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert lesson.in_colour()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not lesson.in_colour()


def test_an_unknown_word_a_long_text_and_a_picture(cli: Callable[..., Outcome], tiny_run: Path, tmp_path: Path) -> None:
    told = cli("learn", "gates", "a film qqxyzzy " * 20, "--model", tiny_run, "--output", "a.png")
    assert (told.code, told.err) == (0, "")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "[qqxyzzy]" in told.out
    assert "The text has 60 tokens; 40 of them" in told.out
    assert "\x1b" not in told.out
    assert max(len(line) for line in told.out.split("\n")[4:10]) <= lesson.WIDTH
    assert "gerbang lupa" in cli("learn", "gates", TEXT, "--model", tiny_run, "--language", "id").out


def test_bad_input_is_one_line(cli: Callable[..., Outcome], tiny_run: Path) -> None:
    assert "no word" in cli("learn", "gates", "qqxyzzy", "--model", tiny_run).error(2)
    assert "empty" in cli("learn", "gates", "").error(2)
    language_model = find_language_model(Path(SHIPPED))
    assert "is a language model" in cli("learn", "gates", TEXT, "--model", language_model).error(2)
    with pytest.raises(UsageError, match="no gates"):
        lesson.measure(small_model(kind="rnn"), LABELS, sentence(), "runs/x")
