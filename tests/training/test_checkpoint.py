"""Checkpoints on disk: written last byte first to last, verified, the newest whole one used, the old ones forgotten."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path

import pytest
import torch

from sentiment_lstm.errors import ArchiveError, RunFailure
from sentiment_lstm.training import checkpoint
from sentiment_lstm.training.checkpoint import Checkpoints, differences

TENSORS = {"weights": torch.arange(6.0).reshape(2, 3), "step": torch.tensor(3.0), "random": torch.arange(9).byte()}
VALUES = {"loss": 0.1 + 0.2, "history": [{"epoch": 1}], "text": "é"}
FILES = ("state.safetensors", "state.json", "manifest.json")


def saved(run: Path, *positions: tuple[int, int], keep: int = 2, best: tuple[int, int] | None = None) -> Checkpoints:
    store = Checkpoints(run, keep)
    for position in positions:
        store.save(position, TENSORS, {**VALUES, "position": list(position)}, best)
    return store


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    saved(tmp_path, (1, 4))
    loaded = Checkpoints(tmp_path, 2).load_newest()
    assert loaded is not None
    assert loaded.values == {"format": 1, **VALUES, "position": [1, 4]}
    assert loaded.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(loaded.tensors[name], tensor)
        assert loaded.tensors[name].dtype == tensor.dtype


def test_the_last_ones_and_the_best_one_are_kept(tmp_path: Path) -> None:
    store = saved(tmp_path, (1, 5), (2, 0), (2, 5), (3, 0), (10, 0), keep=2, best=(2, 0))
    assert store.positions() == [(2, 0), (3, 0), (10, 0)]
    assert saved(tmp_path / "none", (1, 0), keep=0).positions() == []


def test_positions_are_in_the_order_of_training(tmp_path: Path) -> None:
    store = saved(tmp_path, (9999, 0), (10000, 0), (10000, 1000000), keep=9)
    assert store.positions() == [(9999, 0), (10000, 0), (10000, 1000000)]


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[:-3])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "flipped":
        path.write_bytes(
            content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]
        )
    elif how == "a folder":
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["missing", "cut", "empty", "flipped", "a folder"])
def test_a_damaged_one_is_passed_over_and_said_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, how: str
) -> None:
    saved(tmp_path, (1, 0), (2, 0))
    damage(tmp_path / "checkpoints" / "epoch-0002-step-000000" / name, how)
    with caplog.at_level(logging.WARNING):
        loaded = Checkpoints(tmp_path, 2).load_newest()
    assert loaded is not None
    assert loaded.values["position"] == [1, 0]
    assert "passed over" in caplog.text
    assert "epoch-0002-step-000000" in caplog.text


def test_where_all_are_damaged_it_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, (1, 0))
    damage(tmp_path / "checkpoints" / "epoch-0001-step-000000" / "state.json", "flipped")
    with pytest.raises(ArchiveError, match=r"no checkpoint in .* is whole: train again"):
        Checkpoints(tmp_path, 2).load_newest()
    assert Checkpoints(tmp_path / "nothing", 2).load_newest() is None


@pytest.mark.parametrize("manifest", [
    "[]", "{}", "null", '{"../state.json": {}}', '{"state.safetensors": 1, "state.json": 2}', "[" * 100_000, "\xff",
    '{"state.safetensors": {"bytes": 1e999, "sha256": null}, "state.json": {"bytes": "x"}}',
])  # fmt: skip
def test_a_manifest_of_anything_is_one_error(tmp_path: Path, manifest: str) -> None:
    store = saved(tmp_path, (1, 0))
    (tmp_path / "checkpoints" / "epoch-0001-step-000000" / "manifest.json").write_text(manifest, encoding="latin1")
    with pytest.raises(ArchiveError):
        store.load((1, 0))


def test_a_manifest_that_fits_files_of_another_kind_does_not_help_them(tmp_path: Path) -> None:
    store = saved(tmp_path, (1, 0))
    folder = tmp_path / "checkpoints" / "epoch-0001-step-000000"
    (folder / "state.safetensors").write_bytes(b"\x80\x04pickle")
    contents = {name: (folder / name).read_bytes() for name in FILES[:2]}
    manifest = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArchiveError):
        store.load((1, 0))


def test_pipes_and_terabytes_are_refused_unread(tmp_path: Path) -> None:
    store = saved(tmp_path, (1, 0))
    folder = tmp_path / "checkpoints" / "epoch-0001-step-000000"
    nothing = {"bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(dict.fromkeys(FILES[:2], nothing)))
    (folder / "state.safetensors").unlink()
    os.mkfifo(folder / "state.safetensors")
    with pytest.raises(ArchiveError):
        store.load((1, 0))
    (folder / "state.safetensors").unlink()
    (folder / "state.safetensors").touch()
    os.truncate(folder / "state.safetensors", 2**40)
    (folder / "manifest.json").write_text(json.dumps({name: {**nothing, "bytes": 2**40} for name in FILES[:2]}))
    with pytest.raises(ArchiveError, match="larger than any"):
        store.load((1, 0))


def test_a_position_that_was_damaged_is_written_again(tmp_path: Path) -> None:
    saved(tmp_path, (1, 0))
    damage(tmp_path / "checkpoints" / "epoch-0001-step-000000" / "manifest.json", "missing")
    store = saved(tmp_path, (1, 0))
    assert store.load((1, 0)).values["position"] == [1, 0]


@pytest.mark.parametrize("call", range(8))
@pytest.mark.parametrize("stage", ["fsync", "replace"])
def test_a_disk_that_fills_during_a_save_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, call: int
) -> None:
    store = saved(tmp_path, (1, 0), keep=1)
    own, calls = getattr(os, stage), iter(range(100))

    def full(*arguments: object) -> object:
        if next(calls) == call:
            raise OSError(28, "No space left on device")
        return own(*arguments)

    monkeypatch.setattr(checkpoint.write_file.__globals__["os"], stage, full)
    problem = None
    try:
        store.save((2, 0), TENSORS, VALUES, None)
    except RunFailure as error:
        problem = str(error)
    monkeypatch.undo()
    newest = Checkpoints(tmp_path, 1).load_newest()
    assert newest is not None
    assert newest.folder.name == ("epoch-0002-step-000000" if problem is None else "epoch-0001-step-000000")
    assert problem is None or ("MB needed): No space left" in problem)
    assert (problem is None) == (call >= {"fsync": 7, "replace": 3}[stage]), "each call was the one that failed"
    assert not list(tmp_path.rglob("*.tmp"))


def test_differences_name_both_sides() -> None:
    then = {"model": {"hidden_dim": 128, "kind": "lstm"}, "labels": ["a", "b"]}
    now = {"model": {"hidden_dim": 64, "kind": "lstm", "new": None}, "labels": ["a"]}
    assert differences(then, now) == [
        "model.hidden_dim: checkpoint has 128, this run has 64",
        "labels: checkpoint has ['a', 'b'], this run has ['a']",
        "model.new: checkpoint has nothing, this run has nothing",
    ]
    assert differences(then, then) == []
