"""``sentiment-lstm plot``: what is drawn, where it goes, and what cannot be drawn."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome, run_main
from matplotlib.figure import Figure

from sentiment_lstm.evaluation import run_plots
from sentiment_lstm.evaluation.run_plots import load_history, plot_runs

LANGUAGE_MODEL = ("pretrain", "--data", "sample", "--limit", "100", "--quiet", "--epochs", "2")
for setting in ("model.embedding_dim=8", "model.hidden_dim=8", "pretraining.streams=4", "pretraining.window=16"):
    LANGUAGE_MODEL += ("--set", setting)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny_run: Path) -> Path:
    """A folder with a classifier of one epoch, two more as long histories, and a language model."""
    folder = tmp_path_factory.mktemp("runs")
    shutil.copytree(tiny_run, folder / "one")
    for name in ("two", "three"):
        shutil.copytree(tiny_run, folder / name)
        (record,) = history_of(folder / name)
        write_history(folder / name, [{**record, "epoch": epoch} for epoch in (1, 2, 3)])
    assert run_main(*LANGUAGE_MODEL, "--output", folder / "words") == Outcome(0, "", "")
    return folder


def history_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def write_history(run: Path, records: list[dict[str, Any]]) -> None:
    (run / "history.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn, as they are saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(run_plots, "save", lambda figure, path: figures.append(figure))
    return figures


def test_one_run_is_drawn_into_its_folder_and_several_here(cli: Callable[..., Outcome], runs: Path) -> None:
    shutil.copytree(runs, "runs")
    assert cli("plot", "runs/two") == Outcome(0, "picture: runs/two/plot.png\n", "")
    assert Path("runs/two/plot.png").read_bytes().startswith(b"\x89PNG")
    assert cli("plot", "runs/one", "runs/two").out == "picture: plot.png\n"
    assert Path("plot.png").read_bytes().startswith(b"\x89PNG")
    assert cli("plot", "runs/words", "--output", "a.svg").out == "picture: a.svg\n"
    assert Path("a.svg").read_text().startswith("<?xml")


def test_each_panel_has_what_it_says(drawn: list[Figure], runs: Path) -> None:
    histories = [load_history(runs / name) for name in ("two", "three")]
    plot_runs(histories, Path("unused"))
    axes = {axis.get_ylabel(): axis for axis in drawn[0].axes}
    assert list(axes) == [
        "loss", "accuracy", "learning rate, last step", "share of clipped steps",
        "gradient norm per layer", "update / weights (norms)",
    ]  # fmt: skip
    (record, *_) = history_of(runs / "two")
    assert [line.get_ydata()[0] for line in axes["loss"].lines] == [record["train_loss"], record["validation_loss"]] * 2
    gradients, updates = list(axes.values())[4:]
    assert (gradients.get_yscale(), updates.get_yscale()) == ("log", "log")
    expected = list(record["gradient_norm_per_layer"].values())
    assert [line.get_ydata()[0] for line in gradients.lines] == expected * 2
    expected = list(record["update_ratio_per_layer"].values())
    assert [line.get_ydata()[0] for line in updates.lines[:-1]] == expected * 2, "the last one is the rule of thumb"
    styles = [line.get_linestyle() for line in gradients.lines]
    assert styles == ["-"] * len(expected) + ["--"] * len(expected), "a run's lines have its style"
    top, bottom = drawn[0].legends
    assert [text.get_text()[-9:] for text in top.get_texts()] == [str(runs / name)[-9:] for name in ("two", "three")]
    assert [text.get_text() for text in bottom.get_texts()] == list(record["gradient_norm_per_layer"])


def test_a_language_model_has_a_perplexity(drawn: list[Figure], runs: Path) -> None:
    history = load_history(runs / "words")
    plot_runs([history], Path("unused"))
    (axis,) = (axis for axis in drawn[0].axes if axis.get_ylabel() == "perplexity of held-out text")
    assert 10 < axis.lines[0].get_ydata()[-1] < 300
    plot_runs([load_history(runs / "words")], Path("unused"))
    assert len(history.epochs) == 2


def test_json_holds_every_epoch_and_draws_with_output_alone(cli: Callable[..., Outcome], runs: Path) -> None:
    outcome = cli("plot", runs / "two", runs / "words", "--json")
    values = json.loads(outcome.out)["runs"]
    assert [own["kind"] for own in values] == ["classifier", "language model"]
    assert [epoch["epoch"] for epoch in values[0]["epochs"]] == [1, 2, 3]
    assert values[0]["epochs"][0]["update_ratio_per_layer"] == history_of(runs / "two")[0]["update_ratio_per_layer"]
    assert list(Path().iterdir()) == []
    assert not (runs / "two" / "plot.png").exists()
    assert json.loads(cli("plot", runs / "two", "--json", "--output", "a.png").out)["runs"]
    assert Path("a.png").is_file()


def test_layers_that_rest_and_numbers_that_were_not_measured(drawn: list[Figure], copied_run: Path) -> None:
    (record,) = history_of(copied_run)
    resting = dict.fromkeys(record["update_ratio_per_layer"], 0.0)
    write_history(copied_run, [{**record, "update_ratio_per_layer": resting}])
    plot_runs([load_history(copied_run)], Path("unused"))
    del record["update_ratio_per_layer"]
    write_history(copied_run, [record])
    plot_runs([load_history(copied_run)], Path("unused"))
    for figure in drawn:
        assert [text.get_text() for text in figure.axes[-1].texts] == ["not measured"]
        assert figure.axes[-2].get_yscale() == "log"


def test_a_folder_of_seeds_is_its_runs(cli: Callable[..., Outcome], runs: Path, tmp_path: Path) -> None:
    for number, name in ((1, "two"), (2, "three")):
        shutil.copytree(runs / name, tmp_path / "seeds" / f"seed-{number}")
    (tmp_path / "seeds" / "seeds.json").write_text(json.dumps({"seeds": [1, 2], "done": [1, 2]}))
    assert cli("plot", "seeds").out == f"picture: {Path('seeds/plot.png')}\n"
    names = [own["run"] for own in json.loads(cli("plot", "seeds", "--json").out)["runs"]]
    assert names == ["seeds/seed-1", "seeds/seed-2"]


def test_what_cannot_be_drawn_is_one_line(cli: Callable[..., Outcome], runs: Path, copied_run: Path) -> None:
    assert "no run at gone" in cli("plot", "gone").error(2)
    assert "is not a run folder" in cli("plot", ".").error(2)
    assert "a picture's name ends in .png or .svg" in cli("plot", runs / "one", "--output", "a.gif").error(2)
    assert "is named twice" in cli("plot", runs / "one", runs / "one").error(2)
    message = cli("plot", runs / "one", runs / "words").error(2)
    assert f"{runs / 'words'} is a language model and {runs / 'one'} a classifier" in message
    assert "has no finished epoch" in cli("plot", "shipped").error(2)
    record = (copied_run / "history.jsonl").read_text()
    for damaged, words in (
        ("", "has no finished epoch"),
        (record + "[1]\n", "line 2 must be an object"),
        (record + "{", "line 2 is damaged"),
        ("{}\n", "line 1 is damaged"),
        (record.replace('"train_loss": ', '"train_loss": "x", "y": '), "line 1 is damaged"),
    ):
        (copied_run / "history.jsonl").write_text(damaged)
        outcome = cli("plot", copied_run)
        assert words in outcome.error(1 if "line" in words else 2)
    (copied_run / "history.jsonl").unlink()
    assert "has no finished epoch" in cli("plot", copied_run).error(2)


def test_more_runs_than_line_styles_are_refused(cli: Callable[..., Outcome], runs: Path, tmp_path: Path) -> None:
    copies = [shutil.copytree(runs / "one", tmp_path / str(number)) for number in range(7)]
    assert "6 runs at most can be told apart in one picture, these are 7" in cli("plot", *copies).error(2)
    assert cli("plot", *copies[:6]).code == 0


def test_force_removes_the_old_picture(cli: Callable[..., Outcome], copied_run: Path) -> None:
    assert cli("plot", copied_run).code == 0
    small = ("--set", "model.embedding_dim=8", "--set", "model.hidden_dim=8", "--limit", "60", "--epochs", "1")
    assert cli("train", "--config", "sample", *small, "--quiet", "--force", "--output", copied_run).code == 0
    assert not (copied_run / "plot.png").exists()


def test_it_does_without_torch(runs: Path, tmp_path: Path) -> None:
    code = "import sys; from sentiment_lstm.cli import main\n"
    code += "try: main.main()\nfinally: assert 'torch' not in sys.modules, 'torch was imported'\n"
    command = [sys.executable, "-c", code, "plot", str(runs / "one"), "--output", str(tmp_path / "a.png")]
    answer = subprocess.run(command, capture_output=True, text=True, env={**os.environ})
    assert (answer.returncode, answer.stderr) == (0, "")
