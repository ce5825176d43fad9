"""What deep networks do to a gradient is what autograd finds, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Outcome

from sentiment_lstm.lessons import activations as lesson


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", list(lesson.FUNCTIONS))
def test_the_deltas_are_autograds(name: str, seed: int) -> None:
    weights, x, y = lesson.draw_network(name, seed)
    f, _ = lesson.FUNCTIONS[name]
    a, sums = x, []
    for W in weights:
        sums.append((a @ W).requires_grad_())
        a = f(sums[-1])
    expected = torch.autograd.grad((a - y).square().sum() / 2, sums)
    found = lesson.deltas(name, weights, x, y)
    assert len(found) == lesson.LAYERS
    for own, other in zip(found, expected, strict=True):
        assert float(other.norm()) > 0
        assert float((own - other).norm()) < 1e-12 * float(other.norm())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_sigmoids_gradient_vanishes_and_the_others_arrive(seed: int) -> None:
    sigmoid, tanh, relu = lesson.measure(seed).curves
    assert sigmoid.ratio < 0.25**19 * 1.1, "at most the sigmoid's largest slope a layer"
    assert sigmoid.a_layer**19 == pytest.approx(sigmoid.ratio)
    assert [lesson.judge(own.ratio) for own in (sigmoid, tanh, relu)] == ["vanishes", "arrives", "arrives"]


@pytest.mark.parametrize(("ratio", "word"), [(0.0, "vanishes"), (0.05, "shrinks"), (0.1, "arrives"), (11.0, "grows")])
def test_a_ratio_has_a_word(ratio: float, word: str) -> None:
    assert lesson.judge(ratio) == word


def test_the_command_prints_tables_json_and_a_picture(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    told = cli("learn", "activations", "--output", "a.svg")
    assert told.code == 0
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()
    assert "  1      0.7311      0.1966   0.7616   0.4200  1.0000   1.0000\n" in told.out
    values = json.loads(cli("learn", "activations", "--json", "--seed", "2").out)
    assert [len(curve["norms"]) for curve in values["curves"]] == [20, 20, 20]
    assert f"sigmoid: dL/dz at layer 1 is {lesson.measure(1).curves[0].ratio:.2g} times" in told.out
    assert "gradiennya menghilang" in cli("learn", "activations", "--language", "id").out
