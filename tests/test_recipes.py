"""What the shipped recipes promise. The ones on IMDB take minutes: run them with -m slow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome

from sentiment_lstm.recipes import list_recipes, load_config

IMDB = Path(__file__).resolve().parents[2] / "shared" / "data" / "imdb"


def test_sample_is_beyond_a_bag_of_words_and_within_reach_of_an_lstm(
    cli: Callable[..., Outcome], tmp_path: Path
) -> None:
    outcome = cli("train", "--config", "sample", "--output", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    bag_of_words, network = map(float, re.findall(r"  (\d\.\d{3})$", outcome.out, re.MULTILINE))
    assert bag_of_words <= 0.75
    assert network >= 0.97


@pytest.mark.parametrize("recipe", list_recipes())
def test_every_recipe_is_valid_and_says_what_it_is_for(recipe: str) -> None:
    assert load_config(recipe) is not None
    assert list_recipes()[recipe].read_text(encoding="utf-8").startswith("# ")


def settings(*values: str) -> list[str]:
    return [word for value in values for word in ("--set", value)]


def test_the_recipes_for_a_gpu_train_with_small_sizes(
    cli: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{'a fine film' if n % 2 else 'a dull film'} number {n},{('neg', 'pos', '')[n % 3]}" for n in range(120)]
    Path("own.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")  # a third without a label
    small = settings("model.embedding_dim=8", "model.hidden_dim=12", "training.device=cpu", "training.precision=fp32")
    pretrain = ("pretrain", "--config", "language_model_large", "--data", "own.csv", "--epochs", "1", "--quiet", *small)
    pretrain += tuple(settings("pretraining.streams=4", "pretraining.window=16", "pretraining.sampled_words=20"))
    assert cli(*pretrain, "--output", "forward").code == 0
    assert cli(*pretrain, "--backward", "--init", "forward", "--output", "backward").code == 0
    train = ("train", "--config", "imdb_best", "--data", "own.csv", "--epochs", "1", "--quiet", *small)
    train += ("--init", "forward", "--init", "backward", "--output", "best")
    outcome = cli(*train, *settings("training.batch_size=8", "data.validation_share=0.2"))
    assert outcome.code == 0, outcome.err
    assert "no review without a label" not in outcome.err
    record = json.loads(Path("best/history.jsonl").read_text(encoding="utf-8"))
    assert 0 < record["train_loss"] < 10
    layers = record["gradient_norm_per_layer"]
    assert {"recurrent.forwards.0", "recurrent.backwards.0", "embedding"} <= set(layers)


@pytest.mark.slow
@pytest.mark.skipif(not IMDB.is_dir(), reason="IMDB is not beside this checkout")
@pytest.mark.parametrize(("recipe", "accuracy"), [("imdb", 0.920), ("imdb_cnn_lstm", 0.895)])
def test_imdb_reaches_its_accuracy(recipe: str, accuracy: float, cli: Callable[..., Outcome], tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cli("train", "--config", recipe, "--data", IMDB, "--output", run, "--quiet").code == 0
    assert json.loads(cli("evaluate", run, "--json", "--quiet").out)["accuracy"] >= accuracy
