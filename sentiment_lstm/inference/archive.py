"""The run folder: what a trained model is on disk. Safetensors, JSON and YAML only; nothing in it is executed.

    config.yaml  tokenizer.json  model.safetensors  labels.json  meta.json       the model
    history.jsonl  metrics.json  curves.png  evaluation/                         what is known of it

No file names another by an absolute path, so a folder can be moved; ``config.yaml`` alone names the data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from sentiment_lstm.config import Config, validate_config
from sentiment_lstm.data.tokenizer import Tokenizer
from sentiment_lstm.errors import ArchiveError, ConfigError, UsageError
from sentiment_lstm.files import write_file, write_json
from sentiment_lstm.model.classifier import SentimentClassifier

CONFIG, TOKENIZER, WEIGHTS, LABELS, META = (
    "config.yaml",
    "tokenizer.json",
    "model.safetensors",
    "labels.json",
    "meta.json",
)
HISTORY, METRICS, CURVES = "history.jsonl", "metrics.json", "curves.png"
MODEL_FILES = (CONFIG, TOKENIZER, WEIGHTS, LABELS, META)
RUN_FILES = (*MODEL_FILES, HISTORY, METRICS, CURVES)


@dataclass(frozen=True)
class Archive:
    """A trained model with all that is needed to use it."""

    folder: Path
    config: Config
    tokenizer: Tokenizer
    labels: list[str]
    meta: dict[str, Any]
    model: SentimentClassifier


def load_archive(folder: Path) -> Archive:
    """Read a run folder; the model comes back on the CPU, in evaluation mode.

    Raises
    ------
    UsageError
        Where the folder is not a run.
    ArchiveError
        Where a file is missing, damaged or does not fit the others.
    """
    if not folder.is_dir():
        raise UsageError(f"no run at {folder}: expected a folder written by sentiment-lstm train")
    missing = [name for name in MODEL_FILES if not (folder / name).is_file()]
    if len(missing) == len(MODEL_FILES):
        raise UsageError(f"{folder} is not a run folder: it has no {', '.join(MODEL_FILES)}")
    if missing:
        raise ArchiveError(f"{folder} is incomplete: it has no {', '.join(missing)}; train again, or copy it again")
    config = _load_config(folder / CONFIG)
    labels = _load_json(folder / LABELS)
    if not (
        isinstance(labels, list)
        and all(isinstance(name, str) for name in labels)
        and 2 <= len(set(labels)) == len(labels)
    ):
        raise ArchiveError(f"{folder / LABELS} must be a list of at least two different names; copy it again")
    meta = _load_json(folder / META)
    if not isinstance(meta, dict):
        raise ArchiveError(f"{folder / META} must be an object; copy it again")
    try:
        tokenizer = Tokenizer.from_bytes(_read(folder / TOKENIZER))
    except ValueError as error:
        raise ArchiveError(f"{folder / TOKENIZER}: {error}; copy it again") from error
    if meta.get("tokenizer_fingerprint", tokenizer.fingerprint) != tokenizer.fingerprint:
        raise ArchiveError(f"{folder / TOKENIZER} is damaged or another run's: its sha256 differs; copy it again")
    model = _build_model(config, len(tokenizer), len(labels), folder / WEIGHTS)
    return Archive(folder, config, tokenizer, labels, meta, model)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file, whatever else may call itself so.

    Raises
    ------
    ArchiveError
        Where it is damaged or of another format.
    """
    try:
        return load_safetensors(_read(path))
    except (SafetensorError, ValueError, KeyError) as error:
        raise ArchiveError(
            f"{path} is damaged or not a safetensors file ({error}); train again, or copy it again"
        ) from error


def _digest(weights: Mapping[str, Tensor]) -> str:
    """A sha256 over names, shapes and numbers: safetensors itself notices no changed bit."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(f"{name} {weights[name].dtype} {tuple(weights[name].shape)}\n".encode())
        digest.update(weights[name].numpy().tobytes())
    return digest.hexdigest()


def _build_model(config: Config, vocabulary_size: int, num_classes: int, path: Path) -> SentimentClassifier:
    weights = load_weights(path)
    model = SentimentClassifier(config.model, vocabulary_size, num_classes, initialize=False)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    differences = [
        f"{name}: file has {found.get(name, 'nothing')}, model has {expected.get(name, 'nothing')}"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]
    if differences:
        raise ArchiveError(f"{path} holds another model than {CONFIG} says: {'; '.join(differences[:3])}")
    if not all(tensor.dtype == torch.float32 and bool(tensor.sum().isfinite()) for tensor in weights.values()):
        raise ArchiveError(f"{path} holds weights that are not finite float32 numbers; train again, or copy it again")
    if _stored_digest(_read(path)) != _digest(weights):
        raise ArchiveError(
            f"{path} is damaged, or not as sentiment-lstm wrote it: its sha256 differs; train again, or copy it again"
        )
    model.load_state_dict(weights, assign=True)
    return model.eval()


def _stored_digest(content: bytes) -> str | None:
    """What :func:`save_weights` noted in the header: 8 bytes with its length, then JSON."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    digest: str | None = header.get("__metadata__", {}).get("sha256")
    return digest


def save_weights(model: SentimentClassifier, folder: Path) -> None:
    """Write ``model.safetensors``, its own sha256 in the header."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_file(folder / WEIGHTS, save_safetensors(tensors, {"sha256": _digest(tensors)}))


def save_description(
    folder: Path, config: Config, tokenizer: Tokenizer, labels: Sequence[str], meta: Mapping[str, Any]
) -> None:
    """Write everything of an archive but its weights."""
    write_file(folder / CONFIG, config.to_yaml().encode())
    write_file(folder / TOKENIZER, tokenizer.to_bytes())
    write_json(folder / LABELS, list(labels))
    write_json(folder / META, dict(meta))


def newest_run(parent: Path) -> Path:
    """Return the run under a folder whose weights were written last.

    Raises
    ------
    UsageError
        Where there is none.
    """
    weights = sorted(parent.glob(f"*/{WEIGHTS}"), key=lambda path: path.stat().st_mtime)
    if not weights:
        raise UsageError(f"no run under {parent}/: train one with sentiment-lstm train, or name a run folder")
    return weights[-1].parent


def _load_config(path: Path) -> Config:
    try:
        values = yaml.safe_load(_read(path))
        if not isinstance(values, dict):
            raise ConfigError("it holds no sections")
        return validate_config(values, where="configuration")
    except (yaml.YAMLError, UnicodeDecodeError, ConfigError) as error:
        reason = str(error).splitlines()[0]
        raise ArchiveError(f"{path} is damaged or from another version ({reason}); copy it again") from error


def _load_json(path: Path) -> Any:
    try:
        return json.loads(_read(path))
    except ValueError as error:
        raise ArchiveError(f"{path} is damaged: {error}; copy it again") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {error.strerror}") from error
