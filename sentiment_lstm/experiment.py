"""What a run consists of, made from its configuration: data, vocabulary, model; and how it describes itself."""

from __future__ import annotations

import logging
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

from sentiment_lstm import __version__
from sentiment_lstm.config import Config, ModelConfig
from sentiment_lstm.data.batching import plan_batches
from sentiment_lstm.data.corpus import encode_texts, load_texts
from sentiment_lstm.data.prepare import EncodedSplit, encode_split, fingerprint, load_splits, tokenizer_for
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.splits import label_names
from sentiment_lstm.data.tokenizer import Tokenizer
from sentiment_lstm.data.unlabelled import UnlabelledBatches, encode_unlabelled, load_unlabelled
from sentiment_lstm.data.vectors import load_vectors
from sentiment_lstm.inference.teaching import Answers
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.model.language_model import LanguageModel
from sentiment_lstm.model.ngrams import count_ratios
from sentiment_lstm.training.objectives import balanced_class_weights, build_objective
from sentiment_lstm.training.pretrainer import Pretrainer
from sentiment_lstm.training.progress import Progress
from sentiment_lstm.training.runtime import Runtime, build_runtime, join_runtime, matrix_rates, seed_everything
from sentiment_lstm.training.trainer import Trainer
from sentiment_lstm.transfer import load_start, read_on, take_over

OnStep = Callable[[Progress], None] | None
OnScored = Callable[[int], None] | None

logger = logging.getLogger(__name__)

UNLABELLED_SPLIT = "unlabelled"
MANY_UNKNOWN = 0.15  # of the training words; of film reviews held out of pretraining it is 0.02


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
    unlabelled: Sequence[np.ndarray] | None = None  # token ids, where the loss needs reviews without labels
    answers: Answers | None = None  # of the teachers, whose soft labels `train` then has

    def build_trainer(self, on_step: OnStep, on_scored: OnScored) -> Trainer:
        """Return the trainer that reads batches of reviews."""
        config, weights = self.config.training, None
        if config.class_weights == "balanced":
            weights = balanced_class_weights(np.bincount(self.train.labels).tolist())
        unlabelled = None if self.unlabelled is None else UnlabelledBatches(self.unlabelled, config)
        return Trainer(
            self.model,
            build_objective(config, weights),
            config,
            self.runtime,
            self.train,
            self.validation,
            on_step,
            on_scored,
            self.taken_over,
            unlabelled,
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
    start = load_start(config.model.init, as_read=False)
    tokenizer = start.tokenizer if start else tokenizer_for(splits["train"], config.tokenizer)
    train, validation = (encode_texts(splits[name], tokenizer) for name in ("train", "validation"))
    seed_everything(training.seed)
    model = LanguageModel(config.model, len(tokenizer))
    taken_over = read_on(model, start, config.pretraining.backward) if start else []
    model.to(runtime.device)
    return Pretraining(config, splits, [], tokenizer, train, validation, model, runtime, None, taken_over)


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
        start = load_start(config.model.init)
        tokenizer = start.tokenizer if start else tokenizer_for(splits["train"], config.tokenizer)
        train, validation = (
            encode_split(splits[name], tokenizer, labels, config.tokenizer) for name in ("train", "validation")
        )
        if start and train.unknown_share > MANY_UNKNOWN:
            logger.warning(
                "%.0f%% of the words are unknown to %s: where it was made from text of another kind or language, "
                "--init none may do better",
                100 * train.unknown_share, " and ".join(config.model.init),
            )  # fmt: skip
        config = with_enough_epochs(config, train.token_ids)
        unlabelled = None
        if training.reads_unlabelled:
            splits[UNLABELLED_SPLIT] = load_unlabelled(config.data)
            unlabelled = encode_unlabelled(splits[UNLABELLED_SPLIT], train.token_ids, tokenizer, config.tokenizer)
    seed_everything(training.seed)
    model = build_classifier(config.model, train, len(tokenizer), len(labels))
    vectors_found = None
    if config.model.vectors is not None:
        vectors, found = load_vectors(Path(config.model.vectors), tokenizer.tokens, config.model.embedding_dim)
        model.set_embedding(torch.from_numpy(vectors), torch.from_numpy(found))
        vectors_found = float(found.mean())
    if config.model.normalize_embedding:
        counts = np.bincount(np.concatenate(train.token_ids), minlength=len(tokenizer))
        model.set_token_frequency(torch.from_numpy(counts))
    taken_over = take_over(model, start) if start else []
    model.to(runtime.device)
    if not runtime.processes.is_main:
        seed_everything(_seed_of(runtime.processes.rank, training.seed))  # each process drops other words
    runtime.processes.wait_for_all()
    return Experiment(
        config,
        splits,
        labels,
        tokenizer,
        train,
        validation,
        model,
        runtime,
        vectors_found,
        taken_over,
        unlabelled=unlabelled,
    )


def build_classifier(
    config: ModelConfig, train: EncodedSplit, vocabulary_size: int, num_classes: int
) -> SentimentClassifier:
    """Return a classifier with fresh weights; n-grams, where it has them, are those of the training reviews."""
    if config.ngrams is None:
        return SentimentClassifier(config, vocabulary_size, num_classes)
    keys, ratios = count_ratios(
        train.token_ids, train.labels, num_classes, config.ngrams, vocabulary_size, config.ngram_min_count
    )
    model = SentimentClassifier(config, vocabulary_size, num_classes, num_ngrams=len(keys))
    assert model.ngrams is not None
    model.ngrams.set_ratios(keys, ratios)
    return model


def with_enough_epochs(config: Config, token_ids: Sequence[np.ndarray]) -> Config:
    """Return the configuration with as many epochs as ``training.min_steps`` asks for, where it has fewer."""
    training = config.training
    batches = plan_batches([len(ids) for ids in token_ids], training.batch_size, training.batch_tokens)
    steps = -(-len(batches) // training.accumulation_steps)  # an epoch
    epochs = max(training.epochs, -(-training.min_steps // steps))
    return config.model_copy(update={"training": training.model_copy(update={"epochs": epochs, "min_steps": 0})})


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
        **({} if experiment.answers is None else {"distillation": experiment.answers.about}),
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
