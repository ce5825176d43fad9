"""``train --seeds``: ordinary runs, a mean, and going on after an interruption."""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TINY, Outcome
from test_resume import assert_equal_runs

from sentiment_lstm.training.trainer import Trainer

SEEDS = (*TINY, "--seeds", "2", "--output", "many")


def seeds_json() -> dict:
    return json.loads(Path("many/seeds.json").read_text())


def test_a_seed_of_many_is_the_run_it_is_alone(cli: Callable[..., Outcome]) -> None:
    assert cli(*SEEDS, "--seed", "5", "--baseline", "tfidf") == Outcome(0, "", "")
    assert cli(*TINY, "--seed", "6", "--output", "alone") == Outcome(0, "", "")
    assert_equal_runs(Path("many/seed-6"), Path("alone"))
    assert {path.name for path in Path("many").iterdir()} == {"recipe.yaml", "seeds.json", "seed-5", "seed-6"}
    record = seeds_json()
    assert record["seeds"] == record["done"] == [5, 6]
    reached = [json.loads(Path(f"many/seed-{n}/metrics.json").read_text())["validation_accuracy"] for n in (5, 6)]
    assert record["validation_accuracy"] == {
        "mean": statistics.fmean(reached),
        "standard_deviation": statistics.stdev(reached),
    }
    assert record["baselines"].keys() == {"tfidf"}
    assert cli("train", "--resume", "many", "--quiet") == Outcome(0, "", "")
    assert seeds_json() == record, "nothing was left to do"


def test_the_summary_is_a_result_and_evaluate_and_compare_take_the_folder(cli: Callable[..., Outcome]) -> None:
    outcome = cli(*(part for part in SEEDS if part != "--quiet"))
    assert outcome.code == 0
    assert "\n2 seeds: validation accuracy 0." in outcome.out
    assert "(mean, standard deviation 0." in outcome.out
    assert outcome.out.endswith("\nmany\n")
    assert outcome.err.endswith("next: sentiment-lstm evaluate many\n")
    assert outcome.err.count("next: ") == 1
    assert "lesson" not in outcome.out

    evaluated = cli("evaluate", "many", "--quiet", "--baseline", "tfidf")
    assert (evaluated.code, evaluated.err) == (0, "")
    assert "2 seeds: accuracy 0." in evaluated.out
    stored = json.loads(Path("many/evaluation.json").read_text())
    own = [json.loads(Path(f"many/seed-{n}/evaluation/metrics.json").read_text())["accuracy"] for n in (1, 2)]
    assert stored["accuracy"] == {"mean": statistics.fmean(own), "standard_deviation": statistics.stdev(own)}
    report = json.loads(cli("evaluate", "many", "--quiet", "--json").out)
    assert [run["accuracy"] for run in report["runs"]] == own

    compared = cli("compare", "many", "--baseline", "tfidf")
    assert compared.code == 0
    assert "  training.seed: 1 | 2\n" in compared.out
    assert compared.out.splitlines()[3].split()[0] == "many/seed-1"


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """``interrupt(3)``: a signal arrives in the third optimiser step from now, whichever run takes it."""
    own = Trainer.compute_gradient

    def after(steps: int) -> None:
        calls = iter(range(1, 10**6))

        def step(trainer: Trainer, group: object) -> list[float]:
            if next(calls) == steps:
                os.kill(os.getpid(), signal.SIGINT)
            return own(trainer, group)  # type: ignore[arg-type]

        monkeypatch.setattr(Trainer, "compute_gradient", step)

    return after


STEPS = ("--set", "training.batch_size=7")  # eight steps an epoch


