"""The wide branch: every n-gram counted once, with naive Bayes's ratios; and the same answers from the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.sparse import csr_matrix
from torch import Tensor

from sentiment_lstm.config import Config, ModelConfig
from sentiment_lstm.data.tokenizer import build_tokenizer
from sentiment_lstm.errors import ArchiveError, ConfigError
from sentiment_lstm.evaluation.naive_bayes import NaiveBayesLogistic
from sentiment_lstm.inference import archive
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.model.ngrams import NgramBranch, check_keys_fit, count_ratios

V = 7
RANDOM = np.random.default_rng(0)
REVIEWS = [RANDOM.integers(1, V, size).astype(np.int32) for size in RANDOM.integers(1, 12, 60)]


def ngrams_of(ids: np.ndarray, longest: int = 3) -> set[tuple[int, ...]]:
    """The distinct n-grams of a review, written another way."""
    return {tuple(ids[i : i + n].tolist()) for n in range(1, longest + 1) for i in range(len(ids) - n + 1)}


def padded(reviews: list[np.ndarray], width: int) -> tuple[Tensor, Tensor]:
    token_ids = torch.full((len(reviews), width), 3)  # no zeros: nothing past a length may matter
    for row, ids in zip(token_ids, reviews, strict=True):
        row[: len(ids)] = torch.from_numpy(ids)
    return token_ids, torch.tensor([len(ids) for ids in reviews])


def build(labels: np.ndarray, num_classes: int, min_count: int = 3, dropout: float = 0.0) -> NgramBranch:
    keys, ratios = count_ratios(REVIEWS, labels, num_classes, 3, V, min_count)
    branch = NgramBranch(3, len(keys), V, num_classes, dropout)
    branch.set_ratios(keys, ratios)
    return branch


@pytest.mark.parametrize("num_classes", [2, 3])
def test_logits_are_sums_over_distinct_ngrams_of_naive_bayes_ratios(num_classes: int) -> None:
    labels = RANDOM.integers(0, num_classes, len(REVIEWS))
    branch = build(labels, num_classes)
    with torch.no_grad():
        branch.weight.normal_()
    counted = [ngrams_of(ids) for ids in REVIEWS]
    known = sorted(gram for gram in set.union(*counted) if sum(gram in own for own in counted) >= 3)
    assert len(known) == len(branch.keys)
    features = np.array([[gram in own for gram in known] for own in counted], dtype=float)
    scale = np.sqrt(features.sum() / len(REVIEWS))
    keys = [sum(one * V ** (len(gram) - 1 - place) for place, one in enumerate(gram)) for gram in known]
    places = [branch.keys.tolist().index(key) for key in keys]
    columns = []
    for column, label in enumerate((1,) if num_classes == 2 else range(3)):
        ratios = NaiveBayesLogistic().fit(csr_matrix(features), labels == label).log_ratios_ / scale
        columns.append(features @ (ratios * branch.weight[places, column].detach().numpy()))
    expected = np.stack([np.zeros(len(REVIEWS)), *columns] if num_classes == 2 else columns, 1)
    for width in (12, 20):  # the widest review fills its row
        logits = branch(*padded(REVIEWS, width)).detach()
        np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_reviews_shorter_than_an_ngram() -> None:
    branch = build(RANDOM.integers(0, 2, len(REVIEWS)), 2)
    alone = branch(torch.tensor([[2]]), torch.tensor([1]))
    torch.testing.assert_close(branch(torch.tensor([[2, 5, 6]]), torch.tensor([1])), alone)
    assert alone[0, 1] != 0


def test_dropout_leaves_out_whole_reviews_while_training_only() -> None:
    branch = build(RANDOM.integers(0, 2, len(REVIEWS)), 2, dropout=0.3)
    batch = padded(REVIEWS, 12)
    torch.manual_seed(0)
    dropped = branch(*batch)[:, 1] == 0
    assert 5 < dropped.sum() < 35
    trained = branch(*batch)
    whole = branch.eval()(*batch)
    assert (whole[:, 1] != 0).all()
    torch.testing.assert_close(trained, whole * (trained != 0))


def test_what_cannot_be_counted_is_refused() -> None:
    check_keys_fit(3, 2_097_151)
    with pytest.raises(ConfigError, match=r"tokenizer\.max_size to 2,097,151$"):
        check_keys_fit(3, 2_097_152)
    with pytest.raises(ConfigError, match="no n-gram occurs in 61 training reviews"):
        build(np.zeros(len(REVIEWS), dtype=np.int64), 2, min_count=61)


def test_forward_is_embed_classify_and_the_wide_logits() -> None:
    plain = SentimentClassifier(ModelConfig(embedding_dim=4, hidden_dim=4), V, 2)
    assert plain.ngrams is None
    assert not any("ngrams" in name for name in plain.state_dict())
    labels = RANDOM.integers(0, 2, len(REVIEWS))
    model = SentimentClassifier(ModelConfig(embedding_dim=4, hidden_dim=4, ngrams=3, network_weight=0.25), V, 2)
    model.load_state_dict(plain.state_dict(), strict=False)
    model.ngrams = build(labels, 2)
    batch = padded(REVIEWS, 16)
    wide = model.wide_logits(*batch)
    assert wide is not None
    assert plain.wide_logits(*batch) is None
    torch.testing.assert_close(model(*batch), plain(*batch) + wide)
    torch.testing.assert_close(model.eval()(*batch), 0.25 * plain(*batch) + wide)
    model.train()
    model(*batch)[:, 1].sum().backward()
    assert model.ngrams.weight.grad is not None
    assert torch.equal(model.ngrams.weight.grad != 0, model.ngrams.ratios != 0)
    assert model.embedding.weight.grad is not None


def write_archive(folder: Path) -> dict[str, Tensor]:
    config = Config.model_validate({"model": {"embedding_dim": 4, "hidden_dim": 4, "ngrams": 2}, "tokenizer": {}})
    tokenizer = build_tokenizer(["a good film", "a bad film"] * 2, config.tokenizer)
    ids = tokenizer.encode_batch(["a good film", "a bad film"] * 2)
    keys, ratios = count_ratios(ids, np.array([1, 0, 1, 0]), 2, 2, len(tokenizer), 2)
    model = SentimentClassifier(config.model, len(tokenizer), 2, num_ngrams=len(keys))
    assert model.ngrams is not None
    model.ngrams.set_ratios(keys, ratios)
    archive.save_description(folder, config, tokenizer, ["negative", "positive"], {})
    archive.save_weights(model.state_dict(), folder)
    return model.state_dict()


def test_an_archive_brings_its_ngrams(tmp_path: Path) -> None:
    written = write_archive(tmp_path)
    model = archive.load_archive(tmp_path).model
    assert model.num_ngrams == len(written["ngrams.keys"]) == 8
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, written[name]), name


@pytest.mark.parametrize("change", [
    lambda keys: keys.flip(0),
    lambda keys: keys.float(),
    lambda keys: keys.to(torch.int32),
    lambda keys: torch.zeros_like(keys),
    lambda keys: keys[:-1],
    lambda keys: keys[:0],
    lambda keys: keys[None],
    lambda keys: keys[0],
    lambda keys: None,
], ids=["descending", "float", "int32", "equal", "shorter", "empty", "matrix", "number", "missing"])  # fmt: skip
def test_a_table_that_is_none_is_refused(change: object, tmp_path: Path) -> None:
    weights = write_archive(tmp_path)
    changed = change(weights.pop("ngrams.keys"))  # type: ignore[operator]
    archive.save_weights(weights | ({} if changed is None else {"ngrams.keys": changed}), tmp_path)
    assert "ngrams.weight" in load_file(tmp_path / archive.WEIGHTS)  # with a sha256 that is right
    with pytest.raises(ArchiveError, match=r"out of order|another model"):
        archive.load_archive(tmp_path)
