"""Checkpoints that survive a kill at any moment: what a run must know to go on as if it had never stopped.

    checkpoints/epoch-0003-step-000120/       120 optimiser steps into epoch 3
        state.safetensors                     weights, optimiser, random states
        state.json                            counters, scores, history, configuration
        manifest.json                         size and sha256 of the two, written last

A folder without a manifest that fits its files is no checkpoint, and is passed over.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from sentiment_lstm.errors import ArchiveError
from sentiment_lstm.files import write_file, write_json

logger = logging.getLogger(__name__)

FOLDER = "checkpoints"
TENSORS, VALUES, MANIFEST = "state.safetensors", "state.json", "manifest.json"
FORMAT = 1
LARGEST_JSON = 64 * 2**20  # bytes; a history of 10,000 epochs is 10 MB
LARGEST_TENSORS = 2**34  # bytes; three times the largest weights that a run folder may hold, and the reviews' hashes

_NAME = re.compile(r"epoch-(\d+)-step-(\d+)")

Position = tuple[int, int]  # epoch, and optimiser steps done in it


@dataclass(frozen=True)
class Checkpoint:
    """What was read back.

    Attributes
    ----------
    folder : Path
    tensors : dict of name to tensor
    values : dict
        What JSON holds; floats come back to the last bit.
    """

    folder: Path
    tensors: dict[str, Tensor]
    values: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run.

    Parameters
    ----------
    run : the run's folder
    keep : how many of the last ones are kept, besides the one of the best epoch; 0: none are written
    """

    def __init__(self, run: Path, keep: int) -> None:
        self.folder = run / FOLDER
        self.keep = keep
        self._whole: set[Position] = set()  # those this process has written or verified

    def save(
        self, position: Position, tensors: Mapping[str, Tensor], values: Mapping[str, Any], best: Position | None
    ) -> None:
        """Write a checkpoint, then forget all but the last ones and the best one.

        Raises
        ------
        RunFailure
            Where the disk is full; the checkpoints before are whole.
        """
        if self.keep == 0 or position in self._whole:
            return
        folder = self._folder_of(position)
        if folder.exists():
            remove(folder)  # half a checkpoint, or a damaged one that was passed over
        contents = {
            TENSORS: save_safetensors({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}),
            VALUES: json.dumps({"format": FORMAT, **values}, ensure_ascii=False).encode(),
        }
        try:
            for name, content in contents.items():
                write_file(folder / name, content)
            write_json(
                folder / MANIFEST,
                {name: {"bytes": len(data), "sha256": _sha256(data)} for name, data in contents.items()},
            )
        except BaseException:
            with contextlib.suppress(OSError):
                remove(folder)  # what it takes of a full disk is needed
            raise
        self._whole.add(position)
        kept = {*self.positions()[-self.keep :], best}
        for old in self.positions():
            if old not in kept:
                remove(self._folder_of(old))
                self._whole.discard(old)

    def positions(self) -> list[Position]:
        """Return where in training the checkpoints stand, the oldest first, the damaged ones included."""
        if not self.folder.is_dir():
            return []
        matches = (_NAME.fullmatch(path.name) for path in self.folder.iterdir() if path.is_dir())
        return sorted((int(match[1]), int(match[2])) for match in matches if match)

    def load_newest(self) -> Checkpoint | None:
        """Return the newest checkpoint that is whole, saying which ones it passed over.

        ``None`` where none was ever written to its end.

        Raises
        ------
        ArchiveError
            Where there are checkpoints and all are damaged.
        """
        were_whole = False
        for position in reversed(self.positions()):
            try:
                return self.load(position)
            except ArchiveError as error:
                logger.warning("passed over %s", error)
                were_whole |= (self._folder_of(position) / MANIFEST).exists()
        if were_whole:
            raise ArchiveError(f"no checkpoint in {self.folder} is whole: train again")
        return None

    def load(self, position: Position) -> Checkpoint:
        """Read one checkpoint.

        Raises
        ------
        ArchiveError
            Where it is damaged.
        """
        folder = self._folder_of(position)
        try:
            manifest = _read_json(folder / MANIFEST)
            contents = {name: _read_verified(folder / name, manifest) for name in (TENSORS, VALUES)}
            values = _parse(contents[VALUES], VALUES)
            if values.get("format") != FORMAT:
                raise ValueError(f"{VALUES} has the format {values.get('format')!r}, not {FORMAT}")
            tensors = load_safetensors(contents[TENSORS])  # of what was verified; mapped, the file could still change
        except (OSError, ValueError, RecursionError, SafetensorError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ArchiveError(f"{folder}: {_missing(folder) or reason}") from error
        self._whole.add(position)
        return Checkpoint(folder, tensors, values)

    def forget(self) -> None:
        """Remove all of them."""
        if self.folder.is_dir():
            shutil.rmtree(self.folder)

    def _folder_of(self, position: Position) -> Path:
        return self.folder / "epoch-{:04}-step-{:06}".format(*position)


def remove(folder: Path) -> None:
    """Remove a checkpoint, its manifest first: half of it must not pass for a whole one."""
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder)


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return where two nested dictionaries differ, as "model.hidden_dim: checkpoint has 128, this run has 64"."""
    flat_then, flat_now = dict(_flat(then)), dict(_flat(now))
    keys = [*flat_then, *(key for key in flat_now if key not in flat_then)]
    nothing = object()
    return [
        f"{key}: checkpoint has {_shown(flat_then.get(key))}, this run has {_shown(flat_now.get(key))}"
        for key in keys
        if flat_then.get(key, nothing) != flat_now.get(key, nothing)
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _missing(folder: Path) -> str:
    """What a kill in the middle of a save leaves behind, in words."""
    missing = [name for name in (TENSORS, VALUES, MANIFEST) if not (folder / name).is_file()]
    return f"it was not written to its end (no {', '.join(missing)})" if missing else ""


def _read_verified(path: Path, manifest: Mapping[str, Any]) -> bytes:
    entry = manifest.get(path.name)
    if not isinstance(entry, dict):
        raise ValueError(f"{MANIFEST} does not name {path.name}")
    content = _read(path, LARGEST_TENSORS)
    if len(content) != entry.get("bytes"):
        raise ValueError(f"{path.name} has {len(content):,} bytes, not the {entry.get('bytes')} of {MANIFEST}")
    if _sha256(content) != entry.get("sha256"):
        raise ValueError(f"{path.name} is damaged: its sha256 is not that of {MANIFEST}")
    return content


def _read_json(path: Path) -> dict[str, Any]:
    return _parse(_read(path, LARGEST_JSON), path.name)


def _read(path: Path, largest: int) -> bytes:
    if not path.is_file():  # opening a pipe would wait
        raise ValueError(f"{path.name} is missing")
    if path.stat().st_size > largest:
        raise ValueError(f"{path.name} is larger than any that is written here")
    return path.read_bytes()


def _parse(content: bytes, name: str) -> dict[str, Any]:
    values = json.loads(content)
    if not isinstance(values, dict):
        raise ValueError(f"{name} holds no object")
    return values


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
