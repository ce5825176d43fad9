"""What takes seconds to make and follows from content alone, kept between runs.

A key is a hash of everything the entry was made from, so an entry can be missing or damaged but never stale.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

KEPT_FILES = 40  # an encoded split of IMDB is 27 MB
KEPT_TABLES = 20  # a split of IMDB is 33 MB as a table
DIGEST_SIZE = hashlib.sha256().digest_size  # of the entry's own digest, which stands before its bytes


def folder() -> Path:
    """Return the cache's folder: ``$SENTIMENT_LSTM_CACHE``, or ``sentiment-lstm`` in the user's cache folder."""
    chosen = os.environ.get("SENTIMENT_LSTM_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sentiment-lstm"


def key(parts: Iterable[str]) -> str:
    """Hash strings one by one; where one ends and the next begins counts too."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def read(name: str) -> bytes | None:
    """Return an entry's bytes, or ``None`` where there is none or it is damaged."""
    try:
        content = (folder() / name).read_bytes()
    except OSError:
        return None
    digest, data = content[:DIGEST_SIZE], content[DIGEST_SIZE:]
    return data if digest == hashlib.sha256(data).digest() else None


def write(name: str, data: bytes) -> None:
    """Keep an entry. A cache that cannot be written costs time, never the run."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder(), prefix=".", delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(hashlib.sha256(data).digest() + data)
                file.flush()
                os.replace(temporary, folder() / name)
            finally:
                temporary.unlink(missing_ok=True)
        _forget_oldest()
    except OSError:
        return


def tables_folder(name: str) -> Path:
    """Return the folder in which the `datasets` library keeps the tables of one source, the oldest others forgotten."""
    parent = folder() / "datasets"
    if parent.is_dir():
        for path in _oldest_first(parent)[:-KEPT_TABLES]:
            shutil.rmtree(path, ignore_errors=True)
    return parent / name


def _forget_oldest() -> None:
    files = [path for path in _oldest_first(folder()) if path.is_file()]
    for path in files[:-KEPT_FILES]:
        path.unlink(missing_ok=True)


def _oldest_first(parent: Path) -> list[Path]:
    return sorted(parent.iterdir(), key=lambda path: path.stat().st_mtime)
