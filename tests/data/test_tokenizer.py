"""basic_english against torchtext's recorded answers, and the saved tokenizer against basic_english."""

from __future__ import annotations

import hashlib
import json
import sys
import time
import unicodedata
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment_lstm.config import TokenizerConfig
from sentiment_lstm.data.tokenizer import (
    PAD_ID,
    UNK_ID,
    Tokenizer,
    basic_english,
    build_tokenizer,
    build_vocabulary,
    truncate,
    unknown_share,
)
from sentiment_lstm.errors import DataError

SHARED = Path(__file__).resolve().parents[3] / "shared"
GOLDEN_TOKENS = SHARED / "golden" / "basic_english.jsonl"
GOLDEN_VOCABULARY = SHARED / "golden" / "basic_english_vocabulary.json"
IMDB_TRAIN = SHARED / "data" / "imdb" / "train-00000-of-00001.parquet"

TEXTS = ["A good film, a good plot!", "It's not bad; it's GREAT.", "Far from good.<br /><br />Bad plot?"]


def saved_tokens(tokenizer: Tokenizer, text: str) -> list[str]:
    """The tokens the saved tokenizer splits a text into, whether it knows them or not."""
    backend = tokenizer._backend
    return [token for token, _ in backend.pre_tokenizer.pre_tokenize_str(backend.normalizer.normalize_str(text))]


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    return build_tokenizer(TEXTS, TokenizerConfig(min_frequency=1))


@pytest.fixture(scope="module")
def bpe() -> Tokenizer:
    return build_tokenizer(TEXTS, TokenizerConfig(kind="bpe", min_frequency=1, max_size=300))


@pytest.mark.skipif(
    not GOLDEN_TOKENS.is_file(), reason="the recorded answers of torchtext are not beside this checkout"
)
def test_tokens_equal_torchtext(words: Tokenizer) -> None:
    with GOLDEN_TOKENS.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    assert len(rows) > 100
    for row in rows:
        assert basic_english(row["text"]) == row["tokens"]
        assert saved_tokens(words, row["text"]) == row["tokens"]


@pytest.mark.skipif(
    not (GOLDEN_VOCABULARY.is_file() and IMDB_TRAIN.is_file()), reason="IMDB and torchtext's vocabularies are not here"
)
def test_vocabulary_equals_torchtext() -> None:
    from pyarrow import parquet

    texts = parquet.read_table(IMDB_TRAIN)["text"].to_pylist()
    tokens = [token for text in texts for token in basic_english(text)]
    golden = json.loads(GOLDEN_VOCABULARY.read_text(encoding="utf-8"))
    assert len(tokens) == golden["total_tokens"]
    for recorded in golden["vocabularies"]:
        ours = list(build_vocabulary(tokens, recorded["min_freq"], max_size=10**9))
        in_their_order = [*recorded["specials"], *ours[2:]]  # torchtext's recording has <unk> first; here <pad> is 0
        assert len(in_their_order) == recorded["size"]
        joined = "\n".join(in_their_order).encode()
        assert hashlib.sha256(joined).hexdigest() == recorded["sha256_of_tokens_joined_by_newline"]


def test_saved_tokenizer_agrees_on_every_character(words: Tokenizer) -> None:
    """Characters that this Python's Unicode tables do not know yet may have a lower case in the library's."""
    for codepoint in range(sys.maxunicode + 1):
        char = chr(codepoint)
        if unicodedata.category(char) in {"Cs", "Cn"}:
            continue
        text = f"a{char}B"
        assert saved_tokens(words, text) == basic_english(text), f"U+{codepoint:04X}"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("aBΣσς'\".,()!?;:<br />\x1c\n\u00ad\u0345İß😀é"), max_size=40))
def test_saved_tokenizer_agrees_on_hostile_mixtures(words: Tokenizer, text: str) -> None:
    assert saved_tokens(words, text) == basic_english(text)


def test_special_ids(words: Tokenizer, bpe: Tokenizer) -> None:
    for tokenizer in (words, bpe):
        assert tokenizer.tokens[:2] == ["<pad>", "<unk>"]
        assert len(tokenizer.tokens) == len(tokenizer)


