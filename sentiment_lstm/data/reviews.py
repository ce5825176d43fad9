"""The smallest unit that flows through the program: one review."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Review:
    """One text with its label's name (``None`` where it has none) and an id that is stable between runs."""

    text: str
    label: str | None
    id: str
