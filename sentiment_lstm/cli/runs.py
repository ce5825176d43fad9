"""Which run a command is about, and on what device."""

from __future__ import annotations

import logging
import shlex
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from sentiment_lstm.config import SHIPPED, find_classifier
from sentiment_lstm.errors import UsageError
from sentiment_lstm.launch import Launch, this_launch
from sentiment_lstm.recipes import validate_config

logger = logging.getLogger(__name__)

RUNS_FOLDER = Path("runs")


def _check_device(device: str) -> str:
    validate_config({"training": {"device": device}}, where="--device")
    return device


Device = Annotated[str, typer.Option(callback=_check_device, help="auto, cpu, cuda or cuda:N.")]


def program_name() -> str:
    """Return how this program was called, as one would type it again."""
    launch = this_launch()
    if launch.by_torchrun:
        return f"{_torchrun(launch)} -m sentiment_lstm"
    typed = Path(sys.argv[0])
    if typed.name != "sentiment-lstm":
        return f"{shlex.quote(sys.executable)} -m sentiment_lstm"
    found = shutil.which("sentiment-lstm")
    if found and typed.exists() and Path(found).samefile(typed):
        return "sentiment-lstm"
    return shlex.quote(str(typed))


def _torchrun(launch: Launch) -> str:
    """How torchrun was called, as far as it tells its workers."""
    nodes = launch.count // launch.local_count
    found = shutil.which("torchrun")
    beside = found is not None and Path(found).parent == Path(sys.executable).parent
    program = "torchrun" if beside else f"{shlex.quote(sys.executable)} -m torch.distributed.run"
    return f"{program} {f'--nnodes {nodes} ' if nodes > 1 else ''}--nproc-per-node {launch.local_count}"


def new_folder(name: str) -> Path:
    """Return a folder under runs/ that does not exist yet."""
    base = RUNS_FOLDER / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    folder, number = base, 2
    while folder.exists():
        folder, number = base.with_name(f"{base.name}-{number}"), number + 1
    return folder


def resolve_run(run: str | None) -> Path:
    """Return the run folder that was named, or the newest one under ``runs/``, which is then named on stderr.

    Where there is no run at all, the classifier that comes with the program answers.

    Raises
    ------
    UsageError
        Where neither is there.
    """
    if run is not None:
        return find_classifier(Path(run))
    from sentiment_lstm.inference.archive import newest_run

    try:
        newest = newest_run(RUNS_FOLDER)
        logger.info("model: %s", newest)
    except UsageError:
        newest = find_classifier(Path(SHIPPED))
        if not newest.is_dir():
            raise
        logger.info("model: the one that comes with the program, since there is no run under %s/", RUNS_FOLDER)
    return newest
