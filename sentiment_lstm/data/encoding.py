"""What is wrong with the bytes and the characters of a data set, all of it in one go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sentiment_lstm.config import NAMED_SOURCES
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sources import SPLITS
from sentiment_lstm.data.tables import BUILDERS, LABEL_ALIASES
from sentiment_lstm.errors import UsageError

SHOWN = 5  # places named of each fault; all are counted

_UNDECODABLE = re.compile("[\udc80-\udcff]")  # what the error handler surrogateescape makes of bytes
_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff]")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF_8_MARK = b"\xef\xbb\xbf"


def _as_shown(first: int, last: int) -> str:
    """A class of the characters that a program shows for bytes of UTF-8 that it takes for Windows-1252 or Latin-1."""
    shown = {chr(byte) for byte in range(first, last + 1)}
    shown |= {chr(byte).encode("latin-1").decode("cp1252", "ignore") for byte in range(first, last + 1)}
    return "[" + re.escape("".join(sorted(shown))) + "]"


_REST = _as_shown(0x80, 0xBF)
# Accented letters (é), quotation marks and dashes (’), emoji, and two Cyrillic letters, read as the wrong code page.
_MOJIBAKE = re.compile(f"[ÂÃ]{_REST}|â{_REST}{{2}}|ð[Ÿ\x9f]{_REST}{{2}}|(?:[ÐÑ]{_REST}){{2}}")


@dataclass(frozen=True)
class Fault:
    """One kind of fault: how often it occurs, and the first places, as ``file:line:byte`` or a review's id."""

    kind: str
    count: int
    places: tuple[str, ...]


class _Tally:
    """Faults while they are counted."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._places: dict[str, list[str]] = {}

    def add(self, kind: str, places: Iterable[str], count: int = 1) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + count
        own = self._places.setdefault(kind, [])
        for place in places:
            if len(own) == SHOWN:
                break
            own.append(place)

    def faults(self) -> list[Fault]:
        return [Fault(kind, count, tuple(self._places[kind])) for kind, count in self._counts.items()]


def text_files(source: str) -> list[Path]:
    """Return the files of a source that are text: none of ``imdb``, of ``sample``, of parquet, of what is missing."""
    path = Path(source).expanduser()
    if source in NAMED_SOURCES:
        return []
    if path.is_file():
        files = [path]
    elif path.is_dir():
        files = [own for own in sorted(path.iterdir()) if own.is_file() and own.name.lower().startswith(SPLITS)]
    else:
        return []
    texts = [own for own in files if BUILDERS.get(own.suffix.lower(), "parquet") != "parquet"]
    if path.is_dir():
        for split in SPLITS:
            for label in LABEL_ALIASES:
                texts += sorted((path / split / label).glob("*.txt"))
    return texts


def scan_files(files: Iterable[Path]) -> list[Fault]:
    """Return the faults of text files that can be seen in their bytes alone.

    ``utf_16`` (files), ``invalid_utf_8`` (bytes), ``nul`` (bytes), ``byte_order_mark`` (files) and
    ``mixed_line_ends`` (files; not those of one review each).

    Raises
    ------
    UsageError
        Where a file cannot be opened.
    """
    tally = _Tally()
    for path in files:
        try:
            _scan_file(path, tally)
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return tally.faults()


def _scan_file(path: Path, tally: _Tally) -> None:
    ends: dict[bytes, int] = {}
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if number == 1 and line.startswith(_UTF_16_MARKS):
                tally.add("utf_16", [str(path)])
                return
            if number == 1 and line.startswith(_UTF_8_MARK):
                tally.add("byte_order_mark", [str(path)])
            if not line.isascii():
                _scan_utf_8(line, f"{path}:{number}", tally)
            if nuls := line.count(0):
                tally.add("nul", _places_of_nul(line, f"{path}:{number}"), nuls)
            end = line[-2:] if line.endswith(b"\r\n") else line[-1:]
            if end in (b"\n", b"\r\n"):
                ends.setdefault(end, number)
    if len(ends) > 1 and path.suffix.lower() != ".txt":
        tally.add("mixed_line_ends", [f"{path}:{max(ends.values())}"])


def _scan_utf_8(line: bytes, where: str, tally: _Tally) -> None:
    try:
        line.decode()
    except UnicodeDecodeError:
        text = line.decode("utf-8", "surrogateescape")
        faults = sum(1 for _ in _UNDECODABLE.finditer(text))
        places = (
            f"{where}:{len(text[: match.start()].encode('utf-8', 'surrogateescape')) + 1}"
            for match in _UNDECODABLE.finditer(text)
        )
        tally.add("invalid_utf_8", places, faults)


def _places_of_nul(line: bytes, where: str) -> Iterator[str]:
    place = line.find(0)
    while place >= 0:
        yield f"{where}:{place + 1}"
        place = line.find(0, place + 1)


def scan_reviews(reviews: Iterable[Review]) -> list[Fault]:
    """Return the faults of texts, each counted by review.

    ``nul``, ``replacement_character`` (U+FFFD: some program has lost a character before), ``control_character``
    (also a byte-order mark inside a text) and ``mojibake`` (UTF-8 that was read as Windows-1252, as in "Ã©").
    """
    tally = _Tally()
    for review in reviews:
        text = review.text
        if "\0" in text:
            tally.add("nul", [review.id])
        if _CONTROL.search(text):
            tally.add("control_character", [review.id])
        if text.isascii():
            continue
        if "\ufffd" in text:
            tally.add("replacement_character", [review.id])
        if _MOJIBAKE.search(text):
            tally.add("mojibake", [review.id])
    return tally.faults()


def write_decodable_copy(source: str, folder: Path) -> str:
    """Write a copy of a source that can be decoded whatever is in it, and return its path.

    Bytes that are no UTF-8 become U+FFFD, and UTF-16 becomes UTF-8. The copy bears the name of the source, so that
    its reviews have the same ids. Files without a fault are linked, not copied.
    """
    path = Path(source).expanduser().absolute()
    target = folder / path.name
    texts = set(text_files(str(path)))
    files = [path] if path.is_file() else sorted({*texts, *(own for own in path.iterdir() if own.is_file())})
    for own in files:
        copy = target / own.relative_to(path) if path.is_dir() else target
        copy.parent.mkdir(parents=True, exist_ok=True)
        decoded = _decodable(own) if own in texts else None
        if decoded is None:
            copy.symlink_to(own)
        else:
            copy.write_bytes(decoded)
    return str(target)


def _decodable(path: Path) -> bytes | None:
    content = path.read_bytes()
    if content.startswith(_UTF_16_MARKS):
        return content.decode("utf-16", "replace").encode()
    try:
        content.decode()
    except UnicodeDecodeError:
        return content.decode("utf-8", "replace").encode()
    return None
