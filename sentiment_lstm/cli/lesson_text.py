"""What a lesson about a trained model is given: the model, its labels, and the user's text as the model reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sentiment_lstm.data.tokenizer import UNK_ID, truncate
from sentiment_lstm.errors import UsageError
from sentiment_lstm.inference.archive import Archive, load_archive
from sentiment_lstm.lessons.reading import Sentence

SHOWN = 40  # tokens: more words could not be read under an axis
SHOWN_CHARACTERS = 16  # of a word


def load(run: str, text: str) -> tuple[Archive, Sentence]:
    """Load a run (or ``shipped``) and encode a text for it.

    Raises
    ------
    UsageError
        Where the run is no classifier's, or the text has no word that it knows.
    ArchiveError
        Where a file of the run is damaged.
    """
    if not text.strip():
        raise UsageError("the text is empty: give a sentence in quotes")
    archive = load_archive(Path(run))
    encoding = archive.tokenizer.encode(text)
    config = archive.config.tokenizer
    kept = truncate(np.arange(len(encoding.token_ids)), config.max_length, config.truncation)[:SHOWN]
    token_ids = encoding.token_ids[kept]
    if (token_ids == UNK_ID).all():  # also where there is none
        raise UsageError(f"{run} knows no word of this text: give one in the language it was trained on")
    words = tuple(
        _shown(text[slice(*encoding.offsets[place])], known=bool(encoding.token_ids[place] != UNK_ID)) for place in kept
    )
    tokens = torch.from_numpy(token_ids.astype(np.int64))[None]
    return archive, Sentence(words, tokens, len(encoding.token_ids))


def _shown(word: str, known: bool) -> str:
    """Return a word as lessons write it: on one line, shortened, in brackets where the model does not know it."""
    word = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in word.strip())
    word = word if len(word) <= SHOWN_CHARACTERS else f"{word[: SHOWN_CHARACTERS - 1]}…"
    return word if known else f"[{word}]"
