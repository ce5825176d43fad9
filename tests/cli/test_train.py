"""``sentiment-lstm train``: what it writes, what it says, and how it fails."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml
from conftest import TINY, Outcome, review_rows, write_csv

from sentiment_lstm import experiment as experiments
from sentiment_lstm import files
from sentiment_lstm.cli.starting import parse_duration
from sentiment_lstm.errors import UsageError
from sentiment_lstm.inference import archive
from sentiment_lstm.recipes import load_config
from sentiment_lstm.training.objectives import Loss

DRY = (*(part for part in TINY if part != "--quiet"), "--dry-run")
RUN_FILES = {
    "config.yaml",
    "tokenizer.json",
    "model.safetensors",
    "labels.json",
    "meta.json",
    "history.jsonl",
    "metrics.json",
    "curves.png",
}


def digest(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_folder_holds_its_files_and_no_pickle(tiny_run: Path) -> None:
    assert {path.name for path in tiny_run.iterdir()} >= RUN_FILES
    for path in tiny_run.rglob("*"):
        assert path.suffix in {".yaml", ".json", ".jsonl", ".safetensors", ".png", ""}, path
        assert not path.name.startswith("."), "no temporary file stays"
    assert len((tiny_run / "history.jsonl").read_text().splitlines()) == 1


def test_no_file_of_a_run_names_its_folder(tiny_run: Path) -> None:
    for name in RUN_FILES - {"meta.json"}:  # which records the command as it was typed
        assert str(tiny_run.parent).encode() not in (tiny_run / name).read_bytes(), name


def test_the_saved_configuration_is_resolved_and_runs_again_to_the_same_weights(
    cli: Callable[..., Outcome], tiny_run: Path, tmp_path: Path
) -> None:
    config = load_config(str(tiny_run / "config.yaml"))
    assert (config.data.limit, config.training.epochs, config.model.hidden_dim) == (60, 1, 8)
    outcome = cli("train", "--config", tiny_run / "config.yaml", "--output", "again", "--quiet")
    assert outcome == Outcome(0, "", "")
    assert (tmp_path / "again" / "config.yaml").read_bytes() == (tiny_run / "config.yaml").read_bytes()
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (tiny_run / "model.safetensors").read_bytes()


def test_a_run_on_a_file_works_from_another_folder_and_moved(
    cli: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(tmp_path / "reviews.csv", review_rows())
    cli("config", "copy", "sample", "mine.yaml")
    command = ("train", "--config", "mine.yaml", *TINY[5:], "--set", "data.source=reviews.csv", "--output", "run")
    assert cli(*command) == Outcome(0, "", "")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(tmp_path / "run", elsewhere / "moved")
    monkeypatch.chdir(elsewhere)
    assert cli("predict", "--model", "moved", "a good film").code == 0
    evaluation = cli("evaluate", "moved", "--json", "--quiet")
    assert (evaluation.code, evaluation.err) == (0, "")
    assert json.loads(evaluation.out)["num_reviews"] == 4


def test_without_quiet_results_are_on_stdout_and_the_rest_on_stderr(
    cli: Callable[..., Outcome], tmp_path: Path
) -> None:
    write_csv(tmp_path / "a.csv", review_rows())
    command = ("train", *TINY[1:3], *TINY[5:7], *TINY[8:], "--data", "a.csv", "--output", "run")
    outcome = cli(*command)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0].startswith("all 1 epochs done; kept epoch 1: validation accuracy ")
    assert lines[1:] == ["run"]
    assert "text column 'text', label column 'label' (guessed" in outcome.err
    for words in (
        "epoch 1/1  train loss",
        "tokenizer  ",
        "recurrent.forwards.0",
        "next: sentiment-lstm evaluate run\n",
    ):
        assert words in outcome.err
    assert "\r" not in outcome.err, "bars are for terminals"


def test_the_default_output_is_a_new_folder_under_runs_and_the_newest_is_found(
    cli: Callable[..., Outcome], tmp_path: Path
) -> None:
    assert cli(*TINY) == Outcome(0, "", "")
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("sample-")
    shutil.copytree(folder, tmp_path / "runs" / "older")
    os.utime(tmp_path / "runs" / "older" / "model.safetensors", (1, 1))
    assert cli("predict", "good").err.splitlines()[0] == f"model: runs/{folder.name}"


def test_a_dry_run_shows_the_table_and_writes_nothing(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = cli(*DRY, "--output", "run")
    assert (outcome.code, outcome.out) == (0, "")
    for words in ("train ", "validation ", "test ", "tokenizer", "parameters"):
        assert words in outcome.err
    assert list(tmp_path.iterdir()) == []
    assert cli(*DRY, "--quiet") == Outcome(0, "", "")


def test_a_folder_in_use_is_refused_and_kept_unless_forced(cli: Callable[..., Outcome], copied_run: Path) -> None:
    (copied_run / "notes.txt").write_text("mine")
    (copied_run / "evaluation").mkdir(exist_ok=True)
    (copied_run / "evaluation" / "metrics.json").write_text("{}")
    before = digest(copied_run)
    message = cli(*TINY, "--output", copied_run).error(2)
    assert "is not empty" in message
    assert "--force" in message
    assert digest(copied_run) == before
    assert cli(*TINY, "--output", copied_run, "--force", "--seed", "5") == Outcome(0, "", "")
    after = digest(copied_run)
    assert after["model.safetensors"] != before["model.safetensors"]
    assert after["notes.txt"] == b"mine"
    assert "evaluation/metrics.json" not in after or after["evaluation/metrics.json"] != b"{}"
    assert len(after["history.jsonl"].splitlines()) == 1


def test_an_empty_folder_is_used(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert cli(*TINY, "--output", "run") == Outcome(0, "", "")


@pytest.mark.parametrize("output", ["file", "file/run", "file/a/b"])
def test_an_output_that_is_or_lies_under_a_file_is_refused_before_data_is_read(
    cli: Callable[..., Outcome], output: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    assert "file is a file" in cli(*TINY, "--data", "gone.csv", "--output", output).error(2)
    assert (tmp_path / "file").read_text() == "mine"


def test_an_output_that_cannot_be_written_is_refused_before_data_is_read(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *arguments: False)  # permissions stop no root
    assert "is not writable" in cli(*TINY, "--data", "gone.csv", "--output", "run").error(2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "nonsense"), "section.key=value"),
        (("--set", "training.epoch=3"), "did you mean 'epochs'"),
        (("--set", "trainig.epochs=3"), "did you mean 'training'"),
        (("--set", "training.learning_rate=fast"), "training.learning_rate"),
        (("--epochs", "0"), "training.epochs: input should be greater than or equal to 1, not 0"),
        (("--limit", "0"), "data.limit"),
        (("--limit", "1"), "data.limit"),
        (("--seed", "-1"), "training.seed"),
        (("--max-time", "abc"), "--max-time 'abc' is not a duration such as 90s, 10m or 1h30m"),
        (("--max-time", ""), "--max-time ''"),
        (("--max-time", "0"), "--max-time '0'"),
        (("--data", ""), "data.source"),
        (("--data", "gone.csv"), "no data at"),
        (("--data", "sampel"), "did you mean 'sample'"),
        (("--test-data", "gone.csv"), "no data at"),
        (("--validation-data", "gone.csv"), "no data at"),
        (("--text-column", "txet"), "did you mean 'text'"),
        (("--label-column", "lable"), "did you mean 'label'"),
        (("--vectors", "gone.txt"), "cannot read the vectors"),
        (("--config", "sampel"), "did you mean 'sample'"),
        (("--config", "."), "is a folder"),
        (("--config", "gone.yaml"), "no configuration file at gone.yaml"),
    ],
)
def test_what_was_typed_wrong_exits_2_and_leaves_nothing(
    cli: Callable[..., Outcome], arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    assert words in cli(*TINY, "--output", "run", *arguments).error(2)
    assert list(tmp_path.iterdir()) == []


def test_a_cuda_device_that_is_not_there_exits_2(cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "sees no CUDA device" in cli(*TINY, "--set", "training.device=cuda").error(2)


def test_an_unknown_key_is_refused_before_any_data_is_read(cli: Callable[..., Outcome]) -> None:
    message = cli(*TINY, "--data", "gone.csv", "--set", "training.epoch=3").error(2)
    assert "did you mean 'epochs'" in message
    assert "gone.csv" not in message


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "is empty"),
        ([f"film {n},yes" for n in range(40)], "only the label 'yes'"),
        (["  ,yes", " ,no"] * 20, "no labelled review with a text"),
        ([f"film {n}," for n in range(40)], "no labelled review"),
        ([f"film {n},{n}" for n in range(40)], "no label has a review to spare"),
        ([*review_rows(), "too,many,fields"], "line 42"),
    ],
)
def test_what_a_file_holds_wrong_exits_1_and_leaves_nothing(
    cli: Callable[..., Outcome], rows: list[str], words: str, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "a.csv", rows)
    assert words in cli(*TINY, "--data", path, "--output", "run").error(1)
    assert list(tmp_path.iterdir()) == [path]


def test_odd_texts_are_trained_on(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    rows = [*review_rows(), "with \0 nul,yes", "   ,no", '"two\nlines",yes', "short row", "😀 映画,no"]
    write_csv(tmp_path / "a.csv", [*rows, '"' + "long word " * 1_000_000 + '",yes'])
    assert cli(*TINY, "--data", "a.csv", "--output", "run") == Outcome(0, "", "")
    reviews = json.loads((tmp_path / "run" / "meta.json").read_text())["reviews"]
    assert sum(sum(counts.values()) for counts in reviews.values()) <= 44


def test_vectors_of_another_size_are_refused_with_the_setting_that_fits(
    cli: Callable[..., Outcome], tmp_path: Path
) -> None:
    (tmp_path / "vectors.txt").write_text("good 1 2 3\n")
    assert "--set model.embedding_dim=3" in cli(*TINY, "--vectors", "vectors.txt").error(2)
    (tmp_path / "vectors.txt").write_text("good 1 2 3 4 5 6 7 nan\n")
    assert "line 1" in cli(*TINY, "--vectors", "vectors.txt").error(1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2h", 7200), ("45", 45), ("1.5m", 90), (" 1H ", 3600)],
)
def test_a_duration_is_read_as_it_is_said(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "abc", "0", "0s", "-5", "5d", "1m1h", "1 h", "nan", "inf"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        parse_duration(text)


def test_training_stops_when_its_time_is_up(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    command = [part for part in TINY if part not in ("--epochs", "1")]
    outcome = cli(*command, "--epochs", "1000", "--max-time", "0.05", "--output", "run")
    assert outcome == Outcome(0, "", "")
    assert "time limit" in json.loads((tmp_path / "run" / "metrics.json").read_text())["stop_reason"]


def test_a_termination_while_training_keeps_the_best_model(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    append = files.append_line

    def append_and_terminate(path: Path, value: dict) -> None:
        append(path, value)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(files, "append_line", append_and_terminate)
    message = cli(*TINY, "--epochs", "1000", "--output", "run").error(143)
    assert message == (
        "error: interrupted after epoch 1; the model of epoch 1 is kept in run; "
        "go on with: sentiment-lstm train --resume run\n"
    )
    assert cli("predict", "--model", "run", "good").code == 0


@pytest.mark.parametrize("moment", ["save_weights", "append_line"])
def test_an_interruption_at_the_worst_moment_still_leaves_a_model(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    module = files if moment == "append_line" else archive
    own = getattr(module, moment)
    calls: list[object] = []

    def interrupted_once(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyboardInterrupt
        own(*arguments)

    monkeypatch.setattr(module, moment, interrupted_once)
    message = cli(*TINY, "--output", "run").error(130)
    assert "is kept in run" in message
    assert cli("predict", "--model", "run", "good").code == 0


def poison(monkeypatch: pytest.MonkeyPatch, from_step: int) -> None:
    """Make the loss not a number from an optimiser step on."""
    build = experiments.build_objective
    steps = iter(range(1, 10**6))

    def poisoned(*arguments: object) -> Callable[..., Loss]:
        objective = build(*arguments)  # type: ignore[arg-type]

        def call(*batch: object) -> Loss:
            loss = objective(*batch)  # type: ignore[arg-type]
            return loss if next(steps) < from_step else Loss(loss.total * float("nan"), loss.count, loss.parts)

        return call

    monkeypatch.setattr(experiments, "build_objective", poisoned)


@pytest.mark.parametrize(("epochs", "kept"), [("1", "the model of the last good step"), ("3", "the model of epoch 1")])
def test_a_loss_that_is_not_finite_stops_before_the_step_and_keeps_the_last_good_model(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, epochs: str, kept: str, tmp_path: Path
) -> None:
    poison(monkeypatch, 2 if epochs == "3" else 1)
    message = cli(*TINY, "--set", "training.gradient_clip=null", "--epochs", epochs, "--output", "run").error(1)
    step = 2 if epochs == "3" else 1
    for words in (f"not finite at step {step} ", "learning rate 0.004", "gradient norm nan", f"{kept} is kept in run"):
        assert words in message
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["stop_reason"] == "failed"
    weights = archive.load_weights(tmp_path / "run" / "model.safetensors")
    assert all(bool(torch.isfinite(tensor).all()) for tensor in weights.values())
    assert cli("predict", "--model", "run", "good").code == 0


def test_a_full_disk_names_the_file_and_ends_the_run(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    message = cli(*TINY, "--output", "run").error(1)
    assert "cannot write run/config.yaml" in message
    assert "No space left on device; make room" in message
    assert not Path("run").exists(), "no half file stays, nor an empty folder"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB: the description of a tiny run fits, its weights do not."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, text=True)
    if mount.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_fills_up_ends_the_run_in_one_line(cli: Callable[..., Outcome], small_disk: Path) -> None:
    message = cli(*TINY, "--set", "model.embedding_dim=256", "--output", small_disk / "run").error(1)
    assert "No space left on device" in message
    assert "model.safetensors" in message
    assert not list((small_disk / "run").glob(".*")), "no half file stays"


def test_settings_are_repeatable_and_kept(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    command = (*TINY, "--set", "training.batch_size=7", "--set", "training.batch_size=9", "--output", "run")
    assert cli(*command) == Outcome(0, "", "")
    saved = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (saved["training"]["batch_size"], saved["model"]["hidden_dim"]) == (9, 8)


def test_what_is_cheap_to_find_is_warned_of_in_a_line_each(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    write_csv(tmp_path / "reviews.csv", [*review_rows(40), *review_rows(8), "a good film 1,no"])
    command = ("train", "--config", "sample", "--data", "reviews.csv", "--epochs", "1")
    outcome = cli(*command, "--output", "run")
    assert outcome.code == 0
    assert "repeat an earlier one" in outcome.err
    assert "1 text has different labels in different rows" in outcome.err
    assert cli(*command, "--quiet", "--output", "quiet").err == ""


def test_reviews_are_read_whole_in_segments(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    settings = ("tokenizer.max_length=null", "model.segment_length=10", "training.crop_tokens=15")
    whole = [part for setting in settings for part in ("--set", setting)]
    assert "truncated  none: reviews are read whole" in cli(*DRY, *whole).err
    assert cli(*TINY, *whole, "--output", "run").code == 0
    texts = ("good " * 500, "good " * 500 + "bad " * 9)
    outcome = cli("predict", "--model", "run", "--format", "json", *texts)
    answers = [json.loads(line) for line in outcome.out.splitlines()]
    assert [(answer["num_tokens"], answer["truncated"]) for answer in answers] == [(500, False), (509, False)]
    assert answers[0]["score"] != answers[1]["score"], "the end is read too"


def test_a_batch_is_learnt_by_heart_without_what_hinders_it(cli: Callable[..., Outcome]) -> None:
    bare = ("model.num_layers=2", "model.ngrams=1", "training.learning_rate=0.02", "training.schedule=constant")
    hindrances = (
        *("model.word_dropout=0.5", "model.embedding_dropout=0.5", "model.layer_dropout=0.5"),
        *("model.recurrent_dropout=0.5", "model.output_dropout=0.5", "model.ngram_dropout=0.5"),
        *("training.crop_tokens=1", "training.weight_averaging=0.9", "training.max_seconds=0.000001"),
        *("training.schedule=one_cycle", "training.warmup_share=0.9"),
    )

    def learn(*settings: str) -> Outcome:
        options = [part for setting in settings for part in ("--set", setting)]
        return cli(*TINY, *options, "--overfit-batch", "4")

    known = learn(*bare)
    assert known.code == 0
    assert learn(*bare, *hindrances) == known  # to every loss on the way
