"""How training looks: a bar an epoch on a terminal, a plain line an epoch everywhere else. All on stderr."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tqdm import tqdm

from sentiment_lstm.evaluation.report import format_table
from sentiment_lstm.experiment import Experiment
from sentiment_lstm.model.classifier import count_parameters
from sentiment_lstm.training.progress import EpochRecord, Progress


class QuietReporter:
    """Says nothing."""

    def on_start(self, experiment: Experiment) -> None:
        pass

    def on_step(self, progress: Progress) -> None:
        pass

    def on_epoch(self, record: EpochRecord) -> None:
        pass

    def on_end(self) -> None:
        pass


class TerminalReporter:
    """Prints the table before the first step, a bar while an epoch runs, and a line when it is done."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None
        self._epochs = 0

    def on_start(self, experiment: Experiment) -> None:
        self._epochs = experiment.config.training.epochs
        _say(describe(experiment))

    def on_step(self, progress: Progress) -> None:
        rates = (
            f"{progress.reviews / progress.seconds:,.0f} reviews/s {progress.tokens / progress.seconds:,.0f} tokens/s"
        )
        self._advance(progress, f"loss {progress.loss:.4f} accuracy {progress.accuracy:.4f} {rates}")

    def _advance(self, progress: Progress, text: str) -> None:
        if not sys.stderr.isatty():
            return
        if self._bar is None:
            title = f"epoch {progress.epoch}/{self._epochs}"
            self._bar = tqdm(
                total=progress.total_steps,
                initial=progress.steps - 1,  # where an interrupted epoch goes on
                desc=title,
                unit=" steps",
                leave=False,
                dynamic_ncols=True,
            )
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update()

    def on_epoch(self, record: EpochRecord) -> None:
        self.on_end()
        _say(
            f"epoch {record.epoch}/{self._epochs}"
            f"  train loss {record.train_loss:.4f} accuracy {record.train_accuracy:.4f}"
            f"  validation loss {record.validation_loss:.4f} accuracy {record.validation_accuracy:.4f}"
            f"  {record.training_seconds + record.validation_seconds:.0f} s"
            f"  {record.reviews_per_second:,.0f} reviews/s {record.tokens_per_second:,.0f} tokens/s"
            f"{'  *best' if record.is_best else ''}"
        )

    def on_end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class PretrainingReporter(TerminalReporter):
    """The same for a language model: words instead of reviews, perplexity instead of accuracy."""

    def on_start(self, experiment: Experiment) -> None:
        self._epochs = experiment.config.training.epochs
        _say(describe_pretraining(experiment))

    def on_step(self, progress: Progress) -> None:
        rate = f"{progress.tokens / progress.seconds:,.0f} words/s"
        self._advance(progress, f"perplexity about {math.exp(min(progress.loss, 50)):,.0f} {rate}")

    def on_epoch(self, record: EpochRecord) -> None:
        self.on_end()
        _say(
            f"epoch {record.epoch}/{self._epochs}"
            f"  train loss {record.train_loss:.4f}"
            f"  held-out loss {record.validation_loss:.4f} perplexity {math.exp(record.validation_loss):.1f}"
            f"  {record.training_seconds + record.validation_seconds:.0f} s  {record.tokens_per_second:,.0f} words/s"
            f"{'  *best' if record.is_best else ''}"
        )


def scoring_bar(quiet: bool) -> Callable[[int], AbstractContextManager[Callable[[int], object]]]:
    """Return what makes a bar for so many texts, on a terminal; it is told of them as they are scored."""

    @contextmanager
    def new_bar(total: int) -> Iterator[Callable[[int], object]]:
        silent = quiet or not sys.stderr.isatty()
        with tqdm(total=total, desc="teachers", unit=" texts", disable=silent, leave=False, dynamic_ncols=True) as bar:
            yield bar.update

    return new_bar


def describe_pretraining(experiment: Experiment) -> str:
    """Return the table shown before the first step of a language model."""
    rows = [["texts", "count", "words"]]
    for name, split in (("train", experiment.train), ("held out", experiment.validation)):
        rows.append([name, f"{len(split):,}", f"{sum(map(len, split.token_ids)):,}"])
    facts = (
        f"  tokenizer  {experiment.config.tokenizer.kind}, {len(experiment.tokenizer):,} entries\n"
        f"  unknown    {experiment.train.unknown_share:.2%} of the words\n"
        f"  machine    {experiment.runtime}"
    )
    parameters = count_parameters(experiment.model)
    layers = [["layer", "parameters"], *([name, f"{count:,}"] for name, count in parameters.items())]
    layers.append(["all", f"{sum(parameters.values()):,}"])
    return "\n\n".join([format_table(rows), facts, format_table(layers)]) + "\n"


def describe(experiment: Experiment) -> str:
    """Return the table shown before the first step."""
    reviews = [["reviews", *experiment.labels, "all"]]
    for name, split in experiment.splits.items():
        counts = Counter(str(review.label) for review in split)
        reviews.append([name, *(f"{counts[label]:,}" for label in experiment.labels), f"{len(split):,}"])
    settings = experiment.config.tokenizer
    text = [
        ["tokenizer", f"{settings.kind}, {len(experiment.tokenizer):,} entries"],
        ["unknown", f"{experiment.train.unknown_share:.2%} of the training tokens"],
        [
            "truncated",
            f"{experiment.train.truncated_share:.1%} of the training reviews "
            f"({settings.truncation}, {settings.max_length} tokens)"
            if settings.max_length is not None
            else "none: reviews are read whole",
        ],
    ]
    if experiment.vectors_found is not None:
        text.append(["vectors", f"found for {experiment.vectors_found:.1%} of the vocabulary"])
    if experiment.answers is not None:
        about = experiment.answers.about
        asked = ", ".join(f"{count:,} {name}" for name, count in about["texts"].items() if count)
        text.append(["teachers", f"{len(about['teachers'])}, asked about {asked}"])
        text.append(["", f"right about {about['validation_accuracy']:.4f} of the validation reviews"])
    text.append(["machine", str(experiment.runtime)])
    if experiment.runtime.note:
        text.append(["", experiment.runtime.note])
    width = max(len(row[0]) for row in text)
    facts = "\n".join(f"  {name:<{width}}  {value}" for name, value in text)
    parameters = count_parameters(experiment.model)
    layers = [["layer", "parameters"], *([name, f"{count:,}"] for name, count in parameters.items())]
    layers.append(["all", f"{sum(parameters.values()):,}"])
    return "\n\n".join([format_table(reviews), facts, format_table(layers)]) + "\n"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
