"""Several runs that answer together: the mean of their logits, whatever they are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import TINY, Outcome, run_main

from sentiment_lstm.data.prepare import encode_split, load_splits
from sentiment_lstm.data.tokenizer import truncate
from sentiment_lstm.inference.archive import load_archive
from sentiment_lstm.inference.ensemble import load_ensemble, mean_logits
from sentiment_lstm.inference.predictor import load
from sentiment_lstm.training.runtime import build_runtime
from sentiment_lstm.training.scoring import compute_logits

OTHER = ("model.kind=cnn_lstm", "model.bidirectional=false", "tokenizer.max_size=40", "tokenizer.max_length=9")
TEXTS = ["not bad at all", "a film", "the plot is dull and the cast is good " * 3]


@pytest.fixture(scope="module")
def other_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of another kind with other words, trained on the same reviews as ``tiny_run``."""
    folder = tmp_path_factory.mktemp("other") / "run"
    settings = [part for setting in OTHER for part in ("--set", setting)]
    assert run_main(*TINY, *settings, "--seed", "3", "--output", folder) == Outcome(0, "", "")
    return folder


def logits_of(run: Path, texts: list[str]) -> torch.Tensor:
    """What a run answers to texts, by the parts of which it consists."""
    archive = load_archive(run)
    config = archive.config.tokenizer
    token_ids = [truncate(ids, config.max_length, config.truncation) for ids in archive.tokenizer.encode_batch(texts)]
    return compute_logits(archive.model, token_ids, build_runtime("cpu", "fp32"))


def test_predictions_are_those_of_the_mean_of_the_logits(tiny_run: Path, other_run: Path) -> None:
    one, other = logits_of(tiny_run, TEXTS), logits_of(other_run, TEXTS)
    expected = ((one.double() + other.double()) / 2).softmax(1)
    answers = load_ensemble([tiny_run, other_run], "cpu").predict(TEXTS)
    for row, answer in zip(expected.tolist(), answers, strict=True):
        assert list(answer.probabilities.values()) == pytest.approx(row, abs=1e-6)
        assert answer.score == max(answer.probabilities.values())
    alone = [load(run, "cpu").predict(TEXTS) for run in (tiny_run, other_run)]
    assert not alone[0][2].truncated, "the second run alone cuts the long text"
    for answer, first, second in zip(answers, *alone, strict=True):
        assert answer.num_tokens == first.num_tokens
        assert answer.truncated == (first.truncated or second.truncated)
        assert answer.unknown_share == pytest.approx((first.unknown_share + second.unknown_share) / 2)


def test_columns_follow_labels_not_places() -> None:
    logits = [torch.tensor([[1.0, 2.0]]), torch.tensor([[5.0, 3.0]])]
    assert mean_logits(logits, [["no", "yes"], ["yes", "no"]]).tolist() == [[2.0, 3.5]]
    assert mean_logits(logits, [["no", "yes"], ["yes", "no"]], ["yes", "no"]).tolist() == [[3.5, 2.0]]


def test_predict_takes_models(cli: Callable[..., Outcome], tiny_run: Path, other_run: Path) -> None:
    together = cli("predict", "--model", tiny_run, "--model", other_run, *TEXTS, "--format", "json")
    rows = [json.loads(line) for line in together.out.splitlines()]
    expected = load_ensemble([tiny_run, other_run], "cpu").predict(TEXTS)
    assert [row["label"] for row in rows] == [own.label for own in expected]
    assert [row["score"] for row in rows] == pytest.approx([own.score for own in expected], abs=1e-6)
    alone = cli("predict", "--model", tiny_run, *TEXTS, "--format", "csv")
    assert cli("predict", "--model", tiny_run, "--model", tiny_run, *TEXTS, "--format", "csv") == alone


def test_evaluate_measures_the_mean_and_writes_where_it_is_told(
    cli: Callable[..., Outcome], tiny_run: Path, other_run: Path, tmp_path: Path
) -> None:
    outcome = cli("evaluate", tiny_run, other_run, "--json", "--quiet")
    assert outcome.err == ""
    report = json.loads(outcome.out)
    archive = load_archive(tiny_run)
    test = load_splits(archive.config.data)["test"]
    labels = torch.from_numpy(encode_split(test, archive.tokenizer, archive.labels, archive.config.tokenizer).labels)
    texts = [review.text for review in test]
    mean = (logits_of(tiny_run, texts) + logits_of(other_run, texts)) / 2
    assert report["accuracy"] == pytest.approx(float((mean.argmax(1) == labels).float().mean()))
    assert report["loss"] == pytest.approx(float(torch.nn.functional.cross_entropy(mean, labels)), abs=1e-5)
    assert report["runs"] == [str(tiny_run), str(other_run)]
    assert report["minimal_pairs"].keys() == {"sentences", "twins"}
    assert not (other_run / "evaluation").exists(), "nothing is written unless one says where"

    written = cli("evaluate", tiny_run, other_run, "--quiet", "--output", "both", "--baseline", "tfidf")
    assert "these networks together" in written.out
    assert json.loads(Path("both/metrics.json").read_text())["accuracy"] == report["accuracy"]
    names = {path.name for path in Path("both").iterdir()}
    assert names >= {"metrics.json", "predictions.jsonl", "confusion.png", "baselines.json"}
    one = json.loads(cli("evaluate", tiny_run, "--json", "--quiet", "--output", "one").out)
    assert "runs" not in one
    assert (tmp_path / "one" / "metrics.json").is_file()


def test_runs_that_do_not_go_together_are_told(
    cli: Callable[..., Outcome], tiny_run: Path, copied_run: Path, tmp_path: Path
) -> None:
    rows = "\n".join(["text,label", *(f"a {word} film {n},{word}" for n in range(20) for word in ("fine", "poor"))])
    (tmp_path / "mine.csv").write_text(rows + "\n")
    model = ("--set", "model.embedding_dim=4", "--set", "model.hidden_dim=4")
    train = ("train", "--data", "mine.csv", "--epochs", "1", "--quiet", "--init", "none", *model)
    assert cli(*train, "--output", "foreign").code == 0
    for command in (("evaluate", tiny_run, "foreign"), ("predict", "--model", tiny_run, "--model", "foreign", "good")):
        message = cli(*command).error(2)
        assert "answers with negative, positive and foreign with fine, poor" in message
    for folder in (copied_run, copied_run / "evaluation"):
        assert "is a run folder, or in one" in cli("evaluate", tiny_run, tiny_run, "--output", folder).error(2)
    assert cli(*train, "--limit", "20", "--output", "less").code == 0
    assert "was trained on other reviews than" in cli("evaluate", "foreign", "less", "--json").err
    shutil.rmtree("less")
    assert "no run at less" in cli("evaluate", "foreign", "less").error(2)
