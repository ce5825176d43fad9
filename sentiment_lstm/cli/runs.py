"""Which run a command is about, and on what device."""

from __future__ import annotations

import logging
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from sentiment_lstm.config import validate_config

logger = logging.getLogger(__name__)

RUNS_FOLDER = Path("runs")


def _check_device(device: str) -> str:
    validate_config({"training": {"device": device}}, where="--device")
    return device


Device = Annotated[str, typer.Option(callback=_check_device, help="auto, cpu, cuda or cuda:N.")]


def program_name() -> str:
    """Return how this program was called, as one would type it again."""
    typed = Path(sys.argv[0])
    if typed.name != "sentiment-lstm":
        return f"{shlex.quote(sys.executable)} -m sentiment_lstm"
    found = shutil.which("sentiment-lstm")
    if found and typed.exists() and Path(found).samefile(typed):
        return "sentiment-lstm"
    return shlex.quote(str(typed))


def resolve_run(run: str | None) -> Path:
    """Return the run folder that was named, or the newest one under ``runs/``, which is then named on stderr.

    Raises
    ------
    UsageError
        Where there is none.
    """
    if run is not None:
        return Path(run).expanduser()
    from sentiment_lstm.inference.archive import newest_run

    newest = newest_run(RUNS_FOLDER)
    logger.info("model: %s", newest)
    return newest
