"""The name ``shipped``, wherever a run is named, and the two models behind it."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Outcome, run_main

import sentiment_lstm
from sentiment_lstm import config
from sentiment_lstm.inference import archive

IMDB = Path(__file__).resolve().parents[2] / "shared" / "data" / "imdb"
ACCURACY = 0.925  # of the shipped classifier on the 25,000 test reviews
SMALL_ENOUGH = 12_000_000  # bytes of a model in the wheel
SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "make_shipped.py"
SMALL_SIZES = (
    *("--set", "model.embedding_dim=8", "--set", "model.hidden_dim=12", "--set", "tokenizer.max_size=500"),
    *("--limit", "200", "--epochs", "1", "--quiet"),
)
SMALL_TEXTS = ("--set", "pretraining.streams=4", "--set", "pretraining.window=16")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small models, packed as the script packs the large ones."""
    work = tmp_path_factory.mktemp("made")
    pretrain = ("pretrain", "--data", "sample", *SMALL_SIZES, *SMALL_TEXTS, "--output")
    assert run_main(*pretrain, work / "forward") == Outcome(0, "", "")
    assert run_main(*pretrain, work / "backward", "--backward", "--init", work / "forward") == Outcome(0, "", "")
    train = ("train", "--config", "sample", "--init", work / "forward", "--init", work / "backward", "--quiet")
    assert run_main(*train, "--epochs", "1", "--output", work / "run") == Outcome(0, "", "")
    script = runpy.run_path(str(SCRIPT))
    script["pack_language_model"]([work / "forward", work / "backward"], work / "shipped" / "language_model")
    script["pack_classifier"](work / "run", work / "shipped" / "classifier")
    return work


@pytest.fixture
def shipped(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config, "SHIPPED_FOLDER", made / "shipped")
    return made / "shipped"


def test_it_answers_where_there_is_no_run(cli: Callable[..., Outcome], shipped: Path) -> None:
    outcome = cli("predict", "a good film", "a bad film")
    assert (outcome.code, len(outcome.out.splitlines())) == (0, 2)
    assert "the one that comes with the program" in outcome.err
    assert cli("predict", "--model", "shipped", "a good film", "a bad film").out == outcome.out
    assert sentiment_lstm.load("shipped").predict(["a good film"])[0].label in ("positive", "negative")


def test_its_answers_are_nearly_those_of_the_run_it_was_made_from(made: Path, shipped: Path) -> None:
    there, here = (sentiment_lstm.load(path) for path in (made / "run", shipped / "classifier"))
    for then, now in zip(*(model.predict(["good", "a bad film"]) for model in (there, here)), strict=True):
        assert now.probabilities == pytest.approx(then.probabilities, abs=0.02)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (made / "run", shipped / "classifier")]
    assert sizes[1] < 0.5 * sizes[0]


def test_evaluating_it_writes_nothing_into_the_program(cli: Callable[..., Outcome], made: Path, shipped: Path) -> None:
    before = sorted(shipped.rglob("*"))
    outcome = cli("evaluate", "shipped", "--data", "sample", "--limit", "40", "--json", "--quiet")
    assert json.loads(outcome.out)["num_reviews"] == 40
    assert sorted(shipped.rglob("*")) == before
    assert Path("runs/shipped/evaluation/predictions.jsonl").is_file()
    assert "named twice" in cli("compare", "shipped", "shipped").error(2)
    assert cli("evaluate", made / "run", "--data", "sample", "--limit", "40", "--quiet").code == 0
    assert cli("compare", "shipped", made / "run").code == 0


