"""The language model reads on from where it was, and shares its words with the classifier."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from sentiment_lstm.config import ModelConfig
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.model.language_model import LanguageModel, dropout, flops_per_word

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


def test_dropped_recurrent_weights_hold_for_a_window_and_the_state_goes_on() -> None:
    config = ModelConfig(embedding_dim=4, hidden_dim=5, recurrent_dropout=0.5)
    model, token_ids = LanguageModel(config, 11), torch.randint(2, 11, (2, 6))
    features = []
    for size in (6, 3):
        state, parts = model.start(2), []
        for window in token_ids.split(size, 1):
            torch.manual_seed(0)  # the same weights are dropped
            part, state = model(window, state)
            parts.append(part)
        features.append(torch.cat(parts, 1))
    torch.testing.assert_close(features[0], features[1], atol=1e-6, rtol=0)
    assert not torch.equal(model(token_ids, model.start(2))[0], features[0])


@pytest.mark.parametrize("share", [0.2, 0.5, 0.999])
def test_dropout_zeroes_its_share_and_keeps_the_mean(share: float) -> None:
    torch.manual_seed(0)
    inputs = torch.full((100, 1001, 3), 2.0, requires_grad=True)  # a count that 4 does not divide
    outputs = dropout(inputs, share)
    outputs.sum().backward()
    kept = outputs != 0
    assert float(kept.float().mean()) == pytest.approx(1 - share, abs=4e-3)
    torch.testing.assert_close(kept.float().mean((0, 1)), torch.full((3,), 1 - share), atol=8e-3, rtol=0)
    torch.testing.assert_close(outputs[kept], torch.full_like(outputs[kept], 2 / (1 - share)), rtol=1e-2, atol=0)
    assert inputs.grad is not None
    torch.testing.assert_close(inputs.grad, outputs.detach() / 2)
    assert dropout(inputs, 0.0) is inputs


@pytest.mark.filterwarnings("ignore:TF32 acceleration")
@pytest.mark.parametrize("num_layers", [1, 2])
def test_operations_of_a_word_are_those_that_torch_counts(num_layers: int) -> None:
    config = ModelConfig(embedding_dim=6, hidden_dim=8, num_layers=num_layers)
    model, token_ids, compared = LanguageModel(config, 20), torch.randint(0, 20, (3, 10)), 7
    state = [(hidden.requires_grad_(), cell) for hidden, cell in model.start(3)]  # as in the middle of a long text
    counter = FlopCounterMode(display=False)
    with torch.backends.mkldnn.flags(enabled=False), counter:  # torch counts nothing of oneDNN's LSTM
        features, _ = model(token_ids, state)
        (features.flatten(0, 1) @ model.embedding.weight[:compared].T).sum().backward()
    assert counter.get_total_flops() == flops_per_word(config, compared) * token_ids.numel()
