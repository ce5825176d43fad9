"""The lesson ``learn gradients`` for a trained model and a sentence: what of the gradient reaches each word.

h_t is what the top recurrent layer gives at word t, L the cross-entropy against the label that the model predicts.
Two gradients are shown, for each direction:

all of it
    dL/dh_t. Where the model pools all words (mean, max, mean_max, attention), h_t gets a part of it straight from the
    pooling, however far the word is from the end, so this need not vanish.
through time
    g_t = (dh_T/dh_t)^T g, with h_T the state after the last word read: what is left at word t of a gradient that
    enters at the end alone. g is what pooling gives to all words together,

        g = sum over t of dL/dh_t, straight from the pooling,

    which for ``last`` is dL/dh_T, so that both are the same.

Because g is the sum, a model with mean or max pooling is measured as if it read out the last state with the same
weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sentiment_lstm.errors import UsageError
from sentiment_lstm.lessons.language import Say, table
from sentiment_lstm.lessons.reading import DIRECTIONS, Sentence, Step, outputs_of, read, recurrent_inputs, step_words
from sentiment_lstm.model.classifier import SentimentClassifier

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Direction:
    """Euclidean norms at each word, in the order of the text.

    Attributes
    ----------
    name : forward or backward
    through_time : of what is left of a gradient that enters at the last word read
    everything : of dL/dh_t, with what pooling gives to h_t directly
    """

    name: str
    through_time: tuple[float, ...]
    everything: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Norm through time at the first word read divided by that at the last one."""
        first = self.through_time[0 if self.name == "forward" else -1]
        return first / self.through_time_last

    @property
    def through_time_last(self) -> float:
        """Norm through time at the last word read, where it enters."""
        return self.through_time[-1 if self.name == "forward" else 0]


@dataclass(frozen=True)
class RunGradients:
    """What the lesson measured.

    Attributes
    ----------
    run : the model's name
    kind, pooling, segment_length : from its configuration
    label, probability : what it predicts
    words : under each step
    num_words, num_tokens : read here, and of the whole text
    directions : forward, and backward where the model has it
    """

    run: str
    kind: str
    pooling: str
    segment_length: int | None
    label: str
    probability: float
    words: tuple[str, ...]
    num_words: int
    num_tokens: int
    directions: tuple[Direction, ...]


def measure(model: SentimentClassifier, labels: Sequence[str], sentence: Sentence, run: str) -> RunGradients:
    """Measure both gradients of one sentence.

    Raises
    ------
    UsageError
        Where the text has one step only.
    """
    words, _ = step_words(model, sentence.words)
    if len(words) < 2:
        raise UsageError(f"{run} reads this text in one step: a gradient flows from word to word, so give more of them")
    directions = read(model.recurrent, recurrent_inputs(model, sentence.token_ids).detach())
    states = [[step.h for step in steps] for steps in directions]
    logits = answer(model, directions, sentence)
    loss = F.cross_entropy(logits, logits.argmax(1))
    everything = [torch.autograd.grad(loss, own, retain_graph=True) for own in states]
    shares = pooling_shares(model, directions, sentence)
    measured = []
    for name, own, whole, share in zip(DIRECTIONS, states, everything, shares, strict=False):
        last = own[-1] if name == "forward" else own[0]
        # A state that cannot reach the last one, in another segment, has no path to it.
        through_time = torch.autograd.grad(last, own, share, retain_graph=True, allow_unused=True)
        measured.append(Direction(name, _norms(through_time), _norms(whole)))
    if not all(own.through_time_last > 0 for own in measured):
        raise UsageError(f"{run} is so sure of this text that the gradient of its loss is 0: give another one")
    probability, label = logits.detach().softmax(1).max(1)
    config = model.config
    return RunGradients(
        run, config.kind, config.pooling, config.segment_length, labels[int(label)], float(probability), words,
        len(sentence.words), sentence.num_tokens, tuple(measured),
    )  # fmt: skip


def answer(model: SentimentClassifier, directions: Sequence[Sequence[Step]], sentence: Sentence) -> Tensor:
    """Return the (1, C) float64 logits, as the model's own forward pass has them, from the states of its top layer."""
    lengths = torch.tensor([len(directions[0])])
    last_hidden = torch.stack([steps[0 if number else -1].h for number, steps in enumerate(directions)])
    logits = model.output(model.pooling(outputs_of(directions), lengths, last_hidden))
    wide = model.wide_logits(sentence.token_ids, torch.tensor([sentence.token_ids.shape[1]]))
    if wide is not None:
        logits = wide + model.config.network_weight * logits
    return logits.double()  # 1 - p of a model that is sure must not be rounded to 0


