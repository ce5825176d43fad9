"""What a run consists of, made from its configuration: data, vocabulary, model; and how it describes itself."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sentiment_lstm import __version__
from sentiment_lstm.config import Config
from sentiment_lstm.data.corpus import encode_texts, load_texts
from sentiment_lstm.data.prepare import EncodedSplit, encode_split, fingerprint, load_splits, tokenizer_for
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.splits import label_names
from sentiment_lstm.data.tokenizer import Tokenizer
from sentiment_lstm.data.vectors import load_vectors
from sentiment_lstm.errors import ConfigError
from sentiment_lstm.inference.archive import Pretrained, load_pretrained
from sentiment_lstm.model.classifier import SentimentClassifier, layer_of
from sentiment_lstm.model.language_model import LanguageModel
from sentiment_lstm.training.objectives import adversarial, balanced_class_weights, supervised
from sentiment_lstm.training.pretrainer import Pretrainer
from sentiment_lstm.training.progress import Progress
from sentiment_lstm.training.runtime import Runtime, build_runtime, join_runtime, matrix_rates, seed_everything
from sentiment_lstm.training.trainer import Trainer

OnStep = Callable[[Progress], None] | None
OnScored = Callable[[int], None] | None


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

    taken_over: Sequence[str] = ()  # layers that began as `model.init` left them, the top one first

    def build_trainer(self, on_step: OnStep, on_scored: OnScored) -> Trainer:
        """Return the trainer that reads batches of reviews."""
        config, weights = self.config.training, None
        if config.class_weights == "balanced":
            weights = balanced_class_weights(np.bincount(self.train.labels).tolist())
        objective = supervised(config.label_smoothing, weights)
        if config.adversarial_epsilon > 0:
            objective = adversarial(config.adversarial_epsilon, 1.0, config.label_smoothing, weights)
        return Trainer(
            self.model,
            objective,
            config,
            self.runtime,
            self.train,
            self.validation,
            on_step,
            on_scored,
            self.taken_over,
        )

    @property
    def kind(self) -> str:
        """What the run folder then holds."""
        return "classifier"


@dataclass(frozen=True)
class Pretraining(Experiment):
    """All that pretraining needs; ``labels`` is empty, and ``model`` a language model."""

    model: LanguageModel  # type: ignore[assignment]

    def build_trainer(self, on_step: OnStep, on_scored: OnScored) -> Trainer:
        """Return the trainer that reads windows of text."""
        return Pretrainer(self.model, self.config, self.runtime, self.train, self.validation, on_step, on_scored)

    @property
    def kind(self) -> str:
        """What the run folder then holds."""
        return "language model"


def prepare_pretraining(config: Config) -> Pretraining:
    """Read the texts, build the vocabulary and the language model.

    Raises
    ------
    SentimentLSTMError
        As its parts do.
    """
    training = config.training
    runtime = build_runtime(training.device, training.precision, training.threads)
    splits = load_texts(config.data, config.pretraining.validation_share)
    tokenizer = tokenizer_for(splits["train"], config.tokenizer)
    train, validation = (encode_texts(splits[name], tokenizer) for name in ("train", "validation"))
    seed_everything(training.seed)
    model = LanguageModel(config.model, len(tokenizer))
    model.to(runtime.device)
    return Pretraining(config, splits, [], tokenizer, train, validation, model, runtime, None)


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
        start = load_pretrained(Path(config.model.init)) if config.model.init is not None else None
        tokenizer = start.tokenizer if start else tokenizer_for(splits["train"], config.tokenizer)
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
    taken_over = take_over(model, start) if start else []
    model.to(runtime.device)
    if not runtime.processes.is_main:
        seed_everything(_seed_of(runtime.processes.rank, training.seed))  # each process drops other words
    runtime.processes.wait_for_all()
    return Experiment(config, splits, labels, tokenizer, train, validation, model, runtime, vectors_found, taken_over)


def take_over(model: SentimentClassifier, start: Pretrained) -> list[str]:
    """Start a classifier's embedding and recurrent layers from another run's; return those layers, the top one first.

    What a language model learnt reading backward becomes the layers that read backward.

    Raises
    ------
    ConfigError
        Where the sizes differ, with the first three differences.
    """
    own = model.state_dict()
    found: dict[str, Tensor] = {}
    for name, tensor in start.weights.items():
        if start.config.pretraining.backward:
            name = name.replace("recurrent.forwards.", "recurrent.backwards.")
        if name.startswith(("embedding.", "recurrent.")):
            found[name] = tensor
    unlike = [
        f"{name}: {list(tensor.shape)} there, {list(own[name].shape) if name in own else 'nothing'} here"
        for name, tensor in found.items()
        if name not in own or own[name].shape != tensor.shape
    ]
    if unlike:
        raise ConfigError(
            f"model.init does not fit: {'; '.join(unlike[:3])}; give the model the sizes that the run "
            "has (train --init does), and bidirectional where it reads backward"
        )
    model.load_state_dict({**own, **found})
    return [layer for layer in reversed(layer_of(list(own))) if any(name.startswith(f"{layer}.") for name in found)]


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
        "kind": experiment.kind,
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
        "taken_over": list(experiment.taken_over),
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
