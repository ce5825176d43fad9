"""The run folder: what a trained model is on disk. Safetensors, JSON and YAML only; nothing in it is executed.

    config.yaml  tokenizer.json  model.safetensors  labels.json  meta.json       the model
    history.jsonl  metrics.json  curves.png  plot.png  evaluation/               what is known of it
    teachers.safetensors                                      what its teachers answered, where it had any

No file names another by an absolute path, so a folder can be moved; ``config.yaml`` alone names the data.

A folder may come from anyone. So every file is small enough before it is read, the weights' header says what the
configuration asks for before the weights are read, and no more memory is taken than these files are long, a few times.
"""

from __future__ import annotations

import hashlib
import json
import stat
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

from sentiment_lstm.config import Config, find_classifier, find_language_model
from sentiment_lstm.data.tokenizer import Tokenizer
from sentiment_lstm.errors import ArchiveError, ConfigError, UsageError
from sentiment_lstm.files import write_file, write_json
from sentiment_lstm.inference.storage import restore, stored_shapes
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.recipes import validate_config

CONFIG, TOKENIZER, WEIGHTS, LABELS, META = (
    "config.yaml",
    "tokenizer.json",
    "model.safetensors",
    "labels.json",
    "meta.json",
)
HISTORY, METRICS, CURVES, PLOT = "history.jsonl", "metrics.json", "curves.png", "plot.png"
MODEL_FILES = (CONFIG, TOKENIZER, WEIGHTS, LABELS, META)
TEACHERS = "teachers.safetensors"  # what a student's teachers answered
RUN_FILES = (*MODEL_FILES, HISTORY, METRICS, CURVES, PLOT, TEACHERS)

NGRAMS = "ngrams.keys"  # alone of all tensors whole numbers: see model/ngrams.py
LANGUAGE_MODEL = "language model"  # what ``meta.json`` calls one
LARGEST_BYTES = {CONFIG: 2**16, TOKENIZER: 2**26, WEIGHTS: 2**31, LABELS: 2**20, META: 2**24}
LARGEST_HEADER_BYTES = 2**20  # of safetensors; that of 16 layers has 10,000
LARGEST_WEIGHT = 1e6  # beyond it activations can overflow; trained weights stay below 100
SHOWN_CHARACTERS = 300  # of a reason: a hostile file can have megabytes of faults


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
    folder = find_classifier(folder)
    config, values = _open(folder)
    if _kind(folder) == LANGUAGE_MODEL:
        raise UsageError(f"{folder} is a language model: train --init {folder} makes a classifier that starts from it")
    labels = _load_labels(folder / LABELS)
    meta = _load_json(folder / META)
    if not isinstance(meta, dict):
        raise ArchiveError(f"{folder / META} must be an object; copy it again")
    tokenizer = _load_tokenizer(folder)
    if meta.get("tokenizer_fingerprint", tokenizer.fingerprint) != tokenizer.fingerprint:
        raise ArchiveError(f"{folder / TOKENIZER} is damaged or another run's: its sha256 differs; copy it again")
    model = _load_model(config, len(tokenizer), len(labels), folder / WEIGHTS)
    if "settings_sha256" in meta and meta["settings_sha256"] != _settings_digest(values, labels):
        raise ArchiveError(
            f"{folder}: {CONFIG} (its model and tokenizer) or {LABELS} is not what the run was trained with: "
            f"the sha256 in {META} differs; copy it again"
        )
    return Archive(folder, config, tokenizer, labels, meta, model)


def _load_model(config: Config, vocabulary_size: int, num_classes: int, path: Path) -> SentimentClassifier:
    header = _read_header(path)
    with torch.device("meta"):  # shapes without numbers: a few bytes of configuration can ask for 100 GB of them
        model = SentimentClassifier(
            config.model, vocabulary_size, num_classes, initialize=False, num_ngrams=_num_ngrams(header)
        )
    expected = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    found = stored_shapes({name: tensor for name, tensor in header.items() if name != "__metadata__"})
    differences = [
        f"{name}: file has {found.get(name, 'nothing')}, model has {expected.get(name, 'nothing')}"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]
    if differences:
        reason = _shortened("; ".join(differences[:3]))
        raise ArchiveError(f"{path} holds another model than {CONFIG} says: {reason}")
    weights = _checked(path, load_weights(path), header)
    model.load_state_dict(weights, assign=True)
    return model.eval()