def pooling_shares(
    model: SentimentClassifier, directions: Sequence[Sequence[Step]], sentence: Sentence
) -> list[Tensor]:
    """Return, a direction, the (1, H) sum over all words of what dL/dh_t holds straight from the pooling."""
    apart = [[Step(step.h.detach().requires_grad_()) for step in steps] for steps in directions]  # no way through time
    logits = answer(model, apart, sentence)
    loss = F.cross_entropy(logits, logits.argmax(1))
    shares = []
    for steps in apart:
        direct = torch.autograd.grad(loss, [step.h for step in steps], retain_graph=True, allow_unused=True)
        shares.append(torch.stack([own for own in direct if own is not None]).sum(0))
    return shares


def _norms(gradients: Sequence[Tensor | None]) -> tuple[float, ...]:
    return tuple(0.0 if own is None else float(own.double().norm()) for own in gradients)


def lines(result: RunGradients, say: Say) -> Iterator[str]:
    """Tell the norms word by word and what they mean in a sentence."""
    yield say("gradients_of_run.title", run=result.run, label=result.label, probability=f"{result.probability:.3f}")
    if result.num_words < result.num_tokens:
        yield say("common.cut", words=result.num_words, tokens=result.num_tokens)
    yield ""
    head = [say("gradients_of_run.column_word")]
    for own in result.directions:
        head.append(say("gradients_of_run.column_time", direction=say(f"gradients_of_run.{own.name}")))
        if result.pooling != "last":
            head.append(say("gradients_of_run.column_all", direction=say(f"gradients_of_run.{own.name}")))
    columns = [norms for own in result.directions for norms in _shown_norms(result, own)]
    rows = zip(result.words, *columns, strict=True)
    yield from table(head, [[word, *(f"{value:.1e}" for value in row)] for word, *row in rows])
    yield ""
    for own in result.directions:
        yield say(f"gradients_of_run.shown_{own.name}", distance=len(result.words) - 1, ratio=f"{own.ratio:.1e}")
    if result.kind == "cnn_lstm":
        yield say("common.groups")
    if result.segment_length is not None and len(result.words) > result.segment_length:
        yield say("gradients_of_run.segments", size=result.segment_length)
    yield say(
        "gradients_of_run.last" if result.pooling == "last" else "gradients_of_run.pooled", pooling=result.pooling
    )


def _shown_norms(result: RunGradients, direction: Direction) -> list[tuple[float, ...]]:
    both = [direction.through_time, direction.everything]
    return both[:1] if result.pooling == "last" else both


def to_dict(result: RunGradients) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    values = asdict(result)
    for own, direction in zip(values["directions"], result.directions, strict=True):
        own["ratio"] = direction.ratio
    return {"lesson": "gradients", **values}


def draw(result: RunGradients, say: Say) -> Figure:
    """Draw the norms over the words: through time, and below it all of dL/dh_t where pooling adds to it."""
    from sentiment_lstm.lessons.pictures import logarithmic, new_figure

    names = ("through_time", "everything")[: 1 if result.pooling == "last" else 2]
    figure, axes = new_figure(rows=len(names), width=max(7.0, 0.27 * len(result.words) + 2), height=3.4)
    panels = [axes] if len(names) == 1 else list(axes)
    norms = [norm for own in result.directions for name in names for norm in getattr(own, name) if norm > 0]
    limits = (0.8 * 10 ** math.floor(math.log10(min(norms))), 1.2 * 10 ** math.ceil(math.log10(max(norms))))
    for panel, name in zip(panels, names, strict=True):
        _draw_panel(panel, [(own.name, getattr(own, name)) for own in result.directions], say)
        logarithmic(panel)
        panel.set_ylim(limits)
        panel.set_title(say(f"gradients_of_run.title_{name}"))
        panel.set_ylabel(say("gradients_of_run.norm"))
        panel.set_xticks(range(len(result.words)), [""] * len(result.words))
    panels[-1].set_xticks(range(len(result.words)), result.words, rotation=90)
    panels[0].legend(frameon=False)
    return figure


def _draw_panel(axis: Axes, curves: Sequence[tuple[str, Sequence[float]]], say: Say) -> None:
    from sentiment_lstm.lessons.pictures import BLUE, ORANGE

    for (name, norms), colour, marker, style in zip(curves, (BLUE, ORANGE), "os", ("-", "--"), strict=False):
        heights = [norm if norm > 0 else float("nan") for norm in norms]  # a logarithm has no place for 0: a gap
        label = say(f"gradients_of_run.{name}")
        axis.plot(range(len(norms)), heights, style, marker=marker, color=colour, linewidth=2, label=label)
