"""``compare``, and ``--baseline`` of ``evaluate`` and ``train``: what they print, write and refuse."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TINY, Outcome, run_main
from test_main import modules_after

from sentiment_lstm.evaluation import baselines

BOTH = ("--baseline", "tfidf", "--baseline", "nb-ngrams")


@pytest.fixture(scope="module")
def evaluated_runs(tmp_path_factory: pytest.TempPathFactory, tiny_run: Path) -> tuple[Path, Path]:
    """Two runs of different size, evaluated on the same reviews, the first one beside both baselines."""
    folder = tmp_path_factory.mktemp("evaluated")
    shutil.copytree(tiny_run, folder / "small")
    assert run_main(*TINY, "--set", "model.hidden_dim=12", "--output", folder / "large").code == 0
    assert run_main("evaluate", folder / "small", *BOTH, "--quiet").code == 0
    assert run_main("evaluate", folder / "large", "--quiet").code == 0
    return folder / "small", folder / "large"


@pytest.fixture
def runs(evaluated_runs: tuple[Path, Path], tmp_path: Path) -> None:
    """Copies in the working folder: ``small`` and ``large``."""
    for run in evaluated_runs:
        shutil.copytree(run, tmp_path / run.name)


@pytest.mark.usefixtures("runs")
def test_the_table_says_what_evaluate_said(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = cli("compare", "small", "large", *BOTH, "--output", "picture.svg")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "60 reviews (sample, test); difference and p are against small"
    for name in ("small", "large"):
        accuracy = json.loads((tmp_path / name / "evaluation" / "metrics.json").read_text())["accuracy"]
        assert any(line.split()[:2] == [name, f"{accuracy:.4f}"] for line in lines)
    assert "  model.hidden_dim: 8 | 12" in lines
    assert not any("embedding_dim" in line for line in lines)
    assert (tmp_path / "picture.svg").read_bytes().startswith(b"<?xml")
    assert {line.split()[0] for line in lines[3:7]} == {"small", "large", "tfidf", "nb-ngrams"}


@pytest.mark.usefixtures("runs")
def test_csv_and_markdown_are_read_back(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    text = cli("compare", "small", "large", "--baseline", "tfidf", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["run"] for row in rows] == ["small", "large", "tfidf"]
    assert [row["model.hidden_dim"] for row in rows] == ["8", "12", ""]
    for row in rows:
        assert float(row["interval_low"]) <= float(row["accuracy"]) <= float(row["interval_high"])
        assert float(row["seconds"]) > 0
    meta = json.loads((tmp_path / "large" / "meta.json").read_text())
    assert int(rows[1]["parameters"]) == meta["parameters"]
    lines = cli("compare", "small", "large", "--format", "markdown").out.splitlines()
    tables = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    assert [len(cells) for cells in tables] == [8] * 4 + [3] * 3
    assert tables[-1] == [" model.hidden_dim ", " 8 ", " 12 "]


def test_compare_imports_neither_torch_nor_the_libraries_of_training(evaluated_runs: tuple[Path, Path]) -> None:
    modules = modules_after("compare", *map(str, evaluated_runs), "--baseline", "tfidf")
    assert "sentiment_lstm.evaluation.comparison" in modules
    assert not modules & {"torch", "pandas", "datasets", "sklearn", "scipy", "matplotlib", "tokenizers"}


@pytest.mark.usefixtures("runs")
def test_compare_never_reads_data(cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentiment_lstm.data.prepare.load_source", None)
    assert cli("compare", "small", "large", *BOTH, "--output", "picture.png").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("small", "fresh"), 2, "fresh has not been evaluated: run sentiment-lstm evaluate fresh"),
        (("small", "short"), 2, "(sample, test) and short (sample, test) differ: 56 only in small (test-"),
        (("small",), 2, "small alone compares with nothing: name another run, or a --baseline"),
        (("small", "small"), 2, "small is named twice"),
        (("small", "gone"), 2, "no run at gone"),
        (("small", "."), 2, "no config.yaml"),
        (("large", "--baseline", "tfidf"), 2, "run sentiment-lstm evaluate large --baseline tfidf"),
        (("other", "--baseline", "tfidf"), 2, "run sentiment-lstm evaluate other --split validation --baseline tfidf"),
        (("small", "large", "--baseline", "tfdf"), 2, "'tfdf' is not one of 'tfidf', 'nb-ngrams'"),
        (("small", "large", "--output", "picture.jpg"), 2, "a picture's name ends in .png or .svg"),
        (("small", "large", "--output", "gone/picture.txt"), 2, "picture.txt: a picture's name"),
        (("small", "large", "--format", "html"), 2, "'table', 'csv', 'markdown'"),
        ((), 2, "Missing argument 'RUN'"),
        (("small", "damaged"), 1, "predictions.jsonl, line 60 is damaged; evaluate again"),
        (("small", "cut"), 1, "config.yaml is damaged or from another version"),
        (("small", "pipe"), 1, "meta.json is no file"),
        (("small", "later"), 2, "later was trained on after it was evaluated: run sentiment-lstm evaluate later"),
    ],
)
@pytest.mark.usefixtures("runs")
def test_what_cannot_be_compared_is_one_line(
    cli: Callable[..., Outcome], tiny_run: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    shutil.copytree(tiny_run, tmp_path / "fresh")
    for name in {"short", "other", "damaged", "cut", "pipe", "later"} & set(arguments):
        shutil.copytree(tmp_path / "large", tmp_path / name)
    if "short" in arguments:
        assert cli("evaluate", "short", "--limit", "4", "--quiet").code == 0
    if "other" in arguments:
        assert cli("evaluate", "other", "--split", "validation", "--quiet").code == 0
    if "damaged" in arguments:
        path = tmp_path / "damaged" / "evaluation" / "predictions.jsonl"
        path.write_bytes(path.read_bytes()[:-20])
    if "cut" in arguments:
        (tmp_path / "cut" / "config.yaml").write_text("model: {hidden_dim: 2001-99-99}")
    if "pipe" in arguments:
        (tmp_path / "pipe" / "meta.json").unlink()
        os.mkfifo(tmp_path / "pipe" / "meta.json")
    if "later" in arguments:
        shutil.copy(tmp_path / "small" / "model.safetensors", tmp_path / "later" / "model.safetensors")
    assert words in cli("compare", *arguments).error(code)


def test_baselines_answer_to_the_evaluated_reviews(cli: Callable[..., Outcome], copied_run: Path) -> None:
    report = json.loads(cli("evaluate", copied_run, *BOTH, "--json", "--split", "validation").out)
    folder = copied_run / "evaluation"
    own = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    for name in baselines.BASELINES:
        rows = [json.loads(line) for line in (folder / f"predictions-{name}.jsonl").read_text().splitlines()]
        assert [(row["id"], row["label"]) for row in rows] == [(row["id"], row["label"]) for row in own]
        assert report["baselines"][name]["accuracy"] == sum(row["label"] == row["predicted"] for row in rows) / 6
        assert 0 < report["baselines"][name]["mcnemar_p"] <= 1
    text = cli("evaluate", copied_run, "--baseline", "tfidf", "--split", "validation", "--quiet").out
    assert "on the same reviews  accuracy  McNemar p" in text
    assert set(json.loads((folder / "baselines.json").read_text())["baselines"]) == {"tfidf", "nb-ngrams"}, "both kept"
    assert cli("evaluate", copied_run, "--quiet").code == 0
    assert {path.name for path in folder.iterdir()} == {"metrics.json", "predictions.jsonl", "confusion.png"}


def test_no_baseline_is_fitted_on_changed_data(cli: Callable[..., Outcome], copied_run: Path) -> None:
    meta = json.loads((copied_run / "meta.json").read_text())
    (copied_run / "meta.json").write_text(json.dumps({**meta, "data_fingerprint": "0"}))
    message = cli("evaluate", copied_run, "--baseline", "tfidf", "--quiet").error(1)
    assert "sample has changed since" in message
    assert "leave out --baseline" in message
    assert not (copied_run / "evaluation").exists()


def test_train_tells_of_a_baseline_on_the_validation_reviews(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    loud = [part for part in TINY if part != "--quiet"]
    outcome = cli(*loud, "--output", "run", "--baseline", "tfidf")
    assert outcome.code == 0
    assert "on the 6 validation reviews\n" in outcome.out
    accuracies = {
        line.split()[0]: line.split()[-2]
        for line in outcome.out.split("lesson")[0].splitlines()
        if line.startswith(("  this network  ", "  tfidf"))
    }
    stored = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert accuracies["this"] == f"{stored['validation_accuracy']:.4f}"
    assert accuracies["tfidf"] == f"{stored['baselines']['tfidf']['accuracy']:.4f}"
    assert cli("train", "--resume", "run", "--epochs", "2", "--baseline", "nb-ngrams", "--quiet") == Outcome(0, "", "")
    resumed = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert resumed["epochs"] == 2
    assert resumed["baselines"].keys() == {"tfidf", "nb-ngrams"}


def test_training_with_a_baseline_leaves_the_test_split_alone(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = []
    own = baselines.score_baseline

    def spied(name: baselines.BaselineName, train: list, reviews: list) -> baselines.BaselineResult:
        seen.extend([*train, *reviews])
        return own(name, train, reviews)

    monkeypatch.setattr(baselines, "score_baseline", spied)
    assert cli(*TINY, "--output", "run", *BOTH).code == 0
    assert cli("evaluate", "run", "--quiet").code == 0
    lines = (tmp_path / "run" / "evaluation" / "predictions.jsonl").read_text().splitlines()
    assert seen
    assert not {review.id for review in seen} & {json.loads(line)["id"] for line in lines}


@pytest.mark.parametrize("command", [("train",), ("evaluate",), ("compare", "x")])
def test_an_unknown_baseline_is_refused_before_anything_else(cli: Callable[..., Outcome], command: tuple) -> None:
    assert "'svm' is not one of 'tfidf', 'nb-ngrams'" in cli(*command, "--baseline", "svm").error(2)
