"""The backward pass by hand is autograd's, and a mistake in it is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Outcome

from sentiment_lstm.lessons import lstm as lesson
from sentiment_lstm.lessons.lstm_by_hand import backward


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_gradient_by_hand_agrees(seed: int) -> None:
    result = lesson.check(seed)
    assert result.passed
    assert result.autograd < 1e-12
    assert 0 < result.differences < 1e-8, "differences are not autograd in disguise"
    assert result.cell < 1e-12
    assert len(result.arriving) == lesson.SIZES["words"]
    assert [row.name for row in result.rows] == ["embedding", "W", "U", "b", "A", "d"]
    assert all(row.gradient_norm > 0.01 for row in result.rows)


def test_a_mistake_in_a_gradient_fails(cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: object) -> object:
        gradient, arriving = backward(*arguments)  # type: ignore[arg-type]
        return replace(gradient, b=gradient.b * 1.001), arriving

    monkeypatch.setattr(lesson, "backward", wrong)
    outcome = cli("learn", "lstm")
    assert outcome.code == 1
    assert "A gradient by hand is wrong" in outcome.out
    assert outcome.err.count("\n") == 1


def test_the_command_prints_a_table_json_and_a_picture(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    told = cli("learn", "lstm", "--output", "a.png")
    assert told.code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert told.out.endswith("picture: a.png\n")
    values = json.loads(cli("learn", "lstm", "--json", "--seed", "3").out)
    assert (values["lesson"], values["seed"], values["passed"]) == ("lstm", 3, True)
    assert "hitungan tangan cocok" in cli("learn", "lstm", "--language", "id").out
    assert cli("learn", "lstm", "--output", "a.gif").error(2) == "error: a.gif: a picture's name ends in .png or .svg\n"
