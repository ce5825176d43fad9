"""``sentiment-lstm learn``: what backpropagation does, a lesson a command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import typer

from sentiment_lstm.config import SHIPPED
from sentiment_lstm.errors import RunFailure, UsageError

# Whole in the list of lessons, where the first sentence of a docstring would be cut to the terminal's width.
SHORT_HELP = {
    "backprop": "The six steps of training and the three formulas of backpropagation, with every number: "
    "initialise, forward pass, loss, backward pass, update, repeat.",
    "activations": "Activation functions sigmoid, tanh and ReLU, their derivatives, and what twenty layers of each "
    "do to a gradient.",
    "lstm": "An LSTM's backward pass by hand (backpropagation through time), checked against autograd and "
    "finite differences.",
    "gradients": "The vanishing gradient: how much of it reaches the first word, in a tanh RNN and in LSTMs, or "
    "in a model of yours.",
    "gates": "What an LSTM does at each word of a sentence: input, forget and output gates, cell state, P(positive).",
    "descent": "Gradient descent on a loss surface: sgd, momentum, rmsprop, adam; a learning rate too small, "
    "right, too large.",
}

app = typer.Typer(
    help="See backpropagation: every number of it by hand, vanishing gradients, gates, descent.", no_args_is_help=True,
    epilog="In real runs: sentiment-lstm train --explain-step tells the first step with its real numbers; "
    "sentiment-lstm plot RUN draws training curves and gradient flow.",
)  # fmt: skip

Language = Annotated[
    Literal["en", "id"] | None, typer.Option(help="English or Indonesian; default: the environment's language.")
]
Picture = Annotated[Path | None, typer.Option("--output", help="Draw the picture too: FILE.png or FILE.svg.")]
AsJSON = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="What is drawn follows from it.")]


@app.callback()
def _group() -> None:
    """Keep each lesson a command of its own."""


@app.command(short_help=SHORT_HELP["backprop"])
def backprop(
    layers: Annotated[
        str, typer.Option(help="Neurons of each layer, the input first: 2 to 6 layers of 1 to 8.")
    ] = "2,3,1",
    activation: Annotated[
        Literal["sigmoid", "tanh", "relu"], typer.Option(help="Activation function of every layer.")
    ] = "sigmoid",
    learning_rate: Annotated[
        float | None, typer.Option(help="Above 0, 1000 at most; default: 0.5 for sigmoid, 0.1 for tanh and relu.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=10_000, help="Training steps; all numbers of the first.")] = 1,
    step_by_step: Annotated[bool, typer.Option("--step-by-step", help="Wait for Enter after each of the six.")] = False,
    seed: Seed = 1,
    language: Language = None,
    output: Picture = None,
    as_json: AsJSON = False,
) -> None:
    """The six steps of training, every number: initialise, forward, loss, backward, update, repeat.

    One example through a small network: each sum, each delta, each gradient as delta times activation, each new weight.
    The gradients are compared with autograd in float64; exits with 1 where one differs. The formulas stand in
    sentiment_lstm/lessons/network_by_hand.py.
    """
    from sentiment_lstm.lessons import backprop as lesson

    if step_by_step and as_json:
        raise UsageError("--step-by-step: JSON is printed at once; leave --json or --step-by-step out")
    _check_picture(output)
    result = lesson.run(lesson.read_layers(layers), activation, learning_rate, steps, seed)
    _show(lesson, result, language, output, as_json, **({"pause": _wait_for_enter} if step_by_step else {}))
    if not result.passed:
        raise RunFailure("a gradient by hand is not what autograd gives: see the table")


def _wait_for_enter(prompt: str) -> None:
    """Wait for Enter where someone sits at a terminal to press it; at the end of input go on."""
    if sys.stdin is not None and sys.stdin.isatty():
        typer.echo(prompt, nl=False, err=True)
        if not sys.stdin.readline():
            typer.echo(err=True)


@app.command(short_help=SHORT_HELP["activations"])
def activations(seed: Seed = 1, language: Language = None, output: Picture = None, as_json: AsJSON = False) -> None:
    """Activation functions sigmoid, tanh and ReLU, their derivatives, and the vanishing gradient in twenty layers."""
    from sentiment_lstm.lessons import activations as lesson

    _check_picture(output)
    _show(lesson, lesson.measure(seed), language, output, as_json)


@app.command(short_help=SHORT_HELP["lstm"])
def lstm(seed: Seed = 1, language: Language = None, output: Picture = None, as_json: AsJSON = False) -> None:
    """An LSTM classifier's backward pass by hand (backpropagation through time), checked.

    Each parameter's gradient is compared with autograd and with central finite differences in float64, and the cell
    with torch.nn.LSTM. Exits with 1 where one differs. The formulas stand in sentiment_lstm/lessons/lstm_by_hand.py.
    """
    from sentiment_lstm.lessons import lstm as lesson

    _check_picture(output)
    result = lesson.check(seed)
    _show(lesson, result, language, output, as_json)
    if not result.passed:
        raise RunFailure("a gradient by hand is not what autograd or finite differences give: see the table")


DEFAULT_TEXT = "I expected little, but the film is not bad at all: it is funny, warm and beautifully acted."
Run = Annotated[str | None, typer.Option(help="Run folder, or shipped, the classifier that comes with the program.")]


@app.command(short_help=SHORT_HELP["gradients"])
def gradients(
    text: Annotated[str | None, typer.Argument(help="A sentence in quotes, for a trained model.")] = None,
    model: Run = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Of the small networks; default: 1.")] = None,
    language: Language = None,
    output: Picture = None,
    as_json: AsJSON = False,
) -> None:
    """The vanishing gradient: the norm of dL/dh at each word, for a tanh RNN and for LSTMs of forget bias 0 and 1.

    Untrained, and after training on a task in which the first of 30 words decides. With a TEXT or --model the same for
    a trained model: what of the gradient is left at each word of the sentence.
    """
    from sentiment_lstm.lessons import gradients as lesson
    from sentiment_lstm.lessons import gradients_of_run as lesson_of_run

    _check_picture(output)
    if text is None and model is None:
        _show(lesson, lesson.measure(1 if seed is None else seed), language, output, as_json)
        return
    if seed is not None:
        raise UsageError("--seed is for the small networks: leave it out, or TEXT and --model")
    from sentiment_lstm.cli.lesson_text import load

    run = model or SHIPPED
    archive, sentence = load(run, DEFAULT_TEXT if text is None else text)
    _show(lesson_of_run, lesson_of_run.measure(archive.model, archive.labels, sentence, run), language, output, as_json)


@app.command(short_help=SHORT_HELP["gates"])
def gates(
    text: Annotated[str, typer.Argument(help="A sentence in quotes.")],
    model: Run = None,
    language: Language = None,
    output: Picture = None,
    as_json: AsJSON = False,
) -> None:
    """An LSTM's gates at each word of a sentence: input, forget, output, cell state, and P(positive) after each word.

    Of the classifier that comes with the program, or of a run of your own. A label named positive, else the last one.
    """
    from sentiment_lstm.cli.lesson_text import load
    from sentiment_lstm.lessons import gates as lesson

    _check_picture(output)
    run = model or SHIPPED
    archive, sentence = load(run, text)
    _show(lesson, lesson.measure(archive.model, archive.labels, sentence, run), language, output, as_json)


@app.command(short_help=SHORT_HELP["descent"])
def descent(
    learning_rate: Annotated[
        float | None,
        typer.Option(help="Your own rate of gradient descent, beside one too small, one right, one too large."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=500, help="Steps of each optimiser.")] = 100,
    seed: Seed = 1,
    language: Language = None,
    output: Picture = None,
    as_json: AsJSON = False,
) -> None:
    """Down a small LSTM's loss surface: sgd, momentum, rmsprop and adam, and the effect of the learning rate.

    Trains the LSTM, measures the loss over a plane through its weights (Li et al. 2018) and lets each optimiser walk on
    it from the same start; then sgd with a learning rate too small, right and too large. The formulas stand in
    sentiment_lstm/lessons/optimizers_by_hand.py.
    """
    from sentiment_lstm.lessons import descent as lesson

    _check_picture(output)
    _show(lesson, lesson.descend(seed, steps, learning_rate), language, output, as_json)


def _check_picture(output: Path | None) -> None:
    """Refuse a picture of an unknown format before anything is computed."""
    if output is not None:
        from sentiment_lstm.lessons.pictures import check_format

        check_format(output)


def _show(
    lesson: ModuleType, result: Any, language: str | None, output: Path | None, as_json: bool, **telling: Any
) -> None:
    """Print a lesson's result, and draw it where that is asked for; ``telling`` goes to the lesson's ``lines``."""
    from sentiment_lstm.lessons.language import Say, language_of

    say = Say(language or language_of())
    if as_json:
        typer.echo(json.dumps(lesson.to_dict(result), ensure_ascii=False))
    else:
        for line in lesson.lines(result, say, **telling):
            typer.echo(line)
    if output is not None:
        from sentiment_lstm.lessons.pictures import save

        save(lesson.draw(result, say), output)
        if not as_json:
            typer.echo(say("common.written", path=output))
