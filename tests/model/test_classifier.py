"""Invariants of every kind of classifier."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from sentiment_lstm.config import ModelConfig
from sentiment_lstm.model.classifier import ConvPool, SentimentClassifier, count_parameters, layer_of

SMALL: dict[str, Any] = {
    "embedding_dim": 6,
    "hidden_dim": 5,
    "conv_channels": 7,
    "conv_kernel_size": 3,
    "conv_pool_size": 3,
}
KINDS = [
    *({"kind": "lstm", "pooling": pooling} for pooling in ("last", "mean", "max", "mean_max", "attention")),
    {"kind": "lstm", "num_layers": 2, "bidirectional": False, "pooling": "last"},
    *({"kind": "cnn_lstm", "pooling": pooling} for pooling in ("last", "mean", "max", "attention")),
    {"kind": "rnn", "pooling": "last"},
    *({"pooling": pooling, "segment_length": 4} for pooling in ("last", "mean_max", "attention")),
    {"pooling": "last", "segment_length": 2, "num_layers": 2, "bidirectional": False},
    {"kind": "cnn_lstm", "pooling": "last", "segment_length": 2},
]


def build(settings: dict[str, Any]) -> SentimentClassifier:
    torch.manual_seed(0)
    return SentimentClassifier(ModelConfig.model_validate({**SMALL, **settings}), vocabulary_size=50, num_classes=3)


def reviews(lengths: list[int], width: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    token_ids = torch.randint(2, 50, (len(lengths), width), generator=generator)
    sizes = torch.tensor(lengths)
    return token_ids * (torch.arange(width) < sizes[:, None]), sizes


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_padding_never_changes_a_logit(settings: dict[str, Any]) -> None:
    model = build(settings).eval()
    token_ids, lengths = reviews([9, 1, 4, 7], 9)
    expected = model(token_ids, lengths)
    for extra in (1, 2, 3, 20):
        wider = F.pad(token_ids, (0, extra))
        torch.testing.assert_close(model(wider, lengths), expected, atol=1e-6, rtol=0)
    # What stands in the padding does not matter either, to classify() least of all.
    embedded = model.embed(token_ids)
    poisoned = torch.where((torch.arange(9) < lengths[:, None])[:, :, None], embedded, 1e4)
    torch.testing.assert_close(model.classify(poisoned, lengths), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_a_review_gets_the_same_logits_alone_and_in_any_company(settings: dict[str, Any]) -> None:
    model = build(settings).eval()
    token_ids, lengths = reviews([9, 1, 4, 7], 9)
    together = model(token_ids, lengths)
    backwards = model(token_ids.flip(0), lengths.flip(0)).flip(0)
    torch.testing.assert_close(backwards, together, atol=1e-6, rtol=0)
    for row, length in enumerate(lengths.tolist()):
        alone = model(token_ids[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(alone[0], together[row], atol=1e-6, rtol=0)


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_every_parameter_gets_a_gradient(settings: dict[str, Any]) -> None:
    model = build(settings)
    token_ids, lengths = reviews([9, 3, 4, 7], 9)
    F.cross_entropy(model(token_ids, lengths), torch.tensor([0, 1, 2, 0])).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    assert model.embedding.weight.grad is not None
    assert model.embedding.weight.grad[0].abs().max() == 0, "padding learns nothing"


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_one_batch_can_be_overfitted(settings: dict[str, Any]) -> None:
    model = build({**settings, "hidden_dim": 16})
    token_ids, lengths = reviews([9, 3, 4, 7, 5, 8], 9)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(80):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(token_ids, lengths), labels)
        loss.backward()
        optimizer.step()
    assert loss < 0.05


def test_forward_is_embed_then_classify() -> None:
    model = build({}).eval()
    token_ids, lengths = reviews([4, 6], 6)
    assert torch.equal(model(token_ids, lengths), model.classify(model.embed(token_ids), lengths))
    assert model.embed(token_ids).shape == (2, 6, 6)


def test_word_dropout_zeroes_words_and_embedding_dropout_channels() -> None:
    token_ids, _ = reviews([200, 200], 200)
    words = build({"word_dropout": 0.5}).embed(token_ids) == 0
    assert torch.equal(words.all(2), words.any(2)), "a word goes whole or not at all"
    assert 0.3 < words.all(2).float().mean() < 0.7
    channels = build({"embedding_dropout": 0.5, "embedding_dim": 64}).embed(token_ids) == 0
    assert torch.equal(channels.all(1), channels.any(1)), "a channel goes for the whole review"
    assert 0.3 < channels.all(1).float().mean() < 0.7
    assert (build({"word_dropout": 0.5, "embedding_dropout": 0.5}).eval().embed(token_ids) != 0).all()


def test_convolution_equals_each_review_alone() -> None:
    torch.manual_seed(0)
    conv = ConvPool(4, 6, kernel_size=5, pool_size=4)
    inputs, lengths = torch.randn(3, 11, 4), torch.tensor([11, 1, 6])
    features, new_lengths = conv(inputs, lengths)
    assert new_lengths.tolist() == [3, 1, 2]
    for row, (length, steps) in enumerate(zip(lengths.tolist(), new_lengths.tolist(), strict=True)):
        own = F.relu(conv.conv(inputs[row : row + 1, :length].transpose(1, 2)))
        expected = F.max_pool1d(own, 4, ceil_mode=True).transpose(1, 2)[0]
        torch.testing.assert_close(features[row, :steps], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("initialization", ["pytorch", "orthogonal"])
def test_initialization(initialization: str) -> None:
    model = build({"initialization": initialization, "forget_bias": 1.0, "embedding_dim": 100, "embedding_std": 0.3})
    layer = model.recurrent.forwards[0]
    biases = (layer.bias_ih_l0 + layer.bias_hh_l0).detach().split(5)
    assert biases[1].tolist() == [1.0] * 5, "the forget gate's"
    gates = layer.weight_hh_l0.detach().split(5)
    is_orthogonal = all(torch.allclose(gate @ gate.T, torch.eye(5), atol=1e-5) for gate in gates)
    assert is_orthogonal == (initialization == "orthogonal")
    assert model.embedding.weight[0].abs().max() == 0
    assert 0.27 < float(model.embedding.weight[1:].detach().std()) < 0.33


def test_frozen_embedding_is_no_parameter_to_train() -> None:
    model = build({"freeze_embedding": True})
    assert not model.embedding.weight.requires_grad
    assert "embedding" not in count_parameters(model)


def test_parameters_are_counted_by_layer() -> None:
    model = build({"kind": "cnn_lstm", "num_layers": 2, "pooling": "attention"})
    counts = count_parameters(model)
    assert sum(counts.values()) == sum(parameter.numel() for parameter in model.parameters())
    assert counts["embedding"] == 50 * 6
    assert counts["conv"] == 7 * 6 * 3 + 7
    assert set(counts) == {"embedding", "conv", "pooling", "output"} | {
        f"recurrent.{direction}.{number}" for direction in ("forwards", "backwards") for number in (0, 1)
    }
    assert layer_of(["output.weight", "output.bias"]) == {"output": ["output.weight", "output.bias"]}


def test_bf16_logits_are_near_fp32() -> None:
    from sentiment_lstm.training.runtime import has_bf16

    if not has_bf16("cpu"):
        pytest.skip("this processor has no bf16")
    for settings in KINDS:
        model = build({**settings, "hidden_dim": 16, "embedding_std": 1.0}).eval()
        token_ids, lengths = reviews([9, 1, 4, 7], 9)
        with torch.autocast("cpu", torch.bfloat16):
            lower = model(token_ids, lengths)
        assert lower.dtype == torch.float32
        torch.testing.assert_close(lower, model(token_ids, lengths), atol=0.03, rtol=0.05)
