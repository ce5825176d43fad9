"""``sentiment-lstm plot``. It reads what training has written: no model, no data, no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from sentiment_lstm.cli.compare import check_picture, each_run
from sentiment_lstm.config import find_classifier

PICTURE = "plot.png"


def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders, or folders of seeds; one or more.")],
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Picture, .png or .svg; default: {PICTURE} in RUN, of several runs here."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what would be drawn as JSON; draw it with --output alone.")
    ] = False,
) -> None:
    """Draw how runs were trained, several over each other.

    By epoch: loss, accuracy (of a language model perplexity), learning rate, share of clipped steps, and for each
    layer the norm of its gradient before clipping and of its update as a share of its weights.
    """
    check_picture(output)
    from sentiment_lstm.evaluation.run_plots import load_history, plot_runs

    folders = each_run(runs)
    histories = [load_history(folder) for folder in folders]
    if as_json:
        typer.echo(json.dumps({"runs": [history.to_dict() for history in histories]}, ensure_ascii=False))
    elif output is None:
        output = find_classifier(runs[0]) / PICTURE if len(runs) == 1 else Path(PICTURE)
    if output is not None:
        plot_runs(histories, output)
        if not as_json:
            typer.echo(f"picture: {output}")
