"""Which run a command is about."""

from __future__ import annotations

import sys
from pathlib import Path

RUNS_FOLDER = Path("runs")


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
    print(f"model: {newest}", file=sys.stderr)
    return newest
