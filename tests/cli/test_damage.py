"""Run folders that are damaged, incomplete, foreign or hostile: refused in one line, never executed."""

from __future__ import annotations

import json
import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from conftest import Outcome
from safetensors.torch import load, save

FILES = ("config.yaml", "tokenizer.json", "model.safetensors", "labels.json", "meta.json")


def refusal(cli: Callable[..., Outcome], run: Path, name: str) -> str:
    message = cli("predict", "--model", run, "good").error(1)
    assert str(run) in message
    assert name in message
    return message


@pytest.mark.parametrize("name", FILES)
def test_an_incomplete_folder_names_what_is_missing(cli: Callable[..., Outcome], copied_run: Path, name: str) -> None:
    (copied_run / name).unlink()
    assert f"it has no {name}" in refusal(cli, copied_run, name)
    (copied_run / name).mkdir()
    assert f"it has no {name}" in refusal(cli, copied_run, name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\xff\xfe", b"{", b"[]", b"null", b"[1, 2]"])
def test_a_file_that_holds_something_else_is_named(
    cli: Callable[..., Outcome], copied_run: Path, name: str, content: bytes
) -> None:
    (copied_run / name).write_bytes(content)
    refusal(cli, copied_run, name)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_in_the_middle_is_named(cli: Callable[..., Outcome], copied_run: Path, name: str) -> None:
    content = (copied_run / name).read_bytes()
    (copied_run / name).write_bytes(content[: len(content) // 2])
    refusal(cli, copied_run, name)


def test_any_flipped_bit_of_the_weights_is_noticed(cli: Callable[..., Outcome], copied_run: Path) -> None:
    path = copied_run / "model.safetensors"
    content = path.read_bytes()
    places = random.Random(0)
    header = int.from_bytes(content[:8], "little")
    assert len(content) > 2 * header
    for place in [*places.sample(range(8 + header), 25), *places.sample(range(8 + header, len(content)), 25)]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << places.randrange(8)
        path.write_bytes(damaged)
        refusal(cli, copied_run, "model.safetensors")


def test_any_flipped_byte_of_the_tokenizer_is_noticed_or_harmless(
    cli: Callable[..., Outcome], copied_run: Path
) -> None:
    path = copied_run / "tokenizer.json"
    content = path.read_bytes()
    before = cli("predict", "--model", copied_run, "--format", "json", "a good film")
    places = random.Random(0)
    refused = 0
    for place in places.sample(range(len(content)), 40):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        outcome = cli("predict", "--model", copied_run, "--format", "json", "a good film")
        if outcome != before:
            assert "tokenizer.json" in outcome.error(1)
            refused += 1
    assert refused >= 10


def test_the_tokenizer_of_another_run_is_refused(cli: Callable[..., Outcome], copied_run: Path) -> None:
    path = copied_run / "tokenizer.json"
    path.write_text(path.read_text().replace('"good"', '"goof"'))
    assert "another run's" in refusal(cli, copied_run, "tokenizer.json")


@pytest.mark.parametrize("change", [{"hidden_dim": 16}, {"kind": "rnn"}, {"num_layers": 2}, {"bidirectional": True}])
def test_weights_of_another_architecture_are_refused(
    cli: Callable[..., Outcome], copied_run: Path, change: dict
) -> None:
    path = copied_run / "config.yaml"
    values = yaml.safe_load(path.read_text())
    values["model"].update(change)
    path.write_text(yaml.safe_dump(values))
    assert "holds another model than config.yaml says" in refusal(cli, copied_run, "model.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(cli: Callable[..., Outcome], copied_run: Path, value: float) -> None:
    path = copied_run / "model.safetensors"
    weights = load(path.read_bytes())
    weights["output.bias"][0] = value
    path.write_bytes(save(weights))
    assert "not finite" in refusal(cli, copied_run, "model.safetensors")


def test_weights_that_something_else_wrote_are_refused(cli: Callable[..., Outcome], copied_run: Path) -> None:
    path = copied_run / "model.safetensors"
    path.write_bytes(save({"encoder.weight": torch.zeros(3)}))
    assert "encoder.weight" in refusal(cli, copied_run, "model.safetensors")
    path.write_bytes(save({}))
    refusal(cli, copied_run, "model.safetensors")


@pytest.mark.parametrize("labels", [[], ["one"], ["same", "same"], [1, 2], {"a": 1}, ["a", "b", "c"]])
def test_labels_that_fit_no_model_are_refused(cli: Callable[..., Outcome], copied_run: Path, labels: object) -> None:
    (copied_run / "labels.json").write_text(json.dumps(labels))
    cli("predict", "--model", copied_run, "good").error(1)


def test_an_unknown_key_in_a_saved_configuration_is_a_fault_of_the_file(
    cli: Callable[..., Outcome], copied_run: Path
) -> None:
    path = copied_run / "config.yaml"
    path.write_text(path.read_text() + "extra: 1\n")
    assert "unknown key 'extra'" in refusal(cli, copied_run, "config.yaml")


class Bomb:
    """Leaves a file behind wherever it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("write", [lambda bomb, path: path.write_bytes(pickle.dumps(bomb)), torch.save])
def test_a_pickle_in_disguise_is_refused_and_not_run(
    cli: Callable[..., Outcome], copied_run: Path, tmp_path: Path, name: str, write: Callable[..., object]
) -> None:
    canary = tmp_path / "canary"
    write(Bomb(canary), copied_run / name)
    refusal(cli, copied_run, name)
    assert not canary.exists()
    pickle.loads(pickle.dumps(Bomb(canary)))
    assert canary.exists(), "the bomb itself works"


def test_yaml_that_asks_for_code_is_refused_and_not_run(
    cli: Callable[..., Outcome], copied_run: Path, tmp_path: Path
) -> None:
    (copied_run / "config.yaml").write_text(f"!!python/object/apply:os.mkdir [{tmp_path / 'canary'}]\n")
    refusal(cli, copied_run, "config.yaml")
    assert not (tmp_path / "canary").exists()
