"""What ``train --explain-step`` says: the six steps of training with the numbers of this run's first one."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from sentiment_lstm.lessons.language import Say, language_of, table

if TYPE_CHECKING:
    from sentiment_lstm.experiment import Experiment
    from sentiment_lstm.training.explain import ExplainedStep

SHOWN_TOKENS = 12  # of the first review
SHOWN_CLASSES = 6


def explain_first_step(experiment: Experiment) -> None:
    """Take one step on a copy of the model and tell it; the model and every random generator stay as they are."""
    from sentiment_lstm.training.explain import explain_step

    copied = dataclasses.replace(experiment, model=copy.deepcopy(experiment.model))
    step = explain_step(copied.build_trainer(None, None), experiment.tokenizer)
    for line in lines(step, experiment, Say(language_of())):
        typer.echo(line)


def lines(step: ExplainedStep, experiment: Experiment, say: Say) -> Iterator[str]:
    """Tell a step in six parts."""
    yield say("step.title")
    for part in (_initialise, _forward, _loss, _backward, _update, _repeat):
        yield ""
        yield from part(step, experiment, say)
    yield ""


def _initialise(step: ExplainedStep, experiment: Experiment, say: Say) -> Iterator[str]:
    yield say("step.initialise", seed=experiment.config.training.seed)
    head = [say(f"step.column_{name}") for name in ("layer", "weights", "norm", "shapes")]
    rows = [
        [
            layer.name,
            f"{sum(math.prod(shape) for shape in layer.shapes):,}",
            _number(layer.weight_norm),
            ", ".join("x".join(map(str, shape)) for shape in layer.shapes),
        ]
        for layer in step.layers
    ]
    yield from table(head, rows)
    if experiment.taken_over:
        yield say("step.taken_over", layers=", ".join(experiment.taken_over))
    if step.frozen:
        yield say("step.frozen", parameters=", ".join(step.frozen))


def _forward(step: ExplainedStep, experiment: Experiment, say: Say) -> Iterator[str]:
    first, (reviews, padded) = step.first, step.shapes["token_ids"]
    shortest, longest = step.lengths
    yield say("step.forward")
    yield say("step.batch", reviews=reviews, shortest=shortest, longest=longest, padded=padded)
    if step.num_batches > 1:
        yield say("step.accumulated", batches=step.num_batches, reviews=step.num_reviews)
    more = " …" if len(first.tokens) > SHOWN_TOKENS else ""
    words, ids = " ".join(first.tokens[:SHOWN_TOKENS]), " ".join(map(str, first.token_ids[:SHOWN_TOKENS]))
    yield say("step.review", id=first.id, label=experiment.labels[first.label], words=words + more)
    yield say("step.token_ids_line", ids=ids + more)
    head = [say("step.column_stage"), say("step.column_shape")]
    yield from table(head, [[say(f"step.{stage}"), " x ".join(map(str, own))] for stage, own in step.shapes.items()])
    yield say("step.logits_of_first", logits=_by_class(experiment.labels, first.logits, "+.4f"))
    yield say("step.probabilities", probabilities=_by_class(experiment.labels, first.probabilities, ".4f"))


def _loss(step: ExplainedStep, experiment: Experiment, say: Say) -> Iterator[str]:
    first = step.first
    yield say("step.loss")
    if first.has_soft_label:
        yield say("step.soft_loss", loss=f"{first.loss:.4f}")
    else:
        p = f"{first.probabilities[first.label]:.4f}"
        yield say("step.first_loss", label=experiment.labels[first.label], p=p, loss=f"{first.loss:.4f}")
    yield say("step.mean_loss", reviews=step.num_reviews, loss=f"{step.loss:.4f}")


def _backward(step: ExplainedStep, experiment: Experiment, say: Say) -> Iterator[str]:
    limit = experiment.config.training.gradient_clip
    yield say("step.backward")
    rows = [[layer.name, _number(layer.gradient_norm)] for layer in step.layers]
    rows.append([say("step.all_layers"), _number(step.gradient_norm)])
    yield from table([say("step.column_layer"), say("step.column_gradient")], rows)
    if limit is None:
        yield say("step.no_limit")
    elif step.gradient_norm > limit:
        yield say("step.clipped", limit=f"{limit:g}", factor=_number(limit / step.gradient_norm))
    else:
        yield say("step.not_clipped", limit=f"{limit:g}")


def _update(step: ExplainedStep, experiment: Experiment, say: Say) -> Iterator[str]:
    yield say("step.update", optimizer=experiment.config.training.optimizer)
    head = [say(f"step.column_{name}") for name in ("layer", "rate", "update", "ratio")]
    rows = []
    for layer in step.layers:
        ratio = _number(layer.update_norm / layer.weight_norm) if layer.weight_norm else "-"
        rows.append([layer.name, _number(layer.learning_rate), _number(layer.update_norm), ratio])
    yield from table(head, rows)


def _repeat(step: ExplainedStep, experiment: Experiment, say: Say) -> Iterator[str]:
    yield say("step.repeat")
    before, after, change = f"{step.loss:.4f}", f"{step.loss_after:.4f}", _number(abs(step.loss_after - step.loss))
    if step.loss_after == step.loss:
        yield say("step.same", before=before)
    else:
        key = "step.fell" if step.loss_after < step.loss else "step.rose"
        yield say(key, before=before, after=after, change=change)
    yield say("step.rest", steps=step.num_steps, epochs=experiment.config.training.epochs)
    yield say("step.put_back")


def _by_class(labels: list[str], values: tuple[float, ...], form: str) -> str:
    shown = [f"{label} {value:{form}}" for label, value in zip(labels, values, strict=True)]
    return ", ".join(shown[:SHOWN_CLASSES]) + (", …" if len(shown) > SHOWN_CLASSES else "")


def _number(value: float) -> str:
    return f"{value:#.4g}"