def test_a_classifier_starts_from_both_directions_of_it(cli: Callable[..., Outcome], shipped: Path) -> None:
    slow = ("--set", "training.learning_rate=1e-30", "--set", "model.bidirectional=true")
    command = ("train", "--config", "sample", "--epochs", "1", "--init", "shipped", *slow, "--output", "run", "--quiet")
    assert cli(*command) == Outcome(0, "", "")
    assert json.loads(Path("run/meta.json").read_text())["taken_over"] == [
        *("recurrent.backwards.0", "recurrent.forwards.0", "embedding"),
    ]
    assert "init:\n  - shipped" in Path("run/config.yaml").read_text()
    there = archive.load_pretrained(Path("shipped")).weights
    here = archive.load_pretrained(Path("run")).weights
    for name in ("embedding.weight", "recurrent.forwards.0.weight_hh_l0", "recurrent.backwards.0.weight_hh_l0"):
        torch.testing.assert_close(here[name], there[name], atol=1e-6, rtol=0)
    assert cli("train", "--resume", "run", "--epochs", "2", "--quiet") == Outcome(0, "", "")


def test_from_none_is_from_scratch(cli: Callable[..., Outcome], shipped: Path) -> None:
    command = ("train", "--config", "sample", "--epochs", "1", "--set", "model.init=shipped", "--init", "none")
    assert cli(*command, "--output", "run", "--quiet") == Outcome(0, "", "")
    assert json.loads(Path("run/meta.json").read_text())["taken_over"] == []


@pytest.mark.parametrize("direction", [(), ("--backward",)])
def test_pretraining_goes_on_from_it(cli: Callable[..., Outcome], shipped: Path, direction: tuple[str, ...]) -> None:
    slow = ("--set", "training.learning_rate=1e-30", "--init", "shipped", *direction)
    command = ("pretrain", "--data", "sample", "--limit", "200", "--epochs", "1", "--quiet", *SMALL_TEXTS)
    assert cli(*command, *slow, "--output", "on") == Outcome(0, "", "")
    there, here = (archive.load_pretrained(Path(run)).weights for run in ("shipped", "on"))
    part = "backwards" if direction else "forwards"
    own = here["recurrent.forwards.0.weight_hh_l0"]
    torch.testing.assert_close(own, there[f"recurrent.{part}.0.weight_hh_l0"], atol=1e-6, rtol=0)


def test_what_is_not_there_is_said_in_one_line(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(config, "SHIPPED_FOLDER", tmp_path / "nowhere")
    assert "no run under runs/" in cli("predict", "good").error(2)
    assert "no run at" in cli("predict", "--model", "shipped", "good").error(2)


@pytest.mark.parametrize("name", ["language_model", "classifier"])
def test_the_models_in_the_box_are_small_and_have_a_card(name: str) -> None:
    folder = config.SHIPPED_FOLDER / name
    assert sum(path.stat().st_size for path in folder.iterdir()) <= SMALL_ENOUGH
    card = (folder / "README.md").read_text(encoding="utf-8")
    for heading in ("## Data", "## Recipe", "## Figures", "## Limits"):
        assert heading in card
    for file in ("config.yaml", "meta.json"):
        assert "/" not in (folder / file).read_text().replace("int8/", ""), "it names no folder of a machine"


def test_the_classifier_in_the_box_answers(cli: Callable[..., Outcome]) -> None:
    outcome = cli("predict", "--model", "shipped", "A wonderful, moving film.", "A boring, stupid film.")
    assert [line.split()[0] for line in outcome.out.splitlines()] == ["positive", "negative"]


@pytest.mark.parametrize(("limit", "accuracy"), [
    (600, 0.89),
    pytest.param(25_000, ACCURACY, marks=pytest.mark.slow),
])  # fmt: skip
def test_the_classifier_in_the_box_is_as_good_as_its_card_says(
    cli: Callable[..., Outcome], limit: int, accuracy: float
) -> None:
    if not IMDB.is_dir():
        pytest.skip("IMDB is not beside the checkout")
    outcome = cli("evaluate", "shipped", "--data", IMDB, "--limit", str(limit), "--json", "--quiet")
    assert json.loads(outcome.out)["accuracy"] >= accuracy
