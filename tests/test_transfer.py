"""Starting from another run computes what that run computed, normalised embeddings or not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sentiment_lstm.config import Config
from sentiment_lstm.data.tokenizer import build_tokenizer
from sentiment_lstm.inference import archive
from sentiment_lstm.model.classifier import SentimentClassifier, embedding_moments
from sentiment_lstm.transfer import load_start, take_over


def build_config(normalized: bool) -> Config:
    model = {"embedding_dim": 6, "hidden_dim": 5, "normalize_embedding": normalized}
    return Config.model_validate({"model": model, "tokenizer": {"min_frequency": 1}})


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("here", [False, True])
def test_a_classifier_begins_with_the_function_of_the_run_it_starts_from(
    there: bool, here: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    config, own = build_config(there), build_config(here)
    tokenizer = build_tokenizer(["a good film, not a bad one at all"], config.tokenizer)
    size = len(tokenizer)
    start, model = (SentimentClassifier(each.model, size, 2).eval() for each in (config, own))
    with torch.no_grad():
        start.embedding.weight[2:] += 0.3  # so that a mean matters
    if there:
        start.set_token_frequency(torch.arange(size))
    if here:
        model.set_token_frequency(torch.arange(size).flip(0))
    archive.save_description(tmp_path, config, tokenizer, ["negative", "positive"], {})
    archive.save_weights(start.state_dict(), tmp_path)
    pretrained = load_start([str(tmp_path)])
    assert pretrained is not None
    assert "embedding" in take_over(model, pretrained)
    model.output.load_state_dict(start.output.state_dict())
    token_ids, lengths = torch.randint(1, size, (3, 7)), torch.tensor([7, 2, 5])
    torch.testing.assert_close(model(token_ids, lengths), start(token_ids, lengths), atol=1e-5, rtol=1e-4)
    if here:
        assert model.token_frequency is not None
        assert float(model.token_frequency[0]) == 0, "padding is no word"
        mean, std = embedding_moments(model.embed(torch.arange(size)[None])[0], model.token_frequency)
        torch.testing.assert_close(mean, torch.zeros(6), atol=1e-5, rtol=0)
        torch.testing.assert_close(std, torch.ones(6))


def test_a_convolution_starts_from_the_words_alone(tmp_path: Path) -> None:
    own = build_config(False)
    tokenizer = build_tokenizer(["a good film, not a bad one at all"], own.tokenizer)
    start = SentimentClassifier(own.model, len(tokenizer), 2)
    archive.save_description(tmp_path, own, tokenizer, ["negative", "positive"], {})
    archive.save_weights(start.state_dict(), tmp_path)
    pretrained = load_start([str(tmp_path)])
    assert pretrained is not None
    config = own.model.model_copy(update={"kind": "cnn_lstm", "conv_channels": 6, "hidden_dim": 3})
    model = SentimentClassifier(config, len(tokenizer), 2)
    assert take_over(model, pretrained) == ["embedding"]
    torch.testing.assert_close(model.embedding.weight, start.embedding.weight)
