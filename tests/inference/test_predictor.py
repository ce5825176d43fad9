"""Train, save, load, predict: one contract for every kind of model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import sentiment_lstm
from sentiment_lstm.config import Config
from sentiment_lstm.data.tokenizer import build_tokenizer
from sentiment_lstm.inference import archive
from sentiment_lstm.inference.predictor import Predictor
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.training.runtime import build_runtime

TEXTS = ["a good film", "not good, not a film at all", "", "x", "good " * 40, "\x00 \ud800 映画"]
KINDS: list[dict[str, Any]] = [
    {"kind": "lstm", "pooling": "mean_max"},
    {"kind": "lstm", "pooling": "attention", "num_layers": 2},
    {"kind": "cnn_lstm", "pooling": "last"},
    {"kind": "rnn", "bidirectional": False},
    {"kind": "lstm", "normalize_embedding": True},
]


def write_archive(folder: Path, model_settings: dict[str, Any], tokenizer_kind: str = "basic_english") -> Path:
    settings = {"embedding_dim": 6, "hidden_dim": 5, "conv_channels": 7, **model_settings}
    config = Config.model_validate(
        {"model": settings, "tokenizer": {"kind": tokenizer_kind, "min_frequency": 1, "max_length": 30}}
    )
    torch.manual_seed(0)
    tokenizer = build_tokenizer(["a good film, not a bad one at all"] * 2, config.tokenizer)
    labels = ["negative", "neutral", "positive"]
    archive.save_description(folder, config, tokenizer, labels, {})
    archive.save_weights(SentimentClassifier(config.model, len(tokenizer), len(labels)).state_dict(), folder)
    return folder


@pytest.mark.parametrize("settings", KINDS, ids=str)
@pytest.mark.parametrize("tokenizer_kind", ["basic_english", "bpe"])
def test_loaded_equals_saved(settings: dict[str, Any], tokenizer_kind: str, tmp_path: Path) -> None:
    write_archive(tmp_path / "run", settings, tokenizer_kind)
    first = archive.load_archive(tmp_path / "run")
    archive.save_weights(first.model.state_dict(), tmp_path / "run")
    second = archive.load_archive(tmp_path / "run")
    for (name, own), other in zip(first.model.state_dict().items(), second.model.state_dict().values(), strict=True):
        assert torch.equal(own, other), name
    runtime = build_runtime("cpu", "fp32")
    assert Predictor(first, runtime).predict(TEXTS) == Predictor(second, runtime).predict(TEXTS)


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_one_by_one_equals_batch(settings: dict[str, Any], tmp_path: Path) -> None:
    predictor = sentiment_lstm.load(write_archive(tmp_path, settings))
    together = predictor.predict(TEXTS)
    streamed = list(predictor.stream([[text] for text in TEXTS]))
    for text, batch, alone in zip(TEXTS, together, streamed, strict=True):
        assert batch.text == alone.text == text
        assert batch.label == alone.label
        assert list(batch.probabilities.values()) == pytest.approx(list(alone.probabilities.values()), abs=1e-6)


def test_fields_are_honest(tmp_path: Path) -> None:
    predictor = sentiment_lstm.load(str(write_archive(tmp_path, {})))
    known, _, blank, unknown, long, _ = predictor.predict(TEXTS)
    assert (known.num_tokens, known.truncated, known.unknown_share) == (3, False, 0.0)
    assert (blank.num_tokens, blank.unknown_share) == (0, 1.0)
    assert (unknown.num_tokens, unknown.unknown_share) == (1, 1.0)
    assert (long.num_tokens, long.truncated) == (40, True)
    for prediction in (known, blank, unknown, long):
        assert sum(prediction.probabilities.values()) == pytest.approx(1.0)
        assert prediction.score == max(prediction.probabilities.values()) == prediction.probabilities[prediction.label]


def test_no_texts_no_predictions(tmp_path: Path) -> None:
    predictor = sentiment_lstm.load(write_archive(tmp_path, {}))
    assert predictor.predict([]) == []
    with pytest.raises(TypeError, match="list of texts"):
        predictor.predict("a bare string")


def test_a_moved_folder_works(tmp_path: Path) -> None:
    before = sentiment_lstm.load(write_archive(tmp_path / "here", {})).predict(TEXTS)
    (tmp_path / "here").rename(tmp_path / "there")
    assert sentiment_lstm.load(tmp_path / "there").predict(TEXTS) == before
