"""What a run consists of, made from its configuration: data, vocabulary, model; and how it describes itself."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sentiment_lstm import __version__
from sentiment_lstm.config import Config
from sentiment_lstm.data.prepare import EncodedSplit, encode_split, fingerprint, load_splits, tokenizer_for
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.splits import label_names
from sentiment_lstm.data.tokenizer import Tokenizer
from sentiment_lstm.data.vectors import load_vectors
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.training.runtime import Runtime, build_runtime, join_runtime, matrix_rates, seed_everything


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


def prepare_experiment(config: Config) -> Experiment:
    """Read the data, build the vocabulary and the model.

    Raises
    ------
    SentimentLSTMError
        As its parts do.
    """
    training = config.training
    runtime = join_runtime(build_runtime(training.device, training.precision, training.threads))
    with runtime.processes.one_after_the_first():  # which fills the cache that the others read
        splits = load_splits(config.data)
        labels = label_names(splits["train"])
        tokenizer = tokenizer_for(splits["train"], config.tokenizer)
        train, validation = (
            encode_split(splits[name], tokenizer, labels, config.tokenizer) for name in ("train", "validation")
        )
    seed_everything(training.seed)
    model = SentimentClassifier(config.model, len(tokenizer), len(labels))
    vectors_found = None
    if config.model.vectors is not None:
        vectors, found = load_vectors(Path(config.model.vectors), tokenizer.tokens, config.model.embedding_dim)
        model.set_embedding(torch.from_numpy(vectors), torch.from_numpy(found))
        vectors_found = float(found.mean())
    model.to(runtime.device)
    if not runtime.processes.is_main:
        seed_everything(_seed_of(runtime.processes.rank, training.seed))  # each process drops other words
    runtime.processes.wait_for_all()
    return Experiment(config, splits, labels, tokenizer, train, validation, model, runtime, vectors_found)


def _seed_of(rank: int, seed: int) -> int:
    """Return 32 bits that no other process has: on a CPU torch reads no more of a seed."""
    return int(np.random.SeedSequence((seed, rank)).generate_state(1)[0])


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
        "processes": experiment.runtime.processes.count,
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