def _num_ngrams(header: Mapping[str, Any]) -> int:
    """How many n-grams a file says it has; 1, which then does not fit, where it says nothing that can be."""
    shape = header.get(NGRAMS, {}).get("shape")
    can_be = isinstance(shape, list) and len(shape) == 1 and type(shape[0]) is int
    return shape[0] if can_be and 1 <= shape[0] <= LARGEST_BYTES[WEIGHTS] // 8 else 1  # of 8 bytes each


@dataclass(frozen=True)
class Pretrained:
    """What training can start from: a run's configuration, words and weights by name."""

    config: Config
    tokenizer: Tokenizer
    weights: dict[str, Tensor]


def load_settings(folder: Path) -> Config:
    """Read the configuration of a run.

    Raises
    ------
    UsageError, ArchiveError
        As :func:`load_pretrained`.
    """
    return _open(find_language_model(folder))[0]


def load_pretrained(folder: Path) -> Pretrained:
    """Read a run, a language model's or a classifier's, to start another one from it.

    Raises
    ------
    UsageError
        Where the folder is not a run.
    ArchiveError
        Where a file is missing or damaged.
    """
    folder = find_language_model(folder)
    config, _ = _open(folder)
    path = folder / WEIGHTS
    weights = _checked(path, load_weights(path), _read_header(path))
    return Pretrained(config, _load_tokenizer(folder), weights)


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
        raise _not_safetensors(path, error) from error


def _read_header(path: Path) -> dict[str, Any]:
    """Return what a safetensors file says of its tensors: 8 bytes with a length, then so much JSON."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > LARGEST_HEADER_BYTES:
                raise ValueError(f"a header of {length:,} bytes")
            header = json.loads(file.read(length))
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _not_safetensors(path, error) from error
    if not isinstance(header, dict) or not all(isinstance(value, dict) for value in header.values()):
        raise _not_safetensors(path, "its header is no table of tensors")
    return header


def _not_safetensors(path: Path, reason: object) -> ArchiveError:
    return ArchiveError(
        f"{path} is damaged or not a safetensors file ({_shortened(reason)}); train again, or copy it again"
    )


def _open(folder: Path) -> tuple[Config, dict[str, Any]]:
    """The configuration of a run folder that has all its files, and the values as they are written."""
    if not folder.is_dir():
        raise UsageError(f"no run at {folder}: expected a folder written by sentiment-lstm train")
    missing = [name for name in MODEL_FILES if not (folder / name).is_file()]
    if len(missing) == len(MODEL_FILES):
        raise UsageError(f"{folder} is not a run folder: it has no {', '.join(MODEL_FILES)}")
    if missing:
        raise ArchiveError(f"{folder} is incomplete: it has no {', '.join(missing)}; train again, or copy it again")
    return _load_config(folder / CONFIG)


def _load_tokenizer(folder: Path) -> Tokenizer:
    try:
        return Tokenizer.from_bytes(_read(folder / TOKENIZER))
    except ValueError as error:
        raise ArchiveError(f"{folder / TOKENIZER}: {_shortened(error)}; copy it again") from error


def _checked(path: Path, stored: Mapping[str, Tensor], header: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the weights of a file as they are computed with, where they are what was written."""
    try:
        weights = restore(stored)
    except ValueError as error:
        raise ArchiveError(f"{path} is damaged: {_shortened(error)}; train again, or copy it again") from error
    if NGRAMS in weights and not _is_ascending(weights[NGRAMS]):
        raise ArchiveError(f"{path} holds n-grams out of order; train again, or copy it again")
    if not all(_is_sound(tensor) for name, tensor in weights.items() if name != NGRAMS):
        raise ArchiveError(
            f"{path} holds weights that are not finite float32 numbers below {LARGEST_WEIGHT:,.0f}; "
            "train again, or copy it again"
        )
    if header.get("__metadata__", {}).get("sha256") != _digest(stored):
        raise ArchiveError(
            f"{path} is damaged, or not as sentiment-lstm wrote it: its sha256 differs; train again, or copy it again"
        )
    return weights


