"""How runs were trained, epoch by epoch, from their ``history.jsonl``, and the picture of it. No torch is imported.

A run's lines have its line style everywhere. Where lines of one run stand for its layers, a layer has its colour and
marker in all runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from sentiment_lstm.errors import ArchiveError, UsageError
from sentiment_lstm.evaluation.comparison import check_is_run, read_object, read_objects
from sentiment_lstm.evaluation.plots import COLOURS, GREY, MARKERS, save, short

LINE_STYLES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)), (0, (8, 4)))
USUAL_RATIO = 1e-3  # of an update to the weights: Stanford CS231n, "Ratio of weights:updates", a rule of thumb
LARGEST_LOSS = 50.0  # whose perplexity is still written out


@dataclass(frozen=True)
class Epoch:
    """What is drawn of one epoch; names as in ``history.jsonl``. Empty where an earlier version did not measure it."""

    epoch: int
    train_loss: float
    validation_loss: float
    train_accuracy: float | None
    validation_accuracy: float
    learning_rate: float
    clipped_share: float
    gradient_norm_per_layer: dict[str, float]
    update_ratio_per_layer: dict[str, float]
    is_best: bool


@dataclass(frozen=True)
class History:
    """A run's finished epochs, at least one.

    Attributes
    ----------
    name : as it was typed
    is_language_model : whether accuracy means little, and perplexity is drawn
    epochs : tuple of Epoch
    """

    name: str
    is_language_model: bool
    epochs: tuple[Epoch, ...]

    @property
    def layers(self) -> list[str]:
        """The layers whose gradients were measured, in the model's order."""
        return list(dict.fromkeys(layer for epoch in self.epochs for layer in epoch.gradient_norm_per_layer))

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        kind = "language model" if self.is_language_model else "classifier"
        return {"run": self.name, "kind": kind, "epochs": [asdict(epoch) for epoch in self.epochs]}


def load_history(folder: Path) -> History:
    """Read how a run was trained.

    Raises
    ------
    UsageError
        Where the folder is no run, or has no finished epoch.
    ArchiveError
        Where a file is damaged.
    """
    check_is_run(folder)
    path = folder / "history.jsonl"
    records = read_objects(path)
    if not records:
        raise UsageError(f"{folder} has no finished epoch to draw: go on with train --resume, or name another run")
    epochs = tuple(_epoch(record, f"{path}, line {number}") for number, record in enumerate(records, 1))
    kind = read_object(folder / "meta.json").get("kind")
    return History(str(folder), kind == "language model", epochs)


