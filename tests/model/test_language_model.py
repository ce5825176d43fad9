"""The language model reads on from where it was, and shares its words with the classifier."""

from __future__ import annotations

import torch

from sentiment_lstm.config import ModelConfig
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.model.language_model import LanguageModel

CONFIG = ModelConfig(embedding_dim=6, hidden_dim=8, num_layers=2, bidirectional=False)


def build() -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(CONFIG, 20).eval()


def test_two_windows_are_one_long_one() -> None:
    model, ids = build(), torch.randint(0, 20, (3, 10))
    whole, end = model(ids, model.start(3))
    first, state = model(ids[:, :4], model.start(3))
    second, last = model(ids[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    for (hidden, cell), (own_hidden, own_cell) in zip(end, last, strict=True):
        torch.testing.assert_close(hidden, own_hidden)
        torch.testing.assert_close(cell, own_cell)
    assert whole.shape == (3, 10, 6)


def test_no_word_sees_the_next() -> None:
    model, ids = build(), torch.randint(1, 20, (2, 8))
    changed = ids.clone()
    changed[:, 5] = (changed[:, 5] + 1) % 20
    one, other = (model(tokens, model.start(2))[0] for tokens in (ids, changed))
    torch.testing.assert_close(one[:, :5], other[:, :5])
    assert not torch.equal(one[:, 5:], other[:, 5:])


def test_embedding_and_layers_have_the_classifier_s_names_and_shapes() -> None:
    model, classifier = build(), SentimentClassifier(CONFIG, 20, 2)
    own = {name: tensor.shape for name, tensor in classifier.state_dict().items()}
    shared = {name: tensor.shape for name, tensor in model.state_dict().items() if name in own}
    assert shared == {name: shape for name, shape in own.items() if not name.startswith("output.")}


def test_every_parameter_gets_a_gradient_and_the_padding_stays_zero() -> None:
    model = build().train()
    features, _ = model(torch.randint(0, 20, (3, 10)), model.start(3))
    (features @ model.embedding.weight.T + model.output_bias).logsumexp(2).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert not model.embedding.weight[0].any()
