"""Interrupted and resumed equals uninterrupted, bit for bit; and what may not be resumed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Outcome, review_rows, run_main, write_csv
from safetensors.torch import load_file

from sentiment_lstm.training.trainer import Trainer

SMALL = ("train", "--config", "sample", "--limit", "60", "--quiet")
SMALL += ("--set", "model.embedding_dim=8", "--set", "model.hidden_dim=8", "--set", "training.batch_size=7")
EVERYTHING = ("word_dropout=0.1", "embedding_dropout=0.2", "recurrent_dropout=0.2", "output_dropout=0.3")
DROPOUT = tuple(part for name in EVERYTHING for part in ("--set", f"model.{name}"))
KEPT = ("--set", "training.keep_checkpoints=100")


def settings(**training: object) -> list[str]:
    return [part for name, value in training.items() for part in ("--set", f"training.{name}={value}")]


SEMI_SUPERVISED = settings(adversarial_epsilon=1, virtual_adversarial_epsilon=1, entropy_weight=0.5)
SEMI_SUPERVISED += [*settings(unlabelled_batch_size=3, crop_tokens=12), "--set", "model.normalize_embedding=true"]


def history_of(run: Path) -> list[dict]:
    """The records of a run without their timings."""
    records = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    timings = ("seconds", "per_second")
    return [{key: value for key, value in record.items() if not key.endswith(timings)} for record in records]


def newest_state(run: Path) -> tuple[dict[str, torch.Tensor], dict]:
    folder = max((run / "checkpoints").iterdir())
    values = json.loads((folder / "state.json").read_text())
    del values["seconds"], values["history"], values["progress"]["seconds_before"]
    return load_file(folder / "state.safetensors"), values


def assert_equal_runs(one: Path, other: Path) -> None:
    """Weights, optimiser, random states and history, to the last bit."""
    assert history_of(one) == history_of(other)
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    (tensors, values), (others, other_values) = newest_state(one), newest_state(other)
    assert values == other_values
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, others[name]), name


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``interrupt(5)``: a signal arrives in the middle of the fifth optimiser step from now."""
    own = Trainer.compute_gradient

    def after(steps: int, number: signal.Signals = signal.SIGINT) -> None:
        calls = iter(range(1, 10**6))

        def step(trainer: Trainer, group: object) -> list[float]:
            if next(calls) == steps:
                os.kill(os.getpid(), number)
            return own(trainer, group)  # type: ignore[arg-type]

        monkeypatch.setattr(Trainer, "compute_gradient", step)

    return after


@pytest.mark.parametrize("training", [
    {"optimizer": "adam", "schedule": "one_cycle", "accumulation_steps": 2},
    {"optimizer": "adamw", "schedule": "cosine", "weight_decay": 0.1, "precision": "fp32"},
    {"optimizer": "rmsprop", "schedule": "reduce_on_plateau", "learning_rate": 1e-5},
    {"optimizer": "momentum", "schedule": "constant", "class_weights": "balanced", "gradient_clip": 0.01,
     "sentences_per_review": 1, "counterfactuals": 12},
    {"optimizer": "sgd", "patience": 2, "label_smoothing": 0.1, "crop_tokens": 12, "weight_averaging": 0.9},
], ids=lambda training: training["optimizer"])  # fmt: skip
def test_interrupted_and_resumed_equals_uninterrupted(
    cli: Callable[..., Outcome], interrupt: Callable[..., None], tmp_path: Path, training: dict
) -> None:
    command = [*SMALL, *DROPOUT, *settings(epochs=3, **training)]
    assert cli(*command, "--output", "whole").code == 0
    steps = sum(record["steps"] for record in history_of(tmp_path / "whole"))
    epoch = history_of(tmp_path / "whole")[0]["steps"]
    for step in sorted({1, epoch - 1, epoch, epoch + 1, steps - 1}):
        run = tmp_path / f"resumed-{step}"
        interrupt(step)
        message = cli(*command, "--output", run).error(130)
        assert f"go on with: sentiment-lstm train --resume {run}" in message
        interrupt(2)
        cli("train", "--resume", run, "--quiet")  # interrupted again, unless one step was left
        interrupt(0)
        assert cli("train", "--resume", run, "--quiet") == Outcome(0, "", "")
        assert_equal_runs(tmp_path / "whole", run)


