"""One student from several teachers: what it learns, what it learns it from, and how it goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome, run_main, write_csv
from safetensors.numpy import load_file
from test_resume import assert_equal_runs, interrupt  # noqa: F401

from sentiment_lstm import distillation
from sentiment_lstm.inference.predictor import load

MODEL = ("--set", "model.embedding_dim=8", "--set", "model.hidden_dim=8", "--set", "training.learning_rate=0.02")
MODEL += ("--set", "training.batch_size=4", "--set", "training.precision=fp32", "--quiet")


def rows(good: str = "good", bad: str = "bad", count: int = 240) -> list[str]:
    """Reviews of two sentences; every sixth one has no label."""
    return [
        f"I saw it with friend {n}. It is a {word} film!,{'' if n % 6 == 5 else label}"
        for n in range(count // 2)
        for word, label in ((good, "positive"), (bad, "negative"))
    ]


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``mine.csv``, two runs trained on it, and a contrary one, for which good is bad."""
    folder = tmp_path_factory.mktemp("teachers")
    write_csv(folder / "mine.csv", rows())
    write_csv(folder / "contrary.csv", rows(good="bad", bad="good"))
    for name, data, seed in (("a", "mine", 1), ("b", "mine", 2), ("contrary", "contrary", 3)):
        options = ("--data", folder / f"{data}.csv", "--epochs", "3", "--seed", seed, "--config", "sample")
        assert run_main("train", *options, *MODEL, "--output", folder / name) == Outcome(0, "", "")
    return folder


def meta_of(run: str) -> dict:
    return json.loads((Path(run) / "meta.json").read_text())["distillation"]


def test_a_student_answers_as_its_teacher_even_where_the_labels_say_otherwise(
    cli: Callable[..., Outcome], teachers: Path
) -> None:
    command = ("distill", teachers / "contrary", "--data", teachers / "mine.csv", "--epochs", "1", *MODEL)
    texts = [row.partition(",")[0] for row in rows()]
    own, taught, weighted = "own", "taught", "weighted"
    assert cli(*command, "--output", taught).code == 0
    assert cli(*command, "--label-weight", "1", "--no-unlabelled", "--output", weighted).code == 0
    assert cli("train", "--config", teachers / "a" / "config.yaml", "--epochs", "1", *MODEL, "--output", own).code == 0
    answers = {run: [own.label for own in load(run, "cpu").predict(texts)] for run in (own, taught, weighted)}
    teacher = [own.label for own in load(teachers / "contrary", "cpu").predict(texts)]
    assert answers[taught] == teacher
    assert answers[own] == answers[weighted] == ["negative" if label == "positive" else "positive" for label in teacher]
    assert meta_of(taught)["validation_accuracy"] == 0


