"""The six steps by hand: autograd's gradients, a loss that falls, every number told, and bad input in one line."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Outcome

from sentiment_lstm.cli.learn import _wait_for_enter
from sentiment_lstm.lessons import backprop as lesson
from sentiment_lstm.lessons.backprop_picture import GAP, best_place
from sentiment_lstm.lessons.backprop_text import steps_by_hand
from sentiment_lstm.lessons.language import Say
from sentiment_lstm.lessons.network_by_hand import ACTIVATIONS, Network, backward, forward, loss, update

NETWORKS = [(2, 3, 1), (3, 1), (4, 3, 2, 3, 2), (1, 1, 1, 1, 1, 1)]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("layers", NETWORKS)
def test_every_gradient_by_hand_is_autograds(layers: tuple[int, ...], activation: str, seed: int) -> None:
    result = lesson.run(layers, activation, seed=seed)
    assert result.passed
    assert result.difference < 1e-15
    assert any(result.delta[1]), "a gradient of zeros would compare nothing"
    assert len(result.rows) == 2 * (len(layers) - 1)


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("z", [-800.0, -3.0, -0.5, 0.0, 0.5, 3.0, 800.0])
def test_activation_functions_are_torchs(activation: str, z: float) -> None:
    own = ACTIVATIONS[activation]
    number = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    value = lesson.FUNCTIONS[activation](number)
    (slope,) = torch.autograd.grad(value, number)
    assert own.f(z) == pytest.approx(value.item(), abs=1e-15)
    assert own.slope(z) == pytest.approx(slope.item(), abs=1e-15)


def test_a_network_worked_out_on_paper() -> None:
    # z = 0.5 * 2 - 1 = 0, a = 1/2, L = 1/2 (1/2 - 1)^2, delta = -1/2 * 1/4; then the same through a weight of 4.
    network = Network([[], [[0.5]], [[4.0]]], [[], [-1.0], [-2.0]])
    z, a = forward(network, "sigmoid", [2.0])
    assert (z, a) == ([[], [0.0], [0.0]], [[2.0], [0.5], [0.5]])
    delta, gradient = backward(network, "sigmoid", z, a, [1.0])
    assert delta == [[], [-0.125], [-0.125]]
    assert gradient == Network([[], [[-0.25]], [[-0.0625]]], [[], [-0.125], [-0.125]])


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_loss_falls_as_autograd_lets_it_fall(activation: str, seed: int) -> None:
    result = lesson.run((2, 3, 1), activation, seed=seed)
    assert len(result.losses) == lesson.DRAWN_STEPS + 1
    assert result.losses[-1] < result.losses[10] < result.losses[0]
    network = result.network
    for expected in result.losses[:5]:
        _, a = forward(network, activation, result.x)
        assert loss(a[-1], result.y) == pytest.approx(expected, rel=1e-12)
        network = update(
            network, lesson.autograd_gradient(network, activation, result.x, result.y), result.learning_rate
        )


def test_every_number_of_the_first_step_is_told() -> None:
    result = lesson.run(layers=(2, 3, 1), steps=3)
    told = "\n".join(lesson.lines(result, Say("en")))
    for layer, neurons, before in ((1, 3, 2), (2, 1, 3)):
        for j in range(1, neurons + 1):
            for name in (f"z{layer}_{j}", f"a{layer}_{j}", f"delta{layer}_{j}", f"f'(z{layer}_{j})"):
                assert told.count(f"\n  {name} = ") == 1, name
            for name in [f"b{layer}_{j}", *(f"W{layer}_{i}{j}" for i in range(1, before + 1))]:
                assert told.count(f"dL/d{name} = ") == 1
                assert f"\n  {name} = " in told.split("\n5. Update")[1]
    W, z = result.network.W[1], result.z[1][1]
    assert f"= {W[0][1]:.4f}*0.1000 + ({W[1][1]:.4f})*0.9000 + 0.1000\n       = {z:.4f}\n" in told
    assert (
        f"  W2_11 = {result.network.W[2][0][0]:.4f} - 0.5*({result.gradient.W[2][0][0]:.4f})"
        f" = {result.updated.W[2][0][0]:.4f}\n" in told
    )
    table = told.split("\n6. Repeat")[1].split("\n\n")[0].splitlines()[2:]
    assert [row.split() for row in table] == [[str(place), f"{result.losses[place]:.4f}"] for place in range(4)]


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("layers", [(2, 3, 1), (8, 2, 3, 2)])
def test_every_equation_told_is_true(layers: tuple[int, ...], activation: str) -> None:
    """Each equation's letters, with the numbers told for them, and its numbers come to what it says."""
    result = lesson.run(layers, activation)
    told = "\n".join(line for step in steps_by_hand(result, Say("en")) for line in step if line.startswith("  "))
    told = re.sub(r"\n {4,}", " ", told)  # an equation a line
    told = re.sub(r" {2,}(?=[abWy]\w+ = )", "\n", told)  # numbers beside one another as well
    told = re.sub(r"f'\((\w+)\)", r"slope_\1", told.replace("dL/d", "d").replace("^", "**"))  # as Python has it
    known: dict[str, object] = {name: own.f for name, own in ACTIVATIONS.items()}
    equations = 0
    for line in told.splitlines():
        name, *parts = re.split(" += +", line.strip())
        if not parts or name.endswith("_j"):
            continue  # a heading
        value = float(parts[-1])
        for part in parts[:-1]:
            assert eval(part, {"__builtins__": {}}, known) == pytest.approx(value, abs=2e-4), (name, part)
        known[name] = value
        equations += 1
    assert equations > 40


