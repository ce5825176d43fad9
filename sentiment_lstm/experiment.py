"""From a configuration to a run folder: the road that ``train`` takes. Everything below meets here."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from sentiment_lstm import __version__, files
from sentiment_lstm.config import Config
from sentiment_lstm.data.prepare import EncodedSplit, encode_split, fingerprint, load_splits, tokenizer_for
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.splits import label_names
from sentiment_lstm.data.tokenizer import Tokenizer
from sentiment_lstm.data.vectors import load_vectors
from sentiment_lstm.errors import TrainingError, UsageError
from sentiment_lstm.inference import archive
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.training.objectives import balanced_class_weights, supervised
from sentiment_lstm.training.runtime import Runtime, build_runtime, matrix_rates, seed_everything
from sentiment_lstm.training.trainer import EpochRecord, Progress, Trainer


class Reporter(Protocol):
    """Who is told how training goes."""

    def on_start(self, experiment: Experiment) -> None: ...

    def on_step(self, progress: Progress) -> None: ...

    def on_epoch(self, record: EpochRecord) -> None: ...


@dataclass(frozen=True)
class Experiment:
    """All that training needs, ready for its first step."""

    config: Config
    splits: dict[str, list[Review]]
    labels: list[str]
    tokenizer: Tokenizer
    train: EncodedSplit
    validation: EncodedSplit
    model: SentimentClassifier
    runtime: Runtime
    vectors_found: float | None  # share of the vocabulary for which `model.vectors` has a vector


@dataclass(frozen=True)
class Result:
    """What became of a training run."""

    best: EpochRecord | None
    stop_reason: str
    seconds: float


def prepare_experiment(config: Config) -> Experiment:
    """Read the data, build the vocabulary and the model.

    Raises
    ------
    SentimentLSTMError
        As its parts do.
    """
    runtime = build_runtime(config.training.device, config.training.precision, config.training.threads)
    splits = load_splits(config.data)
    labels = label_names(splits["train"])
    tokenizer = tokenizer_for(splits["train"], config.tokenizer)
    train, validation = (
        encode_split(splits[name], tokenizer, labels, config.tokenizer) for name in ("train", "validation")
    )
    seed_everything(config.training.seed)
    model = SentimentClassifier(config.model, len(tokenizer), len(labels))
    vectors_found = None
    if config.model.vectors is not None:
        vectors, found = load_vectors(Path(config.model.vectors), tokenizer.tokens, config.model.embedding_dim)
        model.set_embedding(torch.from_numpy(vectors), torch.from_numpy(found))
        vectors_found = float(found.mean())
    model.to(runtime.device)
    return Experiment(config, splits, labels, tokenizer, train, validation, model, runtime, vectors_found)


def claim_folder(folder: Path, force: bool) -> None:
    """Make an empty run folder, or empty an old one of its run files where ``force`` allows it.

    Raises
    ------
    UsageError
        Where the folder holds anything and ``force`` is not given, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            if not force:
                raise UsageError(f"{folder} is not empty: choose another --output, or add --force to replace the run")
            for name in archive.RUN_FILES:
                (folder / name).unlink(missing_ok=True)
            for path in (folder / "evaluation").glob("*"):
                path.unlink()
    except OSError as error:
        raise UsageError(f"cannot use {folder} as a run folder: {error.strerror}") from error


def train(experiment: Experiment, folder: Path, reporter: Reporter) -> Result:
    """Train, keeping the best epoch by validation in ``folder``.

    Whatever ends training, the folder then holds a usable model: the best epoch's, or where none was finished the
    weights as they are.

    Raises
    ------
    TrainingError
        On a non-finite loss; the message says what was kept.
    KeyboardInterrupt
        On Ctrl-C, after the best model so far was kept.
    """
    config = experiment.config
    meta = describe_run(experiment)
    archive.save_description(folder, config, experiment.tokenizer, experiment.labels, meta)
    weights = None
    if config.training.class_weights == "balanced":
        weights = balanced_class_weights(np.bincount(experiment.train.labels).tolist())
    trainer = Trainer(
        experiment.model,
        supervised(config.training.label_smoothing, weights),
        config.training,
        experiment.runtime,
        experiment.train,
        experiment.validation,
        reporter.on_step,
    )
    history: list[EpochRecord] = []
    reason = "failed"
    started = time.perf_counter()
    reporter.on_start(experiment)
    try:
        for record in trainer.fit():
            if record.is_best:
                archive.save_weights(experiment.model, folder)
            history.append(record)  # after its weights: interrupted in between, the best is one that is on the disk
            files.append_line(folder / archive.HISTORY, asdict(record))
            reporter.on_epoch(record)
        reason = history[-1].stop_reason or f"all {config.training.epochs} epochs done"
    except KeyboardInterrupt as error:
        reason = "interrupted"
        error.args = (f"interrupted: {_kept(history)} is kept in {folder}",)
        raise
    except TrainingError as error:
        raise TrainingError(f"{error}; {_kept(history)} is kept in {folder}") from error
    finally:
        result = Result(_best(history), reason, time.perf_counter() - started)
        _finish(experiment, folder, history, result)
    return result


def _best(history: list[EpochRecord]) -> EpochRecord | None:
    return next((record for record in reversed(history) if record.is_best), None)


def _kept(history: list[EpochRecord]) -> str:
    best = _best(history)
    return f"the model of epoch {best.epoch}" if best else "the model of the last good step"


def _finish(experiment: Experiment, folder: Path, history: list[EpochRecord], result: Result) -> None:
    """Write what a run leaves behind, however it ended."""
    if result.best is None:
        archive.save_weights(experiment.model, folder)
    summary: dict[str, Any] = {
        "best_epoch": result.best.epoch if result.best else None,
        "validation_accuracy": result.best.validation_accuracy if result.best else None,
        "validation_loss": result.best.validation_loss if result.best else None,
        "epochs": len(history),
        "stop_reason": result.stop_reason,
        "seconds": result.seconds,
    }
    files.write_json(folder / archive.METRICS, summary)
    if history:
        from sentiment_lstm.evaluation.plots import plot_curves

        plot_curves([asdict(record) for record in history], folder / archive.CURVES, folder.name)


def describe_run(experiment: Experiment) -> dict[str, Any]:
    """Return what ``meta.json`` holds: everything one needs to know to believe or repeat a run."""
    fp32, bf16 = matrix_rates()
    return {
        "sentiment_lstm": __version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("torch", "numpy", "tokenizers", "datasets", "safetensors")},
        "platform": platform.platform(),
        "command": sys.argv[1:],
        "git_commit": _git_commit(),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seed": experiment.config.training.seed,
        "device": str(experiment.runtime.device),
        "precision": experiment.runtime.precision,
        "threads": torch.get_num_threads(),
        "machine_gflops": {"fp32": fp32, "bf16": bf16},
        "data_fingerprint": fingerprint(experiment.splits),
        "reviews": {name: dict(Counter(str(r.label) for r in own)) for name, own in experiment.splits.items()},
        "vocabulary": len(experiment.tokenizer),
        "tokenizer_fingerprint": experiment.tokenizer.fingerprint,
        "parameters": sum(p.numel() for p in experiment.model.parameters() if p.requires_grad),
        "truncated_share": experiment.train.truncated_share,
        "unknown_share": experiment.train.unknown_share,
        "vectors_found": experiment.vectors_found,
    }


def _git_commit() -> str | None:
    """The commit of the source this runs from, where it runs from a git checkout at all."""
    checkout = Path(__file__).resolve().parent.parent
    if not (checkout / ".git").exists():
        return None
    try:
        answer = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