def test_vocabulary_is_ordered_by_count_then_token() -> None:
    vocabulary = build_vocabulary(["b", "a", "c", "c", "d"], min_frequency=1, max_size=5)
    assert list(vocabulary) == ["<pad>", "<unk>", "c", "a", "b"]


def test_a_review_cannot_spell_padding(words: Tokenizer, bpe: Tokenizer) -> None:
    spelling = build_tokenizer(["<pad> <unk> <pad> good"] * 2, TokenizerConfig(min_frequency=1))
    assert spelling.tokens == ["<pad>", "<unk>", "good"]
    assert spelling.encode("<pad> good").token_ids.tolist() == [UNK_ID, 2]
    for tokenizer in (words, bpe):
        assert PAD_ID not in tokenizer.encode("a <pad> b <unk>").token_ids
        assert PAD_ID not in tokenizer.encode_batch(["a <pad> b <unk>"])[0]


def test_bpe_knows_every_text(bpe: Tokenizer) -> None:
    encoding = bpe.encode("映画は 😀 \x00 naïve")
    assert len(encoding.token_ids) > 0
    assert unknown_share(encoding.token_ids) == 0.0


@pytest.mark.parametrize("kind", ["words", "bpe"])
def test_one_by_one_equals_batch(kind: str, request: pytest.FixtureRequest) -> None:
    tokenizer: Tokenizer = request.getfixturevalue(kind)
    texts = [*TEXTS, "", " \n ", "\ud800 half a pair", "\x00", "x" * 100_000]
    for text, batch in zip(texts, tokenizer.encode_batch(texts), strict=True):
        assert tokenizer.encode(text).token_ids.tolist() == batch.tolist()
        assert batch.dtype == np.int32


def test_offsets_point_at_the_token(words: Tokenizer) -> None:
    text = 'It\'s "Gr"eat<br />İstanbul.  \ud800x'
    spans = [text[start:end] for start, end in words.encode(text).offsets]
    assert spans == ["It", "'", "s", 'Gr"eat', "İstanbul", ".", "\ud800x"]


def test_unknown_share(words: Tokenizer) -> None:
    assert unknown_share(words.encode("good zebra film zebra").token_ids) == 0.5
    assert unknown_share(words.encode("  ").token_ids) == 1.0


@pytest.mark.parametrize("kind", ["words", "bpe"])
def test_saved_equals_loaded(kind: str, request: pytest.FixtureRequest) -> None:
    tokenizer: Tokenizer = request.getfixturevalue(kind)
    loaded = Tokenizer.from_bytes(tokenizer.to_bytes())
    assert loaded.fingerprint == tokenizer.fingerprint
    assert loaded.encode("a good plot?").token_ids.tolist() == tokenizer.encode("a good plot?").token_ids.tolist()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"model": {"type": "WordLevel"}}'])
def test_damaged_tokenizer_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"tokenizer\.json|not made by"):
        Tokenizer.from_bytes(content)


def test_too_rare_tokens_are_an_error() -> None:
    with pytest.raises(DataError, match="min_frequency"):
        build_tokenizer(["every word once"], TokenizerConfig(min_frequency=2))


@pytest.mark.parametrize(
    ("truncation", "kept"),
    [("head", [0, 1, 2, 3, 4]), ("tail", [5, 6, 7, 8, 9]), ("head_tail", [0, 1, 2, 8, 9])],
)
def test_truncation(truncation: str, kept: list[int]) -> None:
    ids = np.arange(10, dtype=np.int32)
    assert truncate(ids, 5, truncation).tolist() == kept
    assert truncate(ids[:5], 5, truncation).tolist() == [0, 1, 2, 3, 4]
    assert truncate(ids, None, truncation) is ids


def test_truncation_to_one_token() -> None:
    ids = np.arange(10, dtype=np.int32)
    assert [truncate(ids, 1, kind).tolist() for kind in ("head", "tail", "head_tail")] == [[0], [9], [0]]


def test_merges_are_learned_from_a_long_word_in_good_time() -> None:
    letters = "".join(Random(0).choices("abcdefghijklmnopqrstuvwxyz", k=300_000))
    started = time.perf_counter()
    tokenizer = build_tokenizer([letters, letters], TokenizerConfig(kind="bpe", max_size=2_000))
    assert time.perf_counter() - started < 20  # one on a machine with nothing else to do, minutes for the word whole
    assert len(tokenizer) == 2_000
