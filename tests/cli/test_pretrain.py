"""From text without labels to a classifier that starts from it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Outcome, review_rows, run_main, write_csv
from safetensors.torch import load_file
from test_resume import SMALL, assert_equal_runs

from sentiment_lstm.training.pretrainer import Pretrainer

TINY_MODEL = ("pretrain", "--data", "sample", "--limit", "200", "--quiet", "--epochs", "2")
for setting in (
    *("model.embedding_dim=8", "model.hidden_dim=12", "pretraining.streams=4", "pretraining.window=16"),
    *("pretraining.sampled_words=50", "training.learning_rate=0.01"),
):
    TINY_MODEL += ("--set", setting)


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lm") / "run"
    assert run_main(*TINY_MODEL, "--output", folder) == Outcome(0, "", "")
    return folder


def test_a_language_model_is_a_run_folder_that_no_one_mistakes(
    cli: Callable[..., Outcome], language_model: Path
) -> None:
    names = {path.name for path in language_model.iterdir()}
    assert names >= {"config.yaml", "tokenizer.json", "model.safetensors", "meta.json", "history.jsonl", "metrics.json"}
    history = [json.loads(line) for line in (language_model / "history.jsonl").read_text().splitlines()]
    assert history[-1]["validation_loss"] < history[0]["validation_loss"]
    for command in (("predict", "--model", language_model, "good"), ("evaluate", language_model)):
        message = cli(*command).error(2)
        assert f"is a language model: train --init {language_model}" in message


@pytest.mark.parametrize("step", [3, 60])
def test_interrupted_and_resumed_equals_uninterrupted(
    cli: Callable[..., Outcome], language_model: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    own, calls = Pretrainer.compute_gradient, iter(range(1, 10**6))

    def interrupted(trainer: Pretrainer, group: list) -> list[float]:
        if next(calls) == step:
            os.kill(os.getpid(), signal.SIGINT)
        return own(trainer, group)

    with monkeypatch.context() as patch:
        patch.setattr(Pretrainer, "compute_gradient", interrupted)
        message = cli(*TINY_MODEL, "--output", "run").error(130)
    assert "go on with: sentiment-lstm pretrain --resume run" in message
    assert cli("pretrain", "--resume", "run", "--quiet") == Outcome(0, "", "")
    assert_equal_runs(language_model, Path("run"))


def test_a_classifier_starts_from_its_words_and_weights(cli: Callable[..., Outcome], language_model: Path) -> None:
    slow = ("--set", "training.learning_rate=1e-30")
    assert cli(*SMALL, "--init", language_model, *slow, "--epochs", "1", "--output", "run").code == 0
    there, here = (load_file(folder / "model.safetensors") for folder in (language_model, Path("run")))
    for name in ("embedding.weight", "recurrent.forwards.0.weight_hh_l0"):
        torch.testing.assert_close(here[name], there[name], atol=1e-6, rtol=0)
    assert Path("run/tokenizer.json").read_bytes() == (language_model / "tokenizer.json").read_bytes()
    meta = json.loads(Path("run/meta.json").read_text())
    assert meta["taken_over"] == ["recurrent.forwards.0", "embedding"]
    assert cli("predict", "--model", "run", "good").code == 0
    assert cli(*SMALL, "--init", "run", "--epochs", "1", "--output", "again").code == 0, "a classifier will do as well"


def test_what_was_read_backward_becomes_the_layers_that_read_backward(cli: Callable[..., Outcome]) -> None:
    assert cli(*TINY_MODEL, "--backward", "--output", "backward").code == 0
    slow = ("--set", "training.learning_rate=1e-30")
    assert cli(*SMALL, "--init", "backward", *slow, "--epochs", "1", "--output", "run").code == 0
    there, here = load_file("backward/model.safetensors"), load_file("run/model.safetensors")
    name = "recurrent.{}.0.weight_hh_l0"
    torch.testing.assert_close(here[name.format("backwards")], there[name.format("forwards")], atol=1e-6, rtol=0)


def test_two_language_models_of_the_same_words_are_both_directions(
    cli: Callable[..., Outcome], language_model: Path
) -> None:
    assert cli(*TINY_MODEL, "--backward", "--init", language_model, "--output", "backward").code == 0
    slow = ("--set", "training.learning_rate=1e-30")
    assert cli(*SMALL, "--init", language_model, "--init", "backward", *slow, "--output", "run").code == 0
    ahead, behind = load_file(language_model / "model.safetensors"), load_file("backward/model.safetensors")
    here = load_file("run/model.safetensors")
    assert torch.equal(behind["embedding.weight"], ahead["embedding.weight"]), "the words stay as they are"
    name = "recurrent.{}.0.weight_hh_l0"
    for direction, there in (("forwards", ahead), ("backwards", behind)):
        torch.testing.assert_close(here[name.format(direction)], there[name.format("forwards")], atol=1e-6, rtol=0)
    assert json.loads(Path("run/meta.json").read_text())["taken_over"] == [
        *("recurrent.backwards.0", "recurrent.forwards.0", "embedding"),
    ]
    assert cli(*TINY_MODEL, "--backward", "--output", "other").code == 0
    message = cli(*SMALL, "--init", language_model, "--init", "other", "--output", "again").error(2)
    assert "other has other words than" in message


def test_pretraining_goes_on_from_another_language_model(cli: Callable[..., Outcome], language_model: Path) -> None:
    slow = ("--set", "training.learning_rate=1e-30")
    assert cli(*TINY_MODEL, "--init", language_model, *slow, "--output", "on").code == 0
    there, here = load_file(language_model / "model.safetensors"), load_file("on/model.safetensors")
    assert there.keys() == here.keys()
    for name in there:
        torch.testing.assert_close(here[name], there[name], atol=1e-6, rtol=0)


def test_one_that_reads_backward_goes_on_with_words_learnt_further(
    cli: Callable[..., Outcome], language_model: Path
) -> None:
    assert cli(*TINY_MODEL, "--backward", "--init", language_model, "--output", "behind").code == 0
    assert cli(*TINY_MODEL, "--init", language_model, "--output", "further").code == 0
    starts, slow = ("--init", "further", "--init", "behind"), ("--set", "training.learning_rate=1e-30")
    assert cli(*TINY_MODEL, "--backward", *starts, *slow, "--output", "on").code == 0
    further, behind, on = (load_file(f"{run}/model.safetensors") for run in ("further", "behind", "on"))
    assert not torch.equal(further["embedding.weight"], behind["embedding.weight"])
    assert torch.equal(on["embedding.weight"], further["embedding.weight"]), "the words of the first"
    for name in ("recurrent.forwards.0.weight_hh_l0", "projection.weight", "output_bias"):
        torch.testing.assert_close(on[name], behind[name], atol=1e-6, rtol=0)
    assert "behind has other words than" in cli(*SMALL, *starts, "--output", "run").error(2)


def test_taken_over_layers_learn_more_slowly_and_join_in_one_by_one(
    cli: Callable[..., Outcome], language_model: Path, tmp_path: Path
) -> None:
    gradual = ("--set", "training.gradual_unfreezing=true", "--set", "training.keep_checkpoints=9")
    gradual += ("--set", "training.schedule=constant", "--set", "training.init_rate=0.5")
    assert cli(*SMALL, "--init", language_model, *gradual, "--epochs", "3", "--output", "run").code == 0
    start = load_file(language_model / "model.safetensors")
    names = ("embedding.weight", "recurrent.forwards.0.weight_hh_l0")
    still = []
    for epoch in (2, 3, 4):
        state = load_file(tmp_path / "run" / "checkpoints" / f"epoch-{epoch:04}-step-000000" / "state.safetensors")
        still.append([torch.equal(state[f"model.{name}"], start[name]) for name in names])
    assert still == [[True, True], [True, False], [False, False]]


def test_sizes_that_differ_are_refused_by_name(cli: Callable[..., Outcome], language_model: Path) -> None:
    command = (*SMALL, "--set", f"model.init={language_model}", "--set", "model.hidden_dim=9")
    message = cli(*command, "--output", "run").error(2)
    assert "model.init does not fit: embedding.weight" in message or "recurrent.forwards.0" in message
    assert not Path("run").exists()


def test_words_of_another_kind_are_warned_about(cli: Callable[..., Outcome], language_model: Path) -> None:
    rows = [f"xyzzy{number} plugh{number} frotz{number},{number % 2}" for number in range(40)]
    write_csv(Path("own.csv"), rows)
    command = ("train", "--config", "sample", "--data", "own.csv", "--epochs", "1", "--init", language_model)
    outcome = cli(*command, "--output", "run")
    assert outcome.code == 0
    assert "100% of the words are unknown to" in outcome.err


def test_few_reviews_get_more_epochs(cli: Callable[..., Outcome]) -> None:
    asked = ("--set", "training.min_steps=9", "--set", "training.batch_size=16", "--quiet")
    command = ("train", "--config", "sample", "--limit", "90", *asked)  # 81 to train on: 5 steps an epoch or more
    for arguments, epochs in (((), 2), (("--epochs", "1"), 1)):
        assert cli(*command, "--set", "training.epochs=1", *arguments, "--output", f"run{epochs}").code == 0
        assert len(Path(f"run{epochs}/history.jsonl").read_text().splitlines()) == epochs
    assert cli("train", "--resume", "run2", "--epochs", "3", "--quiet") == Outcome(0, "", "")
    assert len(Path("run2/history.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(("arguments", "words"), [
    (("train", "--init", "shipped", "--vectors", "glove.txt"), "two beginnings for the same words"),
    (("pretrain", "--data", "nowhere.csv"), "no data at "),
    (("pretrain", "--set", "model.kind=rnn"), "a language model is an lstm"),
    (("pretrain", "--set", "training.auto_batch=true"), "lower pretraining.streams"),
    (("pretrain", "somewhere"), "takes --resume"),
    (("train", "--init", "nowhere"), "no run at nowhere"),
    (("pretrain", "--init", "nowhere"), "no run at nowhere"),
])  # fmt: skip
def test_bad_input_is_one_line(cli: Callable[..., Outcome], arguments: tuple[str, ...], words: str) -> None:
    assert words in cli(*arguments).error(2)


def test_any_text_will_do(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("a good film\n\nwhat a bad film it was\n" * 20)
    write_csv(tmp_path / "table.csv", review_rows(40))
    for name in ("lines.txt", "table.csv"):
        command = [name if part == "sample" else part for part in TINY_MODEL]
        assert cli(*command, "--output", f"run-{name}") == Outcome(0, "", "")
    (tmp_path / "one.txt").write_text("alone\n")
    command = ["one.txt" if part == "sample" else part for part in TINY_MODEL]
    assert "fewer than two texts" in cli(*command, "--output", "run").error(1)


def test_the_table_and_the_lines_speak_of_words(cli: Callable[..., Outcome]) -> None:
    outcome = cli(*[part for part in TINY_MODEL if part != "--quiet"], "--output", "run")
    assert outcome.code == 0
    assert "perplexity" in outcome.out
    for words in ("held out", "unknown", "words/s", "next: sentiment-lstm train --init run"):
        assert words in outcome.err


def test_a_convolution_takes_over_the_words_and_keeps_its_layers(
    cli: Callable[..., Outcome], language_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "conv.yaml").write_text("data: {source: sample}\nmodel: {kind: cnn_lstm, hidden_dim: 5}\n")
    command = ("train", "--config", "conv.yaml", "--limit", "60", "--epochs", "1", "--quiet", "--init", language_model)
    assert cli(*command, "--output", "run") == Outcome(0, "", "")
    weights, words = load_file(tmp_path / "run" / "model.safetensors"), load_file(language_model / "model.safetensors")
    assert weights["embedding.weight"].shape == words["embedding.weight"].shape
    assert weights["recurrent.forwards.0.weight_hh_l0"].shape == (20, 5)
    assert json.loads((tmp_path / "run" / "meta.json").read_text())["taken_over"] == ["embedding"]