def test_the_cnn_frozen_embeddings_and_ngrams_resume_too(
    cli: Callable[..., Outcome], interrupt: Callable[..., None]
) -> None:
    for extra in (
        ["--set", "model.kind=cnn_lstm"],
        ["--set", "model.freeze_embedding=true", "--set", "model.kind=rnn"],
        [*SEMI_SUPERVISED, *DROPOUT],
        ["--set", "model.ngrams=3", "--set", "model.ngram_dropout=0.3"],
    ):
        shutil.rmtree("whole", ignore_errors=True)
        shutil.rmtree("resumed", ignore_errors=True)
        interrupt(0)
        assert cli(*SMALL, *extra, *settings(epochs=2), "--output", "whole").code == 0
        interrupt(5, signal.SIGTERM)
        cli(*SMALL, *extra, *settings(epochs=2), "--output", "resumed").error(143)
        interrupt(0)
        assert cli("train", "--resume", "resumed", "--quiet").code == 0
        assert_equal_runs(Path("whole"), Path("resumed"))


def test_a_signal_during_validation_is_answered_and_the_epoch_is_not_trained_again(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, interrupt: Callable[..., None]
) -> None:
    assert cli(*SMALL, *settings(epochs=2), "--output", "whole").code == 0
    own = Trainer._validate

    def interrupted(trainer: Trainer) -> tuple[float, float]:
        os.kill(os.getpid(), signal.SIGINT)
        return own(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_validate", interrupted)
        message = cli(*SMALL, *settings(epochs=2), "--output", "run").error(130)
    assert "interrupted after step 8 of epoch 1" in message
    taken: list[object] = []
    step = Trainer.train_step
    monkeypatch.setattr(Trainer, "train_step", lambda *arguments: (taken.append(1), step(*arguments))[1])
    assert cli("train", "--resume", "run", "--quiet").code == 0
    assert len(taken) == 8, "one epoch's steps"
    assert_equal_runs(Path("whole"), Path("run"))


def test_every_checkpoint_leads_to_the_same_end(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    """Whatever the last thing was that reached the disk."""
    command = [*SMALL, *DROPOUT, *settings(epochs=2, checkpoint_every_steps=3), *KEPT]
    assert cli(*command, "--output", "whole").code == 0
    folders = sorted((tmp_path / "whole" / "checkpoints").iterdir())
    assert [folder.name for folder in folders] == [
        "epoch-0001-step-000003", "epoch-0001-step-000006", "epoch-0002-step-000000",
        "epoch-0002-step-000001", "epoch-0002-step-000004", "epoch-0002-step-000007", "epoch-0003-step-000000",
    ]  # fmt: skip
    for last in range(len(folders)):
        run = shutil.copytree(tmp_path / "whole", tmp_path / f"until-{last}")
        for folder in folders[last + 1 :]:
            shutil.rmtree(run / "checkpoints" / folder.name)
        (run / "metrics.json").unlink()
        assert cli("train", "--resume", run, "--quiet").code == 0
        assert (run / "metrics.json").is_file()
        assert_equal_runs(tmp_path / "whole", run)


def test_weights_of_a_best_epoch_whose_checkpoint_never_came_are_put_back(cli: Callable[..., Outcome]) -> None:
    assert cli(*SMALL, *settings(epochs=1), "--output", "one").code == 0
    assert cli(*SMALL, *settings(epochs=1), "--output", "other", "--seed", "9").code == 0
    shutil.copy("other/model.safetensors", "one/model.safetensors")
    assert cli("train", "--resume", "one", "--quiet").code == 0
    assert Path("one/model.safetensors").read_bytes() != Path("other/model.safetensors").read_bytes()
    assert cli(*SMALL, *settings(epochs=1), "--output", "again").code == 0
    assert_equal_runs(Path("one"), Path("again"))


def test_epochs_may_grow_but_not_shrink(cli: Callable[..., Outcome]) -> None:
    constant = settings(schedule="constant")
    assert cli(*SMALL, *constant, *settings(epochs=1), "--output", "run").code == 0
    assert cli("train", "--resume", "run", "--epochs", "3", "--quiet").code == 0
    assert cli(*SMALL, *constant, *settings(epochs=3), "--output", "whole").code == 0
    assert history_of(Path("run")) == history_of(Path("whole"))
    assert "may grow, not shrink" in cli("train", "--resume", "run", "--epochs", "2", "--quiet").error(2)


def test_a_run_whose_time_was_up_goes_on_with_more(cli: Callable[..., Outcome]) -> None:
    assert cli(*SMALL, *settings(epochs=3), "--max-time", "0.001", "--output", "run").code == 0
    assert len(history_of(Path("run"))) == 1
    assert cli("train", "--resume", "run", "--quiet").code == 0
    assert len(history_of(Path("run"))) == 1, "nothing has changed"
    assert cli("train", "--resume", "run", "--max-time", "10m", "--quiet").code == 0
    assert [record["epoch"] for record in history_of(Path("run"))] == [1, 2, 3]
    assert history_of(Path("run"))[0]["stop_reason"] is None


def test_a_finished_run_has_nothing_left_to_do(cli: Callable[..., Outcome]) -> None:
    assert cli(*SMALL, "--epochs", "1", "--output", "run").code == 0
    before = {
        path: path.read_bytes() for path in Path("run").glob("*") if path.is_file() and path.name != "metrics.json"
    }
    assert cli("train", "--resume", "run", "--quiet").code == 0
    assert {path: path.read_bytes() for path in before} == before
    assert "all 1 epochs done" in cli("train", "--resume", "run").out


def test_a_run_without_a_checkpoint_starts_from_the_beginning(cli: Callable[..., Outcome]) -> None:
    assert cli(*SMALL, "--epochs", "1", "--output", "whole").code == 0
    shutil.copytree("whole", "run")
    shutil.rmtree("run/checkpoints")
    outcome = cli("train", "--resume", "run")
    assert outcome.code == 0
    assert "no checkpoint in run yet: starting from the beginning" in outcome.err
    assert_equal_runs(Path("whole"), Path("run"))


def test_a_damaged_newest_checkpoint_is_passed_over_aloud(cli: Callable[..., Outcome]) -> None:
    assert cli(*SMALL, "--epochs", "2", "--output", "whole").code == 0
    shutil.copytree("whole", "run")
    newest = max(Path("run/checkpoints").iterdir())
    (newest / "manifest.json").unlink()
    (newest / ".state.json.123.tmp").write_text("half")
    outcome = cli("train", "--resume", "run")
    assert outcome.code == 0
    assert f"passed over {newest}: it was not written to its end (no manifest.json)" in outcome.err
    assert_equal_runs(Path("whole"), Path("run"))
    for path in Path("run/checkpoints").iterdir():
        (path / "state.safetensors").write_bytes(b"")
    assert "is whole: train again" in run_main("train", "--resume", "run", "--quiet").error(1).splitlines()[-1]


def test_two_threads_resume_to_the_last_bit_too(
    cli: Callable[..., Outcome], interrupt: Callable[..., None], tmp_path: Path
) -> None:
    large = ("--set", "model.embedding_dim=64", "--set", "model.hidden_dim=64", "--set", "model.bidirectional=true")
    command = ["train", "--config", "sample", "--limit", "300", "--quiet", *large, *DROPOUT, "--epochs", "2"]
    command += settings(threads=2)
    threads = torch.get_num_threads()
    try:
        assert cli(*command, "--output", "whole").code == 0
        interrupt(6)
        assert cli(*command, "--output", "run").code == 130
        interrupt(0)
        assert cli("train", "--resume", "run", "--quiet").code == 0
    finally:
        torch.set_num_threads(threads)
    assert_equal_runs(Path("whole"), Path("run"))


@pytest.mark.parametrize(("change", "words"), [
    (["--set", "model.hidden_dim=9"], "model.hidden_dim: checkpoint has 8, this run has 9"),
    (["--seed", "5"], "training.seed: checkpoint has 1, this run has 5"),
    (["--limit", "50"], "data.limit: checkpoint has 60, this run has 50"),
    (["--config", "imdb"], " (and "),
])  # fmt: skip
def test_changed_settings_are_refused_by_name(cli: Callable[..., Outcome], change: list[str], words: str) -> None:
    assert cli(*SMALL, "--epochs", "1", "--output", "run").code == 0
    message = cli("train", "--resume", "run", *change, "--quiet").error(2)
    assert message.startswith("error: cannot resume run: ")
    assert words in message


def test_changed_data_is_refused_by_review(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    rows = review_rows(40)
    write_csv(tmp_path / "reviews.csv", rows)
    command = ("train", "--config", "sample", "--data", "reviews.csv", *SMALL[5:], "--epochs", "1", "--output", "run")
    assert cli(*command).code == 0
    write_csv(tmp_path / "reviews.csv", [*rows, *review_rows(4)])
    message = cli("train", "--resume", "run", "--quiet").error(2)
    assert "train reviews: checkpoint has 32, this run has" in message
    rows[7] = rows[7].replace("good", "fine")
    write_csv(tmp_path / "reviews.csv", rows)
    message = cli("train", "--resume", "run", "--quiet").error(2)
    assert "reviews: 1 are not the checkpoint's, the first is reviews/8" in message or "reviews" in message
    (tmp_path / "moved").mkdir()
    write_csv(tmp_path / "moved" / "reviews.csv", review_rows(40))
    assert cli("train", "--resume", "run", "--data", "moved/reviews.csv", "--quiet").code == 0


def test_another_number_of_threads_is_said(cli: Callable[..., Outcome]) -> None:
    assert cli(*SMALL, "--epochs", "1", "--set", "training.threads=1", "--output", "run").code == 0
    threads = torch.get_num_threads()
    try:
        outcome = cli("train", "--resume", "run", "--set", "training.threads=2", "--epochs", "2")
    finally:
        torch.set_num_threads(threads)
    assert outcome.code == 0
    assert "threads: checkpoint has 1, this run has 2: the numbers can differ in their last digits" in outcome.err
    assert json.loads(Path("run/meta.json").read_text())["resumed"][0]["threads"] == 2


@pytest.mark.parametrize(("arguments", "words"), [
    (["--resume", "nowhere"], "no run at nowhere"),
    (["--resume"], "no run under runs/ to resume"),
    (["somewhere"], "takes --resume"),
    (["--resume", ".", "--output", "x"], "leave out --output"),
    (["--resume", "."], "holds no run to resume"),
])  # fmt: skip
def test_what_cannot_be_resumed(cli: Callable[..., Outcome], arguments: list[str], words: str) -> None:
    assert words in cli("train", *arguments).error(2)


def test_the_newest_run_is_resumed_where_none_is_named(cli: Callable[..., Outcome]) -> None:
    assert cli(*SMALL, "--epochs", "1", "--output", "runs/old").code == 0
    assert cli(*SMALL, "--epochs", "1", "--output", "runs/new").code == 0
    outcome = cli("train", "--resume", "--epochs", "2")
    assert outcome.code == 0
    assert "resuming runs/new" in outcome.err


def test_force_forgets_the_old_checkpoints(cli: Callable[..., Outcome]) -> None:
    assert cli(*SMALL, "--epochs", "3", "--output", "run").code == 0
    assert cli(*SMALL, "--epochs", "1", "--output", "run", "--force").code == 0
    assert [path.name for path in Path("run/checkpoints").iterdir()] == ["epoch-0002-step-000000"]


def test_a_checkpoint_of_an_earlier_version_lacks_settings_and_is_taken_at_their_defaults(
    cli: Callable[..., Outcome],
) -> None:
    assert cli(*SMALL, "--epochs", "1", "--output", "run").code == 0
    (folder,) = Path("run/checkpoints").iterdir()
    values = json.loads((folder / "state.json").read_text())
    del values["config"]["data"]["validation"], values["config"]["pretraining"]
    content = json.dumps(values).encode()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["state.json"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "state.json").write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert cli("train", "--resume", "run", "--epochs", "2", "--quiet").code == 0
    message = cli("train", "--resume", "run", "--set", "data.validation=grouped", "--quiet").error(2)
    assert "data.validation: checkpoint has random, this run has grouped" in message