def test_what_is_asked_is_what_the_data_has(cli: Callable[..., Outcome], teachers: Path, tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("Such a good film.\n\nSuch a bad film.\n")
    command = ("distill", teachers / "a", teachers / "b", "--epochs", "1", *MODEL)
    assert cli(*command, "--output", "all", "--sentences", "30", "--unlabelled-data", "more.txt").code == 0
    assert meta_of("all")["texts"] == {"labelled": 162, "unlabelled": 42, "sentences": 30}
    assert [own["run"] for own in meta_of("all")["teachers"]] == ["a", "b"]
    assert meta_of("all")["validation_accuracy"] == 1
    stored = load_file("all/teachers.safetensors")
    assert stored["logits"].shape == (234, 2)
    assert cli(*command, "--output", "labelled", "--no-unlabelled").code == 0
    assert meta_of("labelled")["texts"] == {"labelled": 162, "unlabelled": 0, "sentences": 0}
    assert load_file("labelled/teachers.safetensors")["logits"].shape == (162, 2)
    table = cli(*(part for part in command if part != "--quiet"), "--output", "loud").err
    assert "2, asked about 162 labelled, 40 unlabelled" in table


def test_resumed_without_teachers_equals_uninterrupted(
    cli: Callable[..., Outcome],
    teachers: Path,
    tmp_path: Path,
    interrupt: Callable[..., None],  # noqa: F811
) -> None:
    shutil.copytree(teachers / "a", "teacher")
    command = ("distill", "teacher", "--epochs", "2", "--sentences", "10", "--temperature", "2", *MODEL)
    command += ("--counterfactuals", "20")
    command += ("--label-weight", "0.3", "--set", "model.word_dropout=0.1", "--set", "training.sentences_per_review=1")
    assert cli(*command, "--output", "whole").code == 0
    assert meta_of("whole")["counterfactuals"]["texts"] == 20
    assert meta_of("whole")["texts"] == {"labelled": 162, "unlabelled": 40, "sentences": 10, "parts": 2}
    for step in (2, 17):
        run = tmp_path / f"resumed-{step}"
        interrupt(step)
        message = cli(*command, "--output", run).error(130)
        assert f"go on with: sentiment-lstm distill --resume {run}" in message
        interrupt(0)
        shutil.move("teacher", "gone")
        assert cli("distill", "--resume", run, "--quiet") == Outcome(0, "", "")
        shutil.move("gone", "teacher")
        assert_equal_runs(tmp_path / "whole", run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sentiment_lstm.data.patterns.CONTRAST", ("{a} but {b}.",))
        assert "counterfactuals" in cli("distill", "--resume", "whole", "--quiet").error(2)
    shutil.rmtree("whole/checkpoints")
    shutil.rmtree("teacher")
    assert cli("train", "--resume", "whole", "--quiet") == Outcome(0, "", ""), "from the beginning, from what it keeps"
    assert_equal_runs(tmp_path / "whole", tmp_path / "resumed-2")


def test_answers_that_are_damaged_or_anothers_are_refused(
    cli: Callable[..., Outcome], teachers: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        assert cli("distill", teachers / name, "--epochs", "1", *MODEL, "--output", name).code == 0
    path = tmp_path / "a" / "teachers.safetensors"
    whole = path.read_bytes()
    for damaged in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:50], b"", b"x" * 100):
        path.write_bytes(damaged)
        message = cli("distill", "--resume", "a", "--epochs", "2", "--quiet").error(1)
        assert "the teachers' answers, cannot be read" in message
    path.unlink()
    assert "it is missing" in cli("distill", "--resume", "a", "--quiet").error(1)
    shutil.copy("b/teachers.safetensors", path)
    assert "cannot resume a: teachers" in cli("distill", "--resume", "a", "--quiet").error(2)
    path.write_bytes(whole)
    message = cli("distill", "--resume", "a", "--quiet", "--no-unlabelled").error(2)
    assert "distillation.unlabelled" in message
    assert "distillation.temperature" in cli("distill", "--resume", "a", "--quiet", "--temperature", "3").error(2)
    assert cli("distill", "--resume", "a", "--quiet").code == 0


def test_interrupted_while_the_teachers_answer_nothing_is_left(
    cli: Callable[..., Outcome], teachers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = distillation.ask

    def interrupted(*arguments: object) -> object:
        os.kill(os.getpid(), signal.SIGTERM)
        return own(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(distillation, "ask", interrupted)
    cli("distill", teachers / "a", *MODEL, "--output", "run").error(143)
    assert not Path("run").exists()


def test_a_teacher_that_may_have_seen_the_validation_reviews_is_named(
    cli: Callable[..., Outcome], teachers: Path
) -> None:
    command = ("distill", teachers / "a", "--epochs", "1", *(part for part in MODEL if part != "--quiet"))
    warning = "it may have seen the validation reviews"
    assert warning not in cli(*command, "--output", "same").err
    assert warning in cli(*command, "--output", "other", "--set", "data.split_seed=4").err


@pytest.mark.parametrize(("arguments", "code", "words"), [
    ((), 2, "no teacher: name one or more runs"),
    (("--config", "sample"), 2, "no teacher: sample has none"),
    (("gone",), 2, "no run at gone"),
    (("A", "gone"), 2, "no run at"),
    (("A", "--data", "foreign.csv"), 2, "answers with negative, positive, and the training reviews' labels are x, y"),
    (("A", "--data", "sample", "--unlabelled"), 1, "sample holds no review without a label"),
    (("A", "--unlabelled-data", "gone.txt"), 2, "no data at"),
    (("A", "--data", "foreign2.csv", "--sentences", "3"), 1, "no training text has two sentences"),
    (("A", "--data", "foreign.csv", "--counterfactuals", "3"), 2, "needs the labels positive and negative"),
    (("A", "--data", "sure.csv", "--counterfactuals", "3"), 1, "none could be negated or joined"),
    (("A", "--temperature", "0"), 2, "distillation.temperature"),
    (("A", "--label-weight", "2"), 2, "distillation.label_weight"),
    (("A", "--set", "training.label_smoothing=0.1"), 2, "which distillation.teachers replace"),
    (("A", "--set", "training.class_weights=balanced"), 2, "which distillation.teachers replace"),
    (("A", "A", "--resume"), 2, "leave out --output, --force and teachers"),
    (("A", "--resume"), 2, "has no teachers: go on with train --resume"),
])  # fmt: skip
def test_bad_input_is_one_line(
    cli: Callable[..., Outcome], teachers: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    write_csv(tmp_path / "foreign.csv", ["good,x", "bad,y"] * 10)
    write_csv(tmp_path / "sure.csv", ["It is a good film!,positive", "It is a good film!,negative"] * 10)
    write_csv(
        tmp_path / "foreign2.csv",
        [f"a {word} film {n},{label}" for n in range(9) for word, label in (("good", "positive"), ("bad", "negative"))],
    )
    named = [teachers / "a" if part == "A" else part for part in arguments]
    output = () if "--resume" in arguments else ("--output", "run")
    assert words in cli("distill", *named, *output, "--quiet").error(code)
    assert not Path("run").exists()
    assert not Path("runs").exists()


def test_torchrun_and_a_language_model_are_refused(
    cli: Callable[..., Outcome], teachers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ("--set", "model.embedding_dim=8", "--set", "model.hidden_dim=8", "--set", "pretraining.streams=4")
    pretrain = ("pretrain", "--data", teachers / "mine.csv", "--epochs", "1", *model)
    assert cli(*pretrain, "--output", "lm", "--quiet").code == 0
    assert "is a language model" in cli("distill", teachers / "a", "lm", "--quiet", "--output", "run").error(2)
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert "torchrun is for train alone" in cli("distill", teachers / "a", "--output", "run").error(2)
    taught = ("--set", f"distillation.teachers=[{teachers / 'a'}]")
    message = cli("train", "--config", "sample", *taught, "--output", "run").error(2)
    assert "is trained by one process" in message
    assert not Path("run").exists()
