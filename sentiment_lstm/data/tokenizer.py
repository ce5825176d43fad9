"""Text to token ids and back to the characters they came from.

Two kinds, both saved as one ``tokenizer.json`` of the `tokenizers` library:

``basic_english``
    The words of torchtext's ``get_tokenizer("basic_english")``, and the vocabulary order of its
    ``build_vocab_from_iterator``: most frequent first, ties in ascending order of the token.
``bpe``
    Lower-cased byte-level byte-pair encoding (Sennrich et al. 2016): no text is ever unknown.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from sentiment_lstm.config import TokenizerConfig
from sentiment_lstm.errors import DataError

PAD, UNK = "<pad>", "<unk>"
PAD_ID, UNK_ID = 0, 1

# What basic_english does to a lower-cased line, in torchtext's order: (pattern, replacement).
_BASIC_ENGLISH = [
    ("'", " '  "),
    ('"', ""),
    (".", " . "),
    ("<br />", " "),
    (",", " , "),
    ("(", " ( "),
    (")", " ) "),
    ("!", " ! "),
    ("?", " ? "),
    (";", " "),
    (":", " "),
]
# Python lower-cases a capital sigma at a word's end to the final form; the `tokenizers` library does not. This is
# Unicode's Final_Sigma condition: after a cased letter, not before one, marks in between ignored.
_CASED = r"[\p{Cased}&&[^\p{Case_Ignorable}]]"
_FINAL_SIGMA = Regex(rf"{_CASED}\p{{Case_Ignorable}}*\KΣ(?!\p{{Case_Ignorable}}*+{_CASED})")
_SURROGATE = re.compile("[\ud800-\udfff]")  # half of a UTF-16 pair: no character, and the library cannot take it

PIECE_CHARACTERS = 200_000  # encoded at a time: Ctrl-C is heard between two pieces, which take a tenth of a second each
# Before a single space nothing that either kind does reaches across; "<br />" is the one thing with a space inside.
_SEAM = re.compile(r"(?<=\S) (?=[^\s/])")
LONGEST_WORD = 100  # characters; learning the merges of a word takes time as the square of its length; IMDB's has 77
_LONG_WORD = re.compile(rf"\S{{{LONGEST_WORD}}}(?=\S)")


def basic_english(text: str) -> list[str]:
    """Return the tokens of torchtext's ``basic_english`` tokeniser: lower case, punctuation set apart or dropped.

    >>> basic_english("It's not bad; it's GREAT!")
    ['it', "'", 's', 'not', 'bad', 'it', "'", 's', 'great', '!']
    """
    text = text.lower()
    for pattern, replacement in _BASIC_ENGLISH:
        text = text.replace(pattern, replacement)
    return text.split()


@dataclass(frozen=True)
class Encoding:
    """One text as token ids, before any truncation.

    Attributes
    ----------
    token_ids : (T,) int32 array
    offsets : list of (start, end)
        Where each token stands in the text, in characters.
    """

    token_ids: np.ndarray
    offsets: list[tuple[int, int]]


class Tokenizer:
    """Token ids for texts; ``<pad>`` is 0 and ``<unk>`` is 1."""

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        self._backend = backend

    def __len__(self) -> int:
        return self._backend.get_vocab_size()

    @property
    def tokens(self) -> list[str]:
        """The vocabulary in order of its ids."""
        ids = self._backend.get_vocab()
        return sorted(ids, key=ids.__getitem__)

    @property
    def fingerprint(self) -> str:
        """A sha256 over everything that decides how a text is encoded."""
        return hashlib.sha256(self._backend.to_str().encode()).hexdigest()

    def encode(self, text: str) -> Encoding:
        """Encode one text, with the characters each token came from."""
        encoding = self._backend.encode(_without_surrogates(text))
        return Encoding(_as_token_ids(encoding.ids), encoding.offsets)

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Encode many texts on all cores, without offsets.

        Returns
        -------
        list of (T,) int32 arrays
            One a text, in order.
        """
        encoded: list[np.ndarray] = []
        for chunk in _chunks(texts):  # the library's own result is twenty times as large as the ids
            pieces = [piece for text in chunk for piece in _pieces(text)]
            if len(pieces) == len(chunk):
                encoded += [_as_token_ids(found.ids) for found in self._backend.encode_batch_fast(pieces)]
            else:  # one text longer than a piece, which is always alone
                ids = [_as_token_ids(self._backend.encode_batch_fast([piece])[0].ids) for piece in pieces]
                encoded.append(np.concatenate(ids))
        return encoded

    def to_bytes(self) -> bytes:
        """Return the content of a ``tokenizer.json``."""
        return self._backend.to_str(pretty=True).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Tokenizer:
        """Build a tokenizer from the content of a ``tokenizer.json``.

        Raises
        ------
        ValueError
            Where it is damaged, or does anything else than the two kinds do.
        """
        try:
            settings = json.loads(content)
        except RecursionError as error:
            raise ValueError("not a tokenizer.json of the tokenizers library: it is nested too deeply") from error
        except ValueError as error:
            raise ValueError(f"not a tokenizer.json of the tokenizers library: {error}") from error
        _check_settings(settings)
        try:
            return cls(tokenizers.Tokenizer.from_str(content.decode()))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a bare Exception for what the library cannot parse, and worse for a panic
            raise ValueError(f"not a tokenizer.json of the tokenizers library: {error}") from error


