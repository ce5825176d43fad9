"""Pretrained word vectors in the text formats of GloVe, word2vec and fastText: a word and its numbers a line.

word2vec and fastText put a line with the number of words and of dimensions first; GloVe does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sentiment_lstm.data import guards
from sentiment_lstm.errors import DataError, UsageError

LONGEST_LINE = 2**20  # bytes; a word and 4,096 numbers have a tenth of them


def load_vectors(path: Path, tokens: Sequence[str], dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the vectors of the tokens that a vocabulary holds; the rest of the file is skimmed.

    Parameters
    ----------
    path : text file, UTF-8
    tokens : the V tokens of the vocabulary, in order
    dim : numbers a vector must have, the model's ``embedding_dim``

    Returns
    -------
    vectors : (V, dim) float32 array
        Zero where the file has no vector.
    found : (V,) bool array

    Raises
    ------
    UsageError
        Where the file cannot be opened or its vectors have another size.
    DataError
        Where a line is damaged, or the vocabulary and the file share no word.
    """
    index = {token: position for position, token in enumerate(tokens)}
    vectors = np.zeros((len(tokens), dim), dtype=np.float32)
    found = np.zeros(len(tokens), dtype=bool)
    try:
        with path.open("rb") as file:
            for number, content in enumerate(guards.iter_lines(file, str(path), LONGEST_LINE), start=1):
                line = content.decode(errors="replace")
                word, *numbers = line.rstrip(" \r\n").rsplit(" ", dim)  # GloVe has words with spaces in them
                if number == 1:
                    _check_dim(line.split(), dim, path)
                position = index.get(word)
                if position is not None and not (number == 1 and len(numbers) == 1):  # the latter is a header
                    vectors[position] = _parse(numbers, dim, path, number)
                    found[position] = True
    except OSError as error:
        raise UsageError(f"cannot read the vectors in {path}: {error.strerror}") from error
    if not found.any():
        raise DataError(
            f"{path} has a vector for none of the {len(tokens):,} words: is it a text file of word vectors?"
        )
    return vectors, found


def _check_dim(first_line: Sequence[str], dim: int, path: Path) -> None:
    """Read the size from word2vec's header, whose second number it is, or else from the first word's numbers."""
    is_header = len(first_line) == 2 and first_line[1].isdecimal() and len(first_line[1]) < 10
    found = int(first_line[1]) if is_header else len(first_line) - 1
    if found != dim and first_line:
        raise UsageError(
            f"{path} has vectors of {found} numbers, but model.embedding_dim is {dim}: "
            f"--set model.embedding_dim={found}"
        )


def _parse(fields: Sequence[str], dim: int, path: Path, line: int) -> np.ndarray:
    if len(fields) != dim:
        raise DataError(
            f"{path}, line {line} has {len(fields)} numbers where the first lines have {dim}: it is damaged"
        )
    try:
        with np.errstate(over="ignore"):  # too large a number becomes infinite, and is refused below
            vector = np.array(fields, dtype=np.float32)
    except ValueError as error:
        raise DataError(f"{path}, line {line}: {error}") from error
    if not np.isfinite(vector).all():
        raise DataError(f"{path}, line {line} holds a number that is not finite")
    return vector
