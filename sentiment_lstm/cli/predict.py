"""``sentiment-lstm predict``."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sentiment_lstm.cli.runs import Device, resolve_run
from sentiment_lstm.errors import UsageError

if TYPE_CHECKING:
    from sentiment_lstm.inference.predictor import Prediction, Predictor


def predict(
    texts: Annotated[list[str] | None, typer.Argument(help="Sentences, or - for one a line on stdin.")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Run folder; default: the newest under runs/. Repeatable: the mean of their logits."),
    ] = None,
    file: Annotated[str | None, typer.Option(help="A txt (one a line), csv, tsv or jsonl file; - for stdin.")] = None,
    text_column: Annotated[str | None, typer.Option(help="Column with the text, for --file.")] = None,
    output_format: Annotated[Literal["text", "json", "csv"], typer.Option("--format", help="How to print.")] = "text",
    device: Device = "auto",
) -> None:
    """Say what sentences express.

    One line of output for each sentence, in order.
    """
    chunks = _chunks(texts or [], file, text_column)
    folders = [resolve_run(name) for name in model] if model else [resolve_run(None)]
    predictor = _load(folders, device)
    if output_format == "csv":
        _print(_csv_line(["text", "label", "score", *(f"p_{label}" for label in predictor.labels)]))
    for chunk in chunks:
        for prediction in predictor.predict(chunk):
            if output_format == "text" and (doubt := _doubt(prediction)):
                print(f"note: {doubt}: {_on_one_line(prediction.text)[:60]}", file=sys.stderr)
            _print(_format(prediction, output_format))
        sys.stdout.flush()


def _load(folders: list[Path], device: str) -> Predictor:
    if len(folders) == 1:
        from sentiment_lstm.inference.predictor import load

        return load(folders[0], device)
    from sentiment_lstm.inference.ensemble import load_ensemble

    return load_ensemble(folders, device)


def _chunks(texts: list[str], file: str | None, column: str | None) -> Iterator[list[str]]:
    """The texts in the order given, read no faster than they are answered."""
    from sentiment_lstm.inference import streams

    if not texts and file is None:
        raise UsageError("nothing to predict: give a sentence in quotes, --file F, or - to read lines from stdin")
    if texts and file is not None:
        raise UsageError("give sentences or --file, not both")
    if "-" in texts and len(texts) > 1:
        raise UsageError("- reads stdin and stands alone")
    if column is not None and file in (None, "-"):
        raise UsageError("--text-column goes with --file and a csv, tsv or jsonl file")
    if file is not None and file != "-" and not Path(file).is_file():
        raise UsageError(f"no file at {file}: expected a txt, csv, tsv or jsonl file, or - for stdin")
    if file == "-" or texts == ["-"]:
        # Detached, since Python closes its own stdin when it ends and dies where a thread is still reading from it.
        return streams.iter_chunks(streams.iter_lines(sys.stdin.detach(), "stdin"))  # type: ignore[union-attr]
    if file is not None:
        return streams.iter_chunks(streams.iter_file(Path(file), column))
    return iter([texts])


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


def _format(prediction: Prediction, output_format: str) -> str:
    if output_format == "json":
        return json.dumps(_rounded(prediction), ensure_ascii=False)
    if output_format == "csv":
        probabilities = [f"{value:.6f}" for value in prediction.probabilities.values()]
        return _csv_line([prediction.text, prediction.label, f"{prediction.score:.6f}", *probabilities])
    return f"{_on_one_line(prediction.label)}  {prediction.score:.3f}  {_on_one_line(prediction.text)}"


def _rounded(prediction: Prediction) -> dict[str, Any]:
    """The fields of a prediction, probabilities to six places: beyond them float32 sums depend on the batch."""
    fields = asdict(prediction)
    fields["score"] = round(prediction.score, 6)
    fields["probabilities"] = {label: round(value, 6) for label, value in prediction.probabilities.items()}
    fields["unknown_share"] = round(prediction.unknown_share, 6)
    return fields


def _doubt(prediction: Prediction) -> str:
    """What a reader should know before believing the answer."""
    if prediction.unknown_share == 1:
        return "no known word, so the answer means nothing"
    if prediction.unknown_share >= 0.5:
        return f"{prediction.unknown_share:.0%} of the words are unknown"
    return f"cut: it has {prediction.num_tokens:,} tokens" if prediction.truncated else ""


def _on_one_line(text: str) -> str:
    """White space folded and control characters shown as a box, so that one text is one line of a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split()))


def _csv_line(fields: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(fields)  # what ends a line is what gets quoted inside a field
    return line.getvalue().removesuffix("\r\n")
