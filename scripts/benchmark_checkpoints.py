"""What checkpoints cost: the same training with them and without, in turns.

    .venv/bin/python scripts/benchmark_checkpoints.py --config imdb --data ../shared/data/imdb --epochs 2 --rounds 2

Prints seconds of training with and without, and the share that a run itself says it spent on checkpoints.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from sentiment_lstm.cli.progress import QuietReporter
from sentiment_lstm.experiment import prepare_experiment
from sentiment_lstm.recipes import load_config
from sentiment_lstm.session import train


def measure(config: str, changes: dict[str, object]) -> tuple[float, float]:
    """Train once; return its seconds, and those of them that went into checkpoints."""
    experiment = prepare_experiment(load_config(config, changes=changes).with_absolute_paths())
    with tempfile.TemporaryDirectory(dir=".", prefix=".benchmark-") as folder:  # on the disk that runs are on
        train(experiment, Path(folder), QuietReporter())
        summary = json.loads((Path(folder) / "metrics.json").read_text())
    return summary["seconds"], summary["checkpoint_seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="imdb")
    parser.add_argument("--data", default="imdb")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    changes: dict[str, object] = {"data.source": arguments.data, "training.epochs": arguments.epochs}
    changes["training.threads"] = arguments.threads
    ratios, shares = [], []
    print("round  with checkpoints  without  ratio  share said")
    for number in range(1, arguments.rounds + 1):
        order = (2, 0) if number % 2 else (0, 2)  # so that a machine that slows down favours neither
        seconds = {keep: measure(arguments.config, {**changes, "training.keep_checkpoints": keep}) for keep in order}
        (with_them, saving), (without, _) = seconds[2], seconds[0]
        ratios.append(with_them / without)
        shares.append(saving / with_them)
        print(f"{number:5}  {with_them:14.1f} s  {without:5.1f} s  {ratios[-1]:.3f}  {shares[-1]:9.2%}", flush=True)
    print(f"median ratio {statistics.median(ratios):.3f}, median share {statistics.median(shares):.2%}")


if __name__ == "__main__":
    main()