def _is_sound(tensor: Tensor) -> bool:
    if tensor.dtype != torch.float32:
        return False
    smallest, largest = tensor.aminmax()  # NaN where there is one, and then no comparison holds
    return bool(smallest >= -LARGEST_WEIGHT) and bool(largest <= LARGEST_WEIGHT)


def _is_ascending(keys: Tensor) -> bool:
    """Whether they are a table's whole numbers, which a binary search can find."""
    return keys.dtype == torch.int64 and keys.dim() == 1 and bool((keys[1:] > keys[:-1]).all())


def _digest(weights: Mapping[str, Tensor]) -> str:
    """A sha256 over names, shapes and numbers: safetensors itself notices no changed bit."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(f"{name} {weights[name].dtype} {tuple(weights[name].shape)}\n".encode())
        digest.update(weights[name].numpy().tobytes())
    return digest.hexdigest()


def _settings_digest(config: Mapping[str, Any], labels: Sequence[str]) -> str:
    """A sha256 over what a prediction depends on besides tokens and weights: one digit of it changes every answer."""
    model = {name: value for name, value in config["model"].items() if name not in ("vectors", "init")}
    parts = [model, config["tokenizer"], list(labels)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def save_weights(weights: Mapping[str, Tensor], folder: Path) -> None:
    """Write ``model.safetensors``, its own sha256 in the header; what ``storage.quantize`` gives is read back too."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_file(folder / WEIGHTS, save_safetensors(tensors, {"sha256": _digest(tensors)}))


def save_description(
    folder: Path, config: Config, tokenizer: Tokenizer, labels: Sequence[str], meta: Mapping[str, Any]
) -> None:
    """Write everything of an archive but its weights."""
    write_file(folder / CONFIG, config.to_yaml().encode())
    write_file(folder / TOKENIZER, tokenizer.to_bytes())
    write_json(folder / LABELS, list(labels))
    digest = _settings_digest(config.model_dump(mode="json"), labels)
    write_json(folder / META, {**meta, "settings_sha256": digest})


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


def _load_config(path: Path) -> tuple[Config, dict[str, Any]]:
    """The configuration, and the values as they are written."""
    try:
        values = yaml.safe_load(_read(path))
        if not isinstance(values, dict):
            raise ConfigError("it holds no sections")
        if (
            missing := {"data", "tokenizer", "model", "training"} - values.keys()
        ):  # a file that was cut would get defaults for the rest
            raise ConfigError(f"it holds no section {', '.join(sorted(missing))}")
        return validate_config(values, where="configuration"), values
    except ArchiveError:
        raise
    except Exception as error:  # for dates and numbers that are none, yaml raises whatever Python does
        reason = _shortened(error) or type(error).__name__
        raise ArchiveError(f"{path} is damaged or from another version ({reason}); copy it again") from error


def _kind(folder: Path) -> str:
    meta = _load_json(folder / META)
    return str(meta.get("kind", "classifier")) if isinstance(meta, dict) else "classifier"


def _load_labels(path: Path) -> list[str]:
    labels = _load_json(path)
    if not (
        isinstance(labels, list)
        and all(isinstance(name, str) and _is_encodable(name) for name in labels)
        and 2 <= len(set(labels)) == len(labels)
    ):
        raise ArchiveError(f"{path} must be a list of at least two different names; copy it again")
    return labels


def _is_encodable(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _load_json(path: Path) -> Any:
    try:
        return json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{path} is damaged: {_shortened(error)}; copy it again") from error


def _read(path: Path) -> bytes:
    """Return the content of a file of a run, where it is one that can be."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe waits, reading a device never ends
            raise ArchiveError(f"{path} is no file; copy it again")
        if status.st_size > (limit := LARGEST_BYTES.get(path.name, LARGEST_BYTES[WEIGHTS])):
            raise ArchiveError(
                f"{path} has {status.st_size:,} bytes, where {limit:,} are the most that one may have; copy it again"
            )
        return path.read_bytes()
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {error.strerror}") from error


def _shortened(reason: object) -> str:
    """The first line of a reason, or as much of it as a line of a terminal can hold."""
    lines = str(reason).splitlines() or [""]
    return lines[0] if len(lines[0]) <= SHOWN_CHARACTERS else f"{lines[0][:SHOWN_CHARACTERS]}…"