@pytest.mark.parametrize("steps", [3, 11])
def test_interrupted_seeds_go_on_to_the_same_end(
    cli: Callable[..., Outcome], interrupt: Callable[[int], None], steps: int
) -> None:
    interrupt(steps)
    message = cli(*SEEDS, *STEPS).error(130)
    assert message.endswith("train --resume many\n")
    assert message.count("go on with") == 1
    assert len(seeds_json()["done"]) == (0 if steps == 3 else 1)
    unfinished = 1 if steps == 3 else 2
    assert f"seed {unfinished} of many is not done: go on with" in cli("evaluate", "many").error(2)
    before = Path("many/seed-1/metrics.json").stat().st_mtime_ns
    assert cli("train", "--resume", "many", "--quiet") == Outcome(0, "", "")
    assert (Path("many/seed-1/metrics.json").stat().st_mtime_ns == before) == (unfinished == 2), "what is done is left"
    assert cli(*SEEDS[:-1], "whole", *STEPS) == Outcome(0, "", "")
    for seed in (1, 2):
        assert_equal_runs(Path(f"many/seed-{seed}"), Path(f"whole/seed-{seed}"))


def test_a_signal_before_the_first_step_says_how_to_go_on(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sentiment_lstm.data.prepare.load_source", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
        assert cli(*SEEDS).error(143).endswith("train --resume many\n")
    assert cli("train", "--resume", "many", "--quiet").code == 0
    assert seeds_json()["done"] == [1, 2]


def test_there_may_be_more_seeds_and_more_epochs_but_no_other_model(cli: Callable[..., Outcome]) -> None:
    assert cli(*SEEDS).code == 0
    assert cli("train", "--resume", "many", "--seeds", "3", "--quiet").code == 0
    assert seeds_json()["done"] == [1, 2, 3]
    message = cli("train", "--resume", "many", "--set", "model.hidden_dim=9", "--quiet").error(2)
    assert "cannot resume many/seed-1: model.hidden_dim" in message
    assert seeds_json()["done"] == [1, 2, 3]
    assert cli("train", "--resume", "many", "--epochs", "2", "--quiet").code == 0
    assert [run["seed"] for run in seeds_json()["runs"]] == [1, 2, 3]
    for seed in (1, 2, 3):
        assert json.loads(Path(f"many/seed-{seed}/metrics.json").read_text())["epochs"] == 2
    assert "their number may grow, not shrink" in cli("train", "--resume", "many", "--seeds", "2").error(2)
    assert "leave out --seed" in cli("train", "--resume", "many", "--seed", "7").error(2)
    assert "many is not empty" in cli(*SEEDS).error(2)
    assert cli(*SEEDS, "--force") == Outcome(0, "", "")
    assert seeds_json()["done"] == [1, 2]


def test_force_never_takes_an_old_seed_for_a_new_one(
    cli: Callable[..., Outcome], interrupt: Callable[[int], None]
) -> None:
    assert cli(*SEEDS).code == 0
    interrupt(3)
    cli(*SEEDS, *STEPS, "--force").error(130)
    assert not Path("many/seed-2/model.safetensors").exists()
    assert cli("train", "--resume", "many", "--quiet").code == 0
    assert "batch_size: 7" in Path("many/seed-2/config.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--seeds", "1"), "'--seeds'"),
        (("--seeds", "2", "--dry-run"), "leave out --dry-run and --overfit-batch"),
        (("--baseline", "tfidf", "--dry-run"), "leave out --dry-run"),
        (("--seeds", "2", "--overfit-batch", "4"), "leave out --dry-run and --overfit-batch"),
        (("--resume", "run", "--seeds", "2"), "run is one run"),
        (("--resume", "damaged"), "damaged"),
        (("--seeds", "2", "--seed", str(2**32 - 1)), "seeds end at"),
    ],
)
def test_usage_errors_are_one_line(
    cli: Callable[..., Outcome], tiny_run: Path, arguments: tuple[str, ...], words: str
) -> None:
    shutil.copytree(tiny_run, "run")
    Path("damaged").mkdir()
    Path("damaged/recipe.yaml").write_text(Path("run/config.yaml").read_text())
    Path("damaged/seeds.json").write_text('{"seeds": ["../run"], "done": []}')
    assert words in cli("train", *arguments).error(1 if "damaged" in arguments else 2)


def test_seeds_are_for_one_process(cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert "--seeds is for one process" in cli(*SEEDS).error(2)
