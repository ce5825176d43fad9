"""``sentiment-lstm learn``: what backpropagation does, a lesson a command."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import typer

from sentiment_lstm.errors import RunFailure

app = typer.Typer(
    help="See backpropagation: every number of it by hand, vanishing gradients, gates, descent.", no_args_is_help=True
)

Language = Annotated[
    Literal["en", "id"] | None, typer.Option(help="English or Indonesian; default: the environment's language.")
]
Picture = Annotated[Path | None, typer.Option("--output", help="Draw the picture too: FILE.png or FILE.svg.")]
AsJSON = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="What is drawn follows from it.")]


@app.callback()
def _group() -> None:
    """Keep each lesson a command of its own."""


@app.command()
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


def _check_picture(output: Path | None) -> None:
    """Refuse a picture of an unknown format before anything is computed."""
    if output is not None:
        from sentiment_lstm.lessons.pictures import check_format

        check_format(output)


def _show(lesson: ModuleType, result: Any, language: str | None, output: Path | None, as_json: bool) -> None:
    """Print a lesson's result, and draw it where that is asked for."""
    from sentiment_lstm.lessons.language import Say, language_of

    say = Say(language or language_of())
    if as_json:
        typer.echo(json.dumps(lesson.to_dict(result), ensure_ascii=False))
    else:
        for line in lesson.lines(result, say):
            typer.echo(line)
    if output is not None:
        from sentiment_lstm.lessons.pictures import save

        save(lesson.draw(result, say), output)
        if not as_json:
            typer.echo(say("common.written", path=output))
