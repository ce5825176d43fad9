"""The lesson ``learn gates``: what an LSTM's gates do at each word, and what the model thinks after it.

The gates are those of ``lstm_by_hand.py``, of the top layer; shown is the mean over its H hidden numbers. The
probability after a word is what the model answers to the text up to and including it: a model that reads both ways
reads each such beginning both ways.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sentiment_lstm.errors import UsageError
from sentiment_lstm.lessons.language import Say, table
from sentiment_lstm.lessons.reading import DIRECTIONS, Sentence, Step, read, recurrent_inputs, step_words
from sentiment_lstm.model.classifier import SentimentClassifier

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = ("input", "forget", "output", "cell")
BLUE_TO_ORANGE = (27, 33, 74, 246, 179, 208, 202)  # of the 256 colours of terminals: probability 0 to 1
POSITIVE = "positive"
WIDTH = 100  # characters of a line in the terminal


@dataclass(frozen=True)
class Direction:
    """What the gates do at each word, in the order of the text: means over the hidden numbers, between 0 and 1.

    Attributes
    ----------
    name : forward or backward
    input, forget, output : of i_t, f_t and o_t
    cell : of |tanh(c_t)|, how full the cell state is
    """

    name: str
    input: tuple[float, ...]
    forget: tuple[float, ...]
    output: tuple[float, ...]
    cell: tuple[float, ...]


@dataclass(frozen=True)
class Gates:
    """What the lesson found.

    Attributes
    ----------
    run, kind : the model's name, and from its configuration
    label : whose probability is shown
    words : under each step
    probability : of the label after each step
    num_words, num_tokens : read here, and of the whole text
    directions : forward, and backward where the model has it
    """

    run: str
    kind: str
    label: str
    words: tuple[str, ...]
    probability: tuple[float, ...]
    num_words: int
    num_tokens: int
    directions: tuple[Direction, ...]


@torch.no_grad()
def measure(model: SentimentClassifier, labels: Sequence[str], sentence: Sentence, run: str) -> Gates:
    """Return the gates and the running probability of ``positive``, or of the last label of a model without it.

    Raises
    ------
    UsageError
        Where the model is a plain RNN.
    """
    if model.config.kind == "rnn":
        raise UsageError(f"{run} is a plain rnn, which has no gates: name an lstm or a cnn_lstm with --model")
    words, ends = step_words(model, sentence.words)
    directions = read(model.recurrent, recurrent_inputs(model, sentence.token_ids))
    label = POSITIVE if POSITIVE in labels else labels[-1]
    probabilities = running_probabilities(model, sentence.token_ids, ends)[:, labels.index(label)]
    return Gates(
        run, model.config.kind, label, words, tuple(probabilities.tolist()), len(sentence.words), sentence.num_tokens,
        tuple(_direction(name, steps) for name, steps in zip(DIRECTIONS, directions, strict=False)),
    )  # fmt: skip


def running_probabilities(model: SentimentClassifier, token_ids: Tensor, ends: Sequence[int]) -> Tensor:
    """Return the (len(ends), C) float64 probabilities of the text up to each end, as one padded batch."""
    return model(token_ids.expand(len(ends), -1), torch.tensor(ends)).double().softmax(1)


def _direction(name: str, steps: Sequence[Step]) -> Direction:
    gates = [torch.cat([getattr(step, own) for step in steps]).mean(1) for own in "ifo"]  # (T, H) to (T,)
    cell = torch.cat([torch.tanh(step.c).abs() for step in steps if step.c is not None]).mean(1)
    i, f, o, c = (tuple(own.tolist()) for own in (*gates, cell))
    return Direction(name, i, f, o, c)


def lines(result: Gates, say: Say, colour: bool | None = None) -> Iterator[str]:
    """Tell the probability after each word, in colour where the terminal can, and the gates as tables."""
    colour = in_colour() if colour is None else colour
    yield say("gates.title", run=result.run)
    if result.num_words < result.num_tokens:
        yield say("common.cut", words=result.num_words, tokens=result.num_tokens)
    yield ""
    yield say("gates.running", label=result.label)
    yield from _running_line(result, colour)
    if colour:
        scale = [step / 6 for step in range(7)]
        yield say("gates.legend", scale=" ".join(painted(f"{value:.2f}", value) for value in scale))
    for own in result.directions:
        yield ""
        yield say(f"gates.{own.name}")
        head = [say(f"gates.column_{name}") for name in ("word", *ROWS)]
        columns = zip(result.words, *_rows(own), strict=True)
        body = [[word, *(f"{value:.3f}" for value in row)] for word, *row in columns]
        if own.name == "forward":
            head.append(f"P({result.label})")
            body = [[*row, f"{value:.3f}"] for row, value in zip(body, result.probability, strict=True)]
        yield from table(head, body)
    yield ""
    place, change = turning_point(result)
    yield say("gates.shown", word=result.words[place], change=f"{change:+.2f}", label=result.label)
    yield say("gates.means")
    if result.kind == "cnn_lstm":
        yield say("common.groups")


def _running_line(result: Gates, colour: bool) -> Iterator[str]:
    """Yield the words, painted or with the probability beside them, in lines of at most ``WIDTH`` characters."""
    line, used = " ", 1
    for word, value in zip(result.words, result.probability, strict=True):
        plain = word if colour else f"{word} {value:.2f} "
        if used + 1 + len(plain) > WIDTH:
            yield line.rstrip()
            line, used = " ", 1
        line += " " + (painted(word, value) if colour else plain)
        used += 1 + len(plain)
    yield line.rstrip()


def in_colour() -> bool:
    """Whether stdout is a terminal whose user did not say NO_COLOR (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def painted(word: str, probability: float) -> str:
    """Return a word in one of the terminal's colours: blue for 0, grey for 0.5, orange for 1."""
    shade = BLUE_TO_ORANGE[round(probability * (len(BLUE_TO_ORANGE) - 1))]
    return f"\x1b[38;5;{shade}m{word}\x1b[0m"


def turning_point(result: Gates) -> tuple[int, float]:
    """Return the step that moved the probability most, and by how much; the first is measured from 0.5."""
    before = (0.5, *result.probability[:-1])
    changes = [after - own for own, after in zip(before, result.probability, strict=True)]
    place = max(range(len(changes)), key=lambda number: abs(changes[number]))
    return place, changes[place]


def _rows(direction: Direction) -> list[tuple[float, ...]]:
    return [getattr(direction, name) for name in ROWS]


def to_dict(result: Gates) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    return {"lesson": "gates", **asdict(result)}


def draw(result: Gates, say: Say) -> Figure:
    """Draw the running probability as a line over a heat map of the gates, a map a direction."""
    from sentiment_lstm.lessons.pictures import BLUE, GREY, new_figure

    count, maps = len(result.words), len(result.directions)
    figure, panels = new_figure(rows=1 + maps, width=max(7.0, 0.3 * count + 3), height=2.6)
    line, *heat = panels
    line.plot(range(count), result.probability, marker="o", color=BLUE, linewidth=2)
    line.axhline(0.5, color=GREY, linestyle=":")
    line.set_ylim(-0.05, 1.05)
    line.set_xlim(-0.5, count - 0.5)
    line.set_ylabel(f"P({result.label})")
    line.set_title(say("gates.running", label=result.label))
    every = [value for own in result.directions for row in _rows(own) for value in row]
    low, high = math.floor(10 * min(every)) / 10, math.ceil(10 * max(every)) / 10  # one scale for both directions
    for axis, own in zip(heat, result.directions, strict=True):
        image = axis.imshow(_rows(own), aspect="auto", cmap="viridis", vmin=low, vmax=high)
        axis.set_yticks(range(len(ROWS)), [say(f"gates.row_{name}") for name in ROWS])
        axis.set_title(say(f"gates.{own.name}"))
        figure.colorbar(image, ax=axis, pad=0.01, label=say("gates.mean"))
    for axis in panels:
        axis.set_xticks(range(count), [""] * count)
    panels[-1].set_xticks(range(count), result.words, rotation=90)
    return figure
