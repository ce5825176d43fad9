"""What the shipped recipes promise. The ones on IMDB take minutes: run them with -m slow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome

IMDB = Path(__file__).resolve().parents[2] / "shared" / "data" / "imdb"


def test_sample_is_beyond_a_bag_of_words_and_within_reach_of_an_lstm(
    cli: Callable[..., Outcome], tmp_path: Path
) -> None:
    outcome = cli("train", "--config", "sample", "--output", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    bag_of_words, network = map(float, re.findall(r"  (\d\.\d{3})$", outcome.out, re.MULTILINE))
    assert bag_of_words <= 0.75
    assert network >= 0.97


@pytest.mark.slow
@pytest.mark.skipif(not IMDB.is_dir(), reason="IMDB is not beside this checkout")
@pytest.mark.parametrize(("recipe", "accuracy"), [("imdb", 0.880), ("imdb_cnn_lstm", 0.865)])
def test_imdb_reaches_its_accuracy(recipe: str, accuracy: float, cli: Callable[..., Outcome], tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cli("train", "--config", recipe, "--data", IMDB, "--output", run, "--quiet").code == 0
    assert json.loads(cli("evaluate", run, "--json", "--quiet").out)["accuracy"] >= accuracy