def _epoch(record: Mapping[str, Any], where: str) -> Epoch:
    """One line of the file, which may come from anyone."""
    try:
        accuracy = record["train_accuracy"]
        return Epoch(
            epoch=int(record["epoch"]),
            train_loss=float(record["train_loss"]),
            validation_loss=float(record["validation_loss"]),
            train_accuracy=None if accuracy is None else float(accuracy),
            validation_accuracy=float(record["validation_accuracy"]),
            learning_rate=float(record["learning_rate"]),
            clipped_share=float(record["clipped_share"]),
            gradient_norm_per_layer=_per_layer(record.get("gradient_norm_per_layer", {})),
            update_ratio_per_layer=_per_layer(record.get("update_ratio_per_layer", {})),
            is_best=bool(record["is_best"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ArchiveError(f"{where} is damaged or from another version ({error}); copy it again") from error


def _per_layer(values: Mapping[str, Any]) -> dict[str, float]:
    return {layer: float(value) for layer, value in values.items()}


def plot_runs(histories: Sequence[History], path: Path) -> None:
    """Draw loss, accuracy or perplexity, learning rate, clipping, and each layer's gradients and updates, by epoch.

    Parameters
    ----------
    histories : all of classifiers or all of language models
    path : file to write; its ending chooses the format

    Raises
    ------
    UsageError
        Where there are more runs than line styles, or both kinds of runs.
    """
    _check(histories)
    with plt.rc_context({"font.size": 13}):
        figure, axes = plt.subplots(3, 2, figsize=(11, 11.5), layout="constrained")
        (loss, answers), (rate, clipped), (gradients, updates) = axes
        _draw_losses(loss, histories)
        _draw_answers(answers, histories)
        for axis, quantity, label in (
            (rate, "learning_rate", "learning rate, last step"),
            (clipped, "clipped_share", "share of clipped steps"),
        ):
            for place, history in enumerate(histories):
                values = [getattr(epoch, quantity) for epoch in history.epochs]
                axis.plot(_numbers(history), values, **_run_style(place))
            axis.set_ylabel(label)
        rate.set_ylim(bottom=0)
        clipped.set_ylim(-0.03, 1.03)
        _draw_layers(gradients, histories, "gradient_norm_per_layer", "gradient norm per layer")
        _draw_layers(updates, histories, "update_ratio_per_layer", "update / weights (norms)")
        for axis in axes.flat:
            axis.set_xlabel("epoch")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.grid(alpha=0.3)
        if len(histories) == 1:
            figure.suptitle(Path(histories[0].name).resolve().name)
        else:
            runs = [_key(short(history.name), **_run_style(place)) for place, history in enumerate(histories)]
            figure.legend(handles=runs, loc="outside upper center", frameon=False, ncols=2, handlelength=4)
        layers = [_key(layer, **style, linestyle="-") for layer, style in _layer_styles(histories).items()]
        figure.legend(handles=layers, loc="outside lower center", frameon=False, ncols=4)
        save(figure, path)


def _check(histories: Sequence[History]) -> None:
    if len(histories) > len(LINE_STYLES):
        raise UsageError(
            f"{len(LINE_STYLES)} runs at most can be told apart in one picture, these are {len(histories)}: name "
            "fewer, or add --json"
        )
    first = histories[0]
    other = next((own for own in histories if own.is_language_model != first.is_language_model), None)
    if other is not None:
        text, classes = (first, other) if first.is_language_model else (other, first)
        raise UsageError(
            f"{text.name} is a language model and {classes.name} a classifier, whose losses mean different things: "
            "draw them one by one"
        )


def _draw_losses(axis: Axes, histories: Sequence[History]) -> None:
    for place, history in enumerate(histories):
        style = _run_style(place)
        axis.plot(_numbers(history), [epoch.train_loss for epoch in history.epochs], **_hollow(style))
        axis.plot(_numbers(history), [epoch.validation_loss for epoch in history.epochs], **style)
    axis.set_ylabel("loss")
    _explain_fill(axis)


def _draw_answers(axis: Axes, histories: Sequence[History]) -> None:
    """Draw accuracy; of language models perplexity, exp(loss), as far as it is measured over all words."""
    for place, history in enumerate(histories):
        style, epochs = _run_style(place), history.epochs
        if history.is_language_model:
            values = [math.exp(min(epoch.validation_loss, LARGEST_LOSS)) for epoch in epochs]
        else:
            values = [epoch.validation_accuracy for epoch in epochs]
            train = [math.nan if epoch.train_accuracy is None else epoch.train_accuracy for epoch in epochs]
            axis.plot(_numbers(history), train, **_hollow(style))
        axis.plot(_numbers(history), values, **style)
        kept = max((own for own, epoch in enumerate(epochs) if epoch.is_best), default=None)
        if kept is not None:
            axis.plot(epochs[kept].epoch, values[kept], "o", color="black", fillstyle="none", markersize=15)
    ring = _key("kept epoch", color="black", marker="o", fillstyle="none", markersize=13, linestyle="none")
    axis.set_ylabel("perplexity of held-out text" if histories[0].is_language_model else "accuracy")
    if histories[0].is_language_model:
        axis.legend(handles=[ring], frameon=False)
    else:
        _explain_fill(axis, ring)


def _draw_layers(axis: Axes, histories: Sequence[History], quantity: str, label: str) -> None:
    """Draw a line a layer and run, on a logarithmic axis; what is zero has no place there."""
    styles = _layer_styles(histories)
    for place, history in enumerate(histories):
        for layer in history.layers:
            values = [getattr(epoch, quantity).get(layer, math.nan) for epoch in history.epochs]
            if any(value > 0 for value in values):
                shown = [value if value > 0 else math.nan for value in values]
                axis.plot(_numbers(history), shown, **styles[layer], linestyle=LINE_STYLES[place], linewidth=2)
    axis.set_ylabel(label)
    if not axis.lines:
        axis.text(0.5, 0.5, "not measured", transform=axis.transAxes, ha="center", color=GREY)
        axis.set_yticks([])
        return
    if quantity == "update_ratio_per_layer":
        axis.axhline(USUAL_RATIO, color=GREY, linewidth=3, alpha=0.5, label=f"rule of thumb: {USUAL_RATIO:g}")
        axis.legend(frameon=False)
    if len(histories) > 1:
        axis.set_title("a colour and marker each layer, a line style each run", fontsize=12)
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    if high < 100 * low:  # else one number alone might be written
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())


def _numbers(history: History) -> list[int]:
    return [epoch.epoch for epoch in history.epochs]


def _run_style(place: int) -> dict[str, Any]:
    marker = {"marker": MARKERS[place], "markersize": 7}
    return {"color": COLOURS[place], "linestyle": LINE_STYLES[place], "linewidth": 2.5, **marker}


def _hollow(style: Mapping[str, Any]) -> dict[str, Any]:
    return {**style, "linewidth": 1.2, "markerfacecolor": "white"}


def _layer_styles(histories: Sequence[History]) -> dict[str, dict[str, Any]]:
    layers = dict.fromkeys(layer for history in histories for layer in history.layers)
    return {
        layer: {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)], "markersize": 7}
        for place, layer in enumerate(layers)
    }


def _explain_fill(axis: Axes, *others: Line2D) -> None:
    """Say what full and hollow markers stand for."""
    full = _key("validation", color=GREY, marker="o", linewidth=2.5)
    hollow = _key("training", color=GREY, marker="o", linewidth=1.2, markerfacecolor="white")
    axis.legend(handles=[full, hollow, *others], frameon=False)


def _key(label: str, **style: Any) -> Line2D:
    return Line2D([], [], label=label, **style)
