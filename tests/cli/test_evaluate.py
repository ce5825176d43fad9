"""``sentiment-lstm evaluate``: its numbers, its files, its errors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome, write_csv


def test_json_is_one_object_with_accuracy_and_loss_at_its_top(cli: Callable[..., Outcome], copied_run: Path) -> None:
    outcome = cli("evaluate", copied_run, "--json")
    assert outcome.code == 0
    assert outcome.out.count("\n") == 1
    report = json.loads(outcome.out)
    assert 0 <= report["accuracy"] <= 1
    assert report["loss"] > 0
    assert report["num_reviews"] == sum(map(sum, report["confusion_matrix"])) == 60
    right = sum(row[place] for place, row in enumerate(report["confusion_matrix"]))
    assert report["accuracy"] == right / 60
    assert (report["data"], report["split"], report["labels"]) == ("sample", "test", ["negative", "positive"])


def test_the_files_say_what_stdout_says(cli: Callable[..., Outcome], copied_run: Path) -> None:
    report = json.loads(cli("evaluate", copied_run, "--json", "--split", "validation").out)
    folder = copied_run / "evaluation"
    assert {path.name for path in folder.iterdir()} == {"metrics.json", "predictions.jsonl", "confusion.png"}
    assert json.loads((folder / "metrics.json").read_text()).items() <= report.items()
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert len(rows) == report["num_reviews"] == 6
    assert sum(row["label"] == row["predicted"] for row in rows) / len(rows) == report["accuracy"]


def test_the_table_is_a_result_and_quiet_silences_the_rest(cli: Callable[..., Outcome], copied_run: Path) -> None:
    outcome = cli("evaluate", copied_run, "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    for words in ("accuracy  0.", "macro F1", "ROC-AUC", "precision", "true \\ predicted"):
        assert words in outcome.out


def test_the_newest_run_is_named_unless_quiet(cli: Callable[..., Outcome], tiny_run: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_run, tmp_path / "runs" / "mine")
    assert cli("evaluate", "--json").err.splitlines()[0] == "model: runs/mine"
    assert cli("evaluate", "--json", "--quiet").err == ""


def test_a_limit_is_stratified(cli: Callable[..., Outcome], copied_run: Path) -> None:
    report = json.loads(cli("evaluate", copied_run, "--json", "--limit", "10").out)
    assert [own["support"] for own in report["per_class"].values()] == [5, 5]


def test_other_data_with_the_models_labels_or_their_places_is_measured(
    cli: Callable[..., Outcome], copied_run: Path, tmp_path: Path
) -> None:
    write_csv(tmp_path / "names.csv", ["good,positive", "bad,negative"])
    write_csv(tmp_path / "places.csv", ["good,1", "bad,0"])
    names = json.loads(cli("evaluate", copied_run, "--json", "--data", "names.csv").out)
    outcome = cli("evaluate", copied_run, "--json", "--data", "places.csv")
    assert "0 as negative, 1 as positive" in outcome.err
    places = json.loads(outcome.out)
    assert places.pop("data") == str(tmp_path / "places.csv")
    assert names.pop("data") == str(tmp_path / "names.csv")
    assert places == names


def test_one_class_alone_has_no_auc_and_is_no_error(
    cli: Callable[..., Outcome], copied_run: Path, tmp_path: Path
) -> None:
    write_csv(tmp_path / "one.csv", ["good,positive"] * 3)
    assert json.loads(cli("evaluate", copied_run, "--json", "--data", "one.csv").out)["roc_auc"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--data", "gone.csv"), 2, "no data at"),
        (("--data", "sampel"), 2, "did you mean 'sample'"),
        (("--data", "foreign.csv", "--text-column", "txet"), 2, "did you mean 'text'"),
        (("--text-column", "text"), 2, "go with --data"),
        (("--device", "gpu"), 2, "auto, cpu, cuda or cuda:N"),
        (("--data", ""), 2, "data.source"),
        (("--data", "foreign.csv", "--quiet"), 1, "has the label 'x', which training has not (negative, positive)"),
        (("--data", "empty.csv"), 1, "is empty"),
        (("--data", "folder", "--quiet"), 1, "has no test split (it has train)"),
        (("--pairs", "folder"), 2, "cannot read folder/sentences.jsonl"),
    ],
)
def test_bad_input_is_one_line(
    cli: Callable[..., Outcome], tiny_run: Path, arguments: tuple[str, ...], code: int, words: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    write_csv(tmp_path / "folder" / "train.csv", ["good,positive"])
    write_csv(tmp_path / "foreign.csv", ["good,x", "bad,y"])
    write_csv(tmp_path / "empty.csv", [])
    assert words in cli("evaluate", tiny_run, *arguments).error(code)
    assert not (tiny_run / "evaluation" / "metrics.json").exists()


def test_minimal_pairs_are_reported_beside_the_accuracy(cli: Callable[..., Outcome], copied_run: Path) -> None:
    answer = json.loads(cli("evaluate", copied_run, "--json", "--quiet").out)
    assert answer["minimal_pairs"].keys() == {"sentences", "twins"}
    outcome = cli("evaluate", copied_run, "--quiet")
    assert "sentences" in outcome.out
    assert "twins" in outcome.out


def test_other_pairs_take_the_place_of_the_shipped_ones(
    cli: Callable[..., Outcome], copied_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    pair = '{"id": "1", "kind": "plain", "positive": "good", "negative": "bad"}'
    for name in ("sentences.jsonl", "twins.jsonl"):
        (tmp_path / "own" / name).write_text(pair, encoding="utf-8")
    answer = json.loads(cli("evaluate", copied_run, "--split", "validation", "--pairs", "own", "--json").out)
    assert (answer["split"], answer["minimal_pairs_folder"]) == ("validation", "own")
    assert [own["overall"]["num_pairs"] for own in answer["minimal_pairs"].values()] == [1, 1]
    assert "pairs of own\n" in cli("evaluate", copied_run, "--pairs", "own").out


def test_pairs_are_refused_for_other_labels(cli: Callable[..., Outcome], copied_run: Path, tmp_path: Path) -> None:
    labels = copied_run / "labels.json"
    labels.write_text(labels.read_text().replace("positive", "yes"), encoding="utf-8")
    meta = json.loads((copied_run / "meta.json").read_text())
    del meta["settings_sha256"]  # it would tell that the labels were changed
    (copied_run / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    assert "--pairs is for a model of positive and negative" in cli("evaluate", copied_run, "--pairs", "own").error(2)
