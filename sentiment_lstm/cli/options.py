"""Options that several commands have, in the same words. What an option is called follows from the parameter's name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ResumedRun = Annotated[Path | None, typer.Argument(help="With --resume: the run; default: the newest under runs/.")]
Source = Annotated[str | None, typer.Option(help="imdb, sample, a folder, or a CSV, TSV, JSONL, parquet file.")]
TextColumn = Annotated[str | None, typer.Option(help="Column with the text; default: guessed.")]
LabelColumn = Annotated[str | None, typer.Option(help="Column with the label; default: guessed.")]
ValidationData = Annotated[str | None, typer.Option(help="File with the validation reviews.")]
TestData = Annotated[str | None, typer.Option(help="File with the test reviews.")]
TextEpochs = Annotated[int | None, typer.Option(help="Passes over the texts.")]
MaxTime = Annotated[str | None, typer.Option(help="Stop after, for example, 90s, 10m or 1h30m.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one setting; repeatable.")
]
RunOutput = Annotated[Path | None, typer.Option(help="Run folder; default: runs/<config>-<date>-<time>.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a run that is in --output.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with RUN from its newest checkpoint.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