def _check_settings(settings: Any) -> None:
    """Refuse a ``tokenizer.json`` that is not as this module writes one, its vocabulary aside.

    The library's format can name patterns that take forever and steps that this program never takes.
    """
    model = settings.get("model") if isinstance(settings, dict) else None
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(vocabulary, dict):
        raise ValueError("not a tokenizer.json of the tokenizers library: it has no vocabulary")
    if (vocabulary.get(PAD), vocabulary.get(UNK)) != (PAD_ID, UNK_ID):
        raise ValueError(f"not made by sentiment-lstm: {PAD} must have id {PAD_ID} and {UNK} id {UNK_ID}")
    ids = set(vocabulary.values()) if all(type(index) is int for index in vocabulary.values()) else set()
    if ids != set(range(len(vocabulary))):
        raise ValueError("not made by sentiment-lstm: the ids of its words must be 0, 1, 2 and so on")
    own = {**settings, "model": {name: value for name, value in model.items() if name not in ("vocab", "merges")}}
    for backend in (_basic_english_backend({UNK: UNK_ID}), _bpe_backend()):
        expected = json.loads(backend.to_str())
        for learned in ("vocab", "merges"):
            expected["model"].pop(learned, None)
        if own == expected:
            return
    raise ValueError("not made by sentiment-lstm: it has other steps than basic_english and bpe have")


def build_tokenizer(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    """Build the vocabulary from training texts.

    Raises
    ------
    DataError
        Where no token occurs ``min_frequency`` times.
    """
    backend = _train_basic_english(texts, config) if config.kind == "basic_english" else _train_bpe(texts, config)
    if backend.get_vocab_size() <= 2:
        raise DataError(
            f"no token occurs {config.min_frequency} times in the training reviews: lower tokenizer.min_frequency"
        )
    return Tokenizer(backend)


def build_vocabulary(tokens: Iterable[str], min_frequency: int, max_size: int) -> dict[str, int]:
    """Return ``{token: id}``: ``<pad>``, ``<unk>``, then by descending count and, among equals, by ascending token."""
    counts = Counter(tokens)
    del counts[PAD], counts[UNK]  # words of a review that look like the special ones are unknown
    frequent = (token for token, count in counts.items() if count >= min_frequency)
    ranked = sorted(frequent, key=lambda token: (-counts[token], token))
    return {token: index for index, token in enumerate([PAD, UNK, *ranked[: max_size - 2]])}


def unknown_share(token_ids: np.ndarray) -> float:
    """Return the share of (T,) ids that are ``<unk>``; 1.0 for a text without tokens, of which nothing is known."""
    return float((token_ids == UNK_ID).mean()) if len(token_ids) else 1.0


def truncate(token_ids: np.ndarray, max_length: int | None, truncation: str) -> np.ndarray:
    """Keep at most ``max_length`` ids: the first, the last, or half from each end (``head_tail``)."""
    if max_length is None or len(token_ids) <= max_length:
        return token_ids
    if truncation == "head":
        return token_ids[:max_length]
    if truncation == "tail":
        return token_ids[-max_length:]
    tail = max_length // 2
    return np.concatenate([token_ids[: max_length - tail], token_ids[len(token_ids) - tail :]])


def _train_basic_english(texts: Iterable[str], config: TokenizerConfig) -> tokenizers.Tokenizer:
    tokens = chain.from_iterable(basic_english(_without_surrogates(text)) for text in texts)
    return _basic_english_backend(build_vocabulary(tokens, config.min_frequency, config.max_size))


def _basic_english_backend(vocabulary: dict[str, int]) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token=UNK))
    # The same steps as basic_english(), in a form that keeps each token's place in the text.
    backend.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(_FINAL_SIGMA, "ς"),
            normalizers.Lowercase(),
            normalizers.Replace('"', ""),
            normalizers.Replace(Regex("<br />|[;:\x1c-\x1f]"), " "),  # str.split() takes \x1c-\x1f for white space
        ]
    )
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"['.,()!?]|[^\s'.,()!?]+"), "removed", invert=True)
    return backend


def _train_bpe(texts: Iterable[str], config: TokenizerConfig) -> tokenizers.Tokenizer:
    backend = _bpe_backend()
    trainer = trainers.BpeTrainer(
        vocab_size=config.max_size,
        min_frequency=config.min_frequency,
        special_tokens=[PAD, UNK],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    readable = (_LONG_WORD.sub(r"\g<0> ", _without_surrogates(text)) for text in texts)
    backend.train_from_iterator(readable, trainer)
    # The trainer registers <pad> and <unk> as added tokens, which a review could then spell out. Only the ids stay.
    settings = json.loads(backend.to_str())
    settings["added_tokens"] = []
    return tokenizers.Tokenizer.from_str(json.dumps(settings))


def _bpe_backend() -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace("<br />", " ")])
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    return backend


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yield the texts, without surrogates, in lists of about ``PIECE_CHARACTERS``; a longer text is alone."""
    chunk: list[str] = []
    characters = 0
    for text in texts:
        if chunk and characters + len(text) > PIECE_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
        chunk.append(_without_surrogates(text))
        characters += len(text)
    if chunk:
        yield chunk


def _pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces of at least ``PIECE_CHARACTERS``, cut where that changes no token."""
    start = 0
    while len(text) - start > PIECE_CHARACTERS and (seam := _SEAM.search(text, start + PIECE_CHARACTERS)):
        yield text[start : seam.start()]
        start = seam.start()
    yield text[start:]


def _without_surrogates(text: str) -> str:
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def _as_token_ids(ids: list[int]) -> np.ndarray:
    token_ids = np.array(ids, dtype=np.int32)
    token_ids[token_ids == PAD_ID] = UNK_ID  # a review that says "<pad>" must not be taken for padding
    return token_ids
