"""What the lessons say, in the reader's language."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

LANGUAGES = ("en", "id")
WORDS = Path(__file__).resolve().parent / "words"


def language_of(environment: Mapping[str, str] = os.environ) -> str:
    """Return ``id`` where the environment's language is Indonesian, else ``en``.

    The first of LC_ALL, LC_MESSAGES and LANG that is set says so, as POSIX has it.
    """
    chosen = next((own for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (own := environment.get(name))), "")
    return "id" if chosen.lower().replace("-", "_").split(".")[0].split("_")[0] in ("id", "in") else "en"


class Say:
    """Sentences by key, with their numbers put in.

    >>> Say("en")("common.written", path="a.png")
    'picture: a.png'
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._sentences = sentences(language)

    def __call__(self, key: str, **values: Any) -> str:
        return self._sentences[key].format(**values)


@cache
def sentences(language: str) -> dict[str, str]:
    """Return every sentence of a language by ``lesson.key``."""
    lessons = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (WORDS / language).glob("*.yaml")
    }
    return {f"{lesson}.{key}": text.rstrip("\n") for lesson, own in lessons.items() for key, text in own.items()}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table: the first column to the left, the others to the right."""
    every = [head, *rows]
    widths = [max(len(line[place]) for line in every) for place in range(len(head))]
    for line in every:
        cells = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
        yield "  ".join(["", line[0].ljust(widths[0]), *cells[1:]])
