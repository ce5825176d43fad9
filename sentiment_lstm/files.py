"""Files written whole or not at all, and the lock that keeps a run folder to one process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sentiment_lstm.errors import RunFailure, UsageError

LOCK = ".lock"


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: under a temporary name, flushed to the disk, renamed, the folder flushed.

    Raises
    ------
    RunFailure
        Where the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # two processes may write the same file
    try:
        make_folder(path.parent)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        flush_folder(path.parent)
    except OSError as error:
        size = max(len(content) / 1e6, 0.01)
        raise RunFailure(
            f"cannot write {path} ({size:.2f} MB needed): {error.strerror}; make room or choose another --output"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON."""
    write_file(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def json_line(value: Mapping[str, Any]) -> str:
    """Return an object as a line of a JSON-lines file."""
    return json.dumps(value, ensure_ascii=False) + "\n"


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append one object to a JSON-lines file.

    Raises
    ------
    RunFailure
        As :func:`write_file`.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json_line(value))
    except OSError as error:
        raise RunFailure(f"cannot write {path}: {error.strerror}; make room or choose another --output") from error


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents, each name flushed to the disk."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, as ``fsync`` does for a file's content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot, such as some network ones
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process alone, making it where it is missing and removing it again where it stays empty.

    The system itself releases the lock when the process ends, however it ends.

    Raises
    ------
    UsageError
        Where another process holds it, with its number; or the folder cannot be made.
    """
    path = folder / LOCK
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(path)
    except BlockingIOError as error:
        raise UsageError(
            f"{folder} is in use by process {_owner(path)}: wait for it to end, or choose another --output"
        ) from error
    except OSError as error:
        raise UsageError(f"cannot use {folder} as a run folder: {error.strerror}") from error
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # while it is held: who comes next makes a new one
            if made:
                folder.rmdir()
        os.close(descriptor)


def _lock(path: Path) -> int:
    """Open and lock the file that has the name ``path``: the one opened may be its last owner's, just removed."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _owner(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip() or "?"
    except (OSError, ValueError):
        return "?"


def is_free(folder: Path) -> bool:
    """Whether a folder is missing, or holds nothing but the lock and what a killed process left half written."""
    return not folder.is_dir() or all(path.name == LOCK or is_stray(path) for path in folder.iterdir())


def is_stray(path: Path) -> bool:
    """Whether a file has the temporary name of one that was never written to its end."""
    return path.name.startswith(".") and path.suffix == ".tmp"
