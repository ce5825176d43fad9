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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

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

    def encode_batch(self, texts: Sequence[str], chunk_size: int = 1000) -> list[np.ndarray]:
        """Encode many texts on all cores, without offsets.

        Returns
        -------
        list of (T,) int32 arrays
            One a text, in order.
        """
        encoded: list[np.ndarray] = []
        for start in range(0, len(texts), chunk_size):  # the library's own result is twenty times as large as the ids
            chunk = [_without_surrogates(text) for text in texts[start : start + chunk_size]]
            encoded += [_as_token_ids(encoding.ids) for encoding in self._backend.encode_batch_fast(chunk)]
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
            Where it is damaged, or has other ids for ``<pad>`` and ``<unk>``.
        """
        try:
            backend = tokenizers.Tokenizer.from_str(content.decode())
        except Exception as error:  # the library raises bare Exception for a file it cannot parse
            raise ValueError(f"not a tokenizer.json of the tokenizers library: {error}") from error
        if (backend.token_to_id(PAD), backend.token_to_id(UNK)) != (PAD_ID, UNK_ID):
            raise ValueError(f"not made by sentiment-lstm: {PAD} must have id {PAD_ID} and {UNK} id {UNK_ID}")
        return cls(backend)


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


def truncate(token_ids: np.ndarray, max_length: int, truncation: str) -> np.ndarray:
    """Keep at most ``max_length`` ids: the first, the last, or half from each end (``head_tail``)."""
    if len(token_ids) <= max_length:
        return token_ids
    if truncation == "head":
        return token_ids[:max_length]
    if truncation == "tail":
        return token_ids[-max_length:]
    tail = max_length // 2
    return np.concatenate([token_ids[: max_length - tail], token_ids[len(token_ids) - tail :]])


def _train_basic_english(texts: Iterable[str], config: TokenizerConfig) -> tokenizers.Tokenizer:
    tokens = chain.from_iterable(basic_english(_without_surrogates(text)) for text in texts)
    vocabulary = build_vocabulary(tokens, config.min_frequency, config.max_size)
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
    backend = tokenizers.Tokenizer(models.BPE())
    backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace("<br />", " ")])
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.max_size,
        min_frequency=config.min_frequency,
        special_tokens=[PAD, UNK],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator((_without_surrogates(text) for text in texts), trainer)
    # The trainer registers <pad> and <unk> as added tokens, which a review could then spell out. Only the ids stay.
    settings = json.loads(backend.to_str())
    settings["added_tokens"] = []
    return tokenizers.Tokenizer.from_str(json.dumps(settings))


def _without_surrogates(text: str) -> str:
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def _as_token_ids(ids: list[int]) -> np.ndarray:
    token_ids = np.array(ids, dtype=np.int32)
    token_ids[token_ids == PAD_ID] = UNK_ID  # a review that says "<pad>" must not be taken for padding
    return token_ids
