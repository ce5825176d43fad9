"""Run folders that are damaged, incomplete, foreign or hostile: refused in one line, never executed."""

from __future__ import annotations

import json
import os
import pickle
import random
import resource
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import yaml
from conftest import Outcome
from safetensors.torch import load, save

import sentiment_lstm
from sentiment_lstm.errors import ArchiveError
from sentiment_lstm.inference.archive import _digest, load_archive

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
def test_a_file_that_was_cut_is_named(cli: Callable[..., Outcome], copied_run: Path, name: str) -> None:
    content = (copied_run / name).read_bytes()
    (copied_run / name).write_bytes(content[: len(content) // 3])
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


@pytest.mark.parametrize(("name", "old", "new"), [
    ("labels.json", "positive", "qositive"), ("config.yaml", "max_length: 64", "max_length: 60"),
    ("config.yaml", "truncation: head_tail", "truncation: head"), ("config.yaml", "pooling: max", "pooling: mean"),
])  # fmt: skip
def test_a_change_that_fits_is_noticed_too(
    cli: Callable[..., Outcome], copied_run: Path, name: str, old: str, new: str
) -> None:
    path = copied_run / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert "is not what the run was trained with" in refusal(cli, copied_run, name)


def test_where_the_data_lies_may_be_changed(cli: Callable[..., Outcome], copied_run: Path) -> None:
    path = copied_run / "config.yaml"
    path.write_text(path.read_text().replace("source: sample", "source: imdb").replace("epochs: 1", "epochs: 2"))
    assert cli("predict", "--model", copied_run, "good").code == 0


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


def refused_at_once(run: Path, name: str) -> str:
    """Loaded without the command line, and within a second."""
    started = time.perf_counter()
    with pytest.raises(ArchiveError) as caught:
        load_archive(run)
    assert time.perf_counter() - started < 1
    assert str(run / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_weights_cut_at_any_kibibyte_are_refused(copied_run: Path) -> None:
    path = copied_run / "model.safetensors"
    content = path.read_bytes()
    assert len(content) > 8 * 1024
    for size in [*range(0, len(content), 1024), len(content) - 1]:
        path.write_bytes(content[:size])
        refused_at_once(copied_run, "model.safetensors")
    path.write_bytes(content + b"\0")
    refused_at_once(copied_run, "model.safetensors")
    path.write_bytes(content)
    load_archive(copied_run)


@pytest.mark.parametrize("name", FILES)
def test_a_terabyte_under_the_name_of_a_file_is_refused_before_it_is_read(copied_run: Path, name: str) -> None:
    os.truncate(copied_run / name, 2**40)
    assert "bytes, where" in refused_at_once(copied_run, name)


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_under_the_name_of_a_file_is_not_waited_for(copied_run: Path, name: str) -> None:
    (copied_run / name).unlink()
    os.mkfifo(copied_run / name)
    with pytest.raises(ArchiveError, match=f"it has no {name}"):
        load_archive(copied_run)
    (copied_run / name).unlink()
    (copied_run / name).symlink_to("/dev/zero")
    with pytest.raises(ArchiveError, match=f"it has no {name}"):
        load_archive(copied_run)


def test_a_configuration_that_asks_for_a_hundred_gigabytes_takes_none(copied_run: Path) -> None:
    path = copied_run / "config.yaml"
    values = yaml.safe_load(path.read_text())
    values["model"].update(hidden_dim=8192, num_layers=16, embedding_dim=4096, bidirectional=True)
    path.write_text(yaml.safe_dump(values))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "holds another model than config.yaml says" in refused_at_once(copied_run, "model.safetensors")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


@pytest.mark.parametrize("length", [0, 1, 2**20 + 1, 2**31, 2**63, 2**64 - 1])
def test_a_header_that_lies_about_its_length_is_refused(copied_run: Path, length: int) -> None:
    path = copied_run / "model.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    refused_at_once(copied_run, "model.safetensors")


@pytest.mark.parametrize(
    "lie",
    [
        {"data_offsets": [0, 2**50]},
        {"data_offsets": [8, 0]},
        {"data_offsets": None},
        {"shape": [2**40]},
        {"shape": []},
        {"shape": ["../x"]},
        {"dtype": "F64"},
        {"dtype": "I32"},
        {"dtype": "../x"},
    ],
)
def test_a_header_that_lies_about_a_tensor_is_refused(copied_run: Path, lie: dict) -> None:
    path = copied_run / "model.safetensors"
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["output.bias"].update(lie)
    lying = json.dumps(header).encode()
    path.write_bytes(len(lying).to_bytes(8, "little") + lying + content[8 + length :])
    refused_at_once(copied_run, "model.safetensors")


def test_weights_too_large_to_compute_with_are_refused_however_they_are_signed(copied_run: Path) -> None:
    path = copied_run / "model.safetensors"
    weights = load(path.read_bytes())
    weights["output.weight"][:] = 1e38
    path.write_bytes(save(weights, {"sha256": _digest(weights)}))
    assert "not finite" in refused_at_once(copied_run, "model.safetensors")


@pytest.mark.parametrize("name", ["labels.json", "meta.json", "tokenizer.json"])
@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000, "9" * 5_000, "[1e999, NaN]", '["a", "\\ud800"]'])
def test_json_of_a_strange_kind_is_refused(copied_run: Path, name: str, content: str) -> None:
    (copied_run / name).write_text(content)
    refused_at_once(copied_run, name)


BILLION_LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{after}: &{after} [*{own}, *{own}]\n" for own, after in pairwise("abcdefghijklmnopqrstuvwxyz")
)