def test_a_long_run_has_a_short_table() -> None:
    told = list(lesson.repeat_lines(lesson.run(steps=1000), Say("en")))
    assert len(told) < 25
    assert [told[2].split()[0], told[-1].split()[0]] == ["0", "1000"]


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_a_learning_rate_that_is_too_large_is_said(activation: str) -> None:
    result = lesson.run((2, 3, 1), activation, 1000.0, 20, 3)
    assert "From update " in list(lesson.repeat_lines(result, Say("en")))[-1]
    json.dumps(lesson.to_dict(result), allow_nan=False)
    healthy = lesson.run((2, 3, 1), activation, steps=1000, seed=3)
    assert "From update " not in list(lesson.repeat_lines(healthy, Say("en")))[-1]


def test_the_lesson_pauses_after_each_of_the_six_steps() -> None:
    told: list[str] = []
    paused: list[str] = []

    def pause(prompt: str) -> None:
        assert prompt == "Press Enter for the next step. "
        paused.append("".join(line[:2] for line in told if line[1:2] == ".")[-2:])

    for line in lesson.lines(lesson.run(), Say("en"), pause):
        told.append(line)
    assert paused == ["1.", "2.", "3.", "4.", "5.", "6."]


class Terminal(io.StringIO):
    """What a terminal's input is to the command."""

    def isatty(self) -> bool:
        return True


def test_enter_is_waited_for_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", terminal := Terminal("\n"))
    _wait_for_enter("Enter? ")
    assert terminal.tell() == 1
    assert capsys.readouterr().err == "Enter? "
    _wait_for_enter("Enter? ")
    assert capsys.readouterr().err == "Enter? \n", "at the end of input it goes on"
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    _wait_for_enter("Enter? ")
    assert sys.stdin.tell() == 0
    assert capsys.readouterr().err == ""


def test_a_mistake_in_a_gradient_fails(cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: object) -> object:
        delta, gradient = backward(*arguments)  # type: ignore[arg-type]
        gradient.W[1][0][0] += 1e-9
        return delta, gradient

    monkeypatch.setattr(lesson, "backward", wrong)
    outcome = cli("learn", "backprop")
    assert outcome.code == 1
    assert "A gradient by hand is wrong" in outcome.out
    assert outcome.err.count("\n") == 1


def test_the_command_prints_steps_json_and_a_picture(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    told = cli("learn", "backprop", "--output", "a.png", "--step-by-step")
    assert told.code == 0
    assert (told.err, "Enter" in told.out) == ("", False), "no terminal, no waiting"
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    values = json.loads(cli("learn", "backprop", "--json", "--activation", "tanh", "--layers", "2, 2,2").out)
    assert (values["lesson"], values["layers"], values["passed"]) == ("backprop", [2, 2, 2], True)
    assert values["learning_rate"] == 0.1
    told = cli(
        "learn", "backprop", "--language", "id", "--layers", "8,4,3,1", "--activation", "relu", "--output", "b.svg"
    )
    assert "4. Propagasi balik" in told.out
    assert max(len(line) for line in told.out.splitlines() if line.startswith("  ")) <= 100


@pytest.mark.parametrize(("options", "message"), [
    (["--layers", "2,x"], "--layers '2,x': give 2 to 6 layers of 1 to 8 neurons each, the input first, as in 2,3,1"),
    (["--layers", "3"], "--layers '3': give 2 to 6"),
    (["--layers", "2,9,1"], "--layers '2,9,1': give 2 to 6"),
    (["--layers", "2,0,1"], "--layers '2,0,1': give 2 to 6"),
    (["--layers", "1,1,1,1,1,1,1"], "--layers '1,1,1,1,1,1,1': give 2 to 6"),
    (["--layers", "8,8,1"], "--layers '8,8,1': 72 weights are too many to print; 60 is the limit"),
    (["--activation", "swish"], "swish"),
    (["--learning-rate", "nan"], "--learning-rate nan: give a number above 0, 1000 at most"),
    (["--learning-rate", "0"], "--learning-rate 0: give"),
    (["--steps", "0"], "--steps"),
    (["--step-by-step", "--json"], "--step-by-step: JSON is printed at once"),
])  # fmt: skip
def test_bad_input_is_one_line(cli: Callable[..., Outcome], options: list[str], message: str) -> None:
    assert message in cli("learn", "backprop", *options).error(2)


def test_the_default_network_has_room_for_its_numbers() -> None:
    assert all(gap >= GAP for _, gap in (best_place(2, 3), best_place(3, 1)))
    assert best_place(4, 4)[1] < GAP


@pytest.mark.parametrize("document", ["docs/backpropagation.md", "docs/id/backpropagasi.md"])
def test_the_documents_quote_lines_that_stand_in_the_code(document: str) -> None:
    root = Path(lesson.__file__).parents[2]
    text = (root / document).read_text(encoding="utf-8").split("<!-- lesson: lstm -->")[0]
    quoted = re.findall(r"\| (?:\S*(network_by_hand|activations).py\S* )?`([^`]+)` \|$", text, re.MULTILINE)
    assert len(quoted) == 3 + 8 + 6
    for file, line in quoted:
        assert line in (root / f"sentiment_lstm/lessons/{file or 'network_by_hand'}.py").read_text(encoding="utf-8")