@pytest.mark.parametrize(
    "content",
    [
        "[" * 60_000,
        "- " * 30_000,
        BILLION_LAUGHS,
        "data: &a {source: *a}\n",
        "data: 2001-99-99\n",
        "data: !!timestamp x\n",
        "data: !!int ''\n",
        "data: " + "9" * 5_000 + "\n",
        "? {}\n",
        "".join(f"key{n}: 1\n" for n in range(4_000)),
        "model: {vectors: ['../../x']}\n",
    ],
    ids=str.__len__,
)
def test_yaml_of_a_strange_kind_is_refused_in_one_line_that_can_be_read(copied_run: Path, content: str) -> None:
    (copied_run / "config.yaml").write_text(content)
    with pytest.raises(ArchiveError) as caught:
        load_archive(copied_run)
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


def test_a_configuration_that_names_files_and_classes_makes_predict_open_none(copied_run: Path) -> None:
    path = copied_run / "config.yaml"
    values = yaml.safe_load(path.read_text())
    pipe = copied_run.parent / "pipe.csv"
    os.mkfifo(pipe)  # whoever opened it would wait for ever
    values["data"].update(source=str(pipe), test_data=str(pipe), validation_data="../../etc/passwd")
    values["model"]["vectors"] = str(pipe)
    path.write_text(yaml.safe_dump(values))
    sentiment_lstm.load(copied_run).predict(["good"])
    values["model"]["kind"] = "os.system"
    path.write_text(yaml.safe_dump(values))
    assert "'lstm', 'cnn_lstm' or 'rnn'" in refused_at_once(copied_run, "config.yaml")


@pytest.mark.parametrize(
    "change",
    [
        {"normalizer": {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        {"normalizer": None},
        {
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"Regex": "((a{1000}){1000}){1000}"},
                "behavior": "Isolated",
                "invert": False,
            }
        },
        {"post_processor": {"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}},
        {"added_tokens": [{"id": 0, "content": "good", "special": True}]},
        {"truncation": {"max_length": 1, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}},
        {"model": {"type": "Unigram", "vocab": {"<pad>": 0, "<unk>": 1}}},
        {"model": {"type": "WordLevel", "vocab": {"<pad>": 0, "<unk>": 1, "good": 2**31}, "unk_token": "<unk>"}},
        {"model": {"type": "WordLevel", "vocab": {"<pad>": 0, "<unk>": 1, "good": 1}, "unk_token": "<unk>"}},
        {"model": {"type": "WordLevel", "vocab": {"<pad>": 0, "<unk>": 1, "good": 2.0}, "unk_token": "<unk>"}},
        {"model": {"type": "BPE", "vocab": {"<pad>": 0, "<unk>": 1}, "merges": [["../x", "y"]]}},
        {"extra": 1},
    ],
    ids=lambda change: json.dumps(change)[:40],
)
def test_a_tokenizer_with_steps_that_are_not_ours_is_refused(copied_run: Path, change: dict) -> None:
    path = copied_run / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    (copied_run / "meta.json").write_text("{}")
    assert "not made by sentiment-lstm" in refused_at_once(copied_run, "tokenizer.json")


def test_an_evaluation_folder_that_leads_elsewhere_is_not_written_to(
    cli: Callable[..., Outcome], copied_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (copied_run / "evaluation").symlink_to(tmp_path / "elsewhere")
    assert "leads out of the run folder" in cli("evaluate", copied_run).error(1)
    assert not list((tmp_path / "elsewhere").iterdir())
    (copied_run / "evaluation").unlink()
    (copied_run / "evaluation").mkdir()
    for name in ("metrics.json", "predictions.jsonl", "confusion.png"):
        (copied_run / "evaluation" / name).symlink_to(tmp_path / "elsewhere" / name)
    assert cli("evaluate", copied_run, "--quiet").code == 0
    assert not list((tmp_path / "elsewhere").iterdir())
