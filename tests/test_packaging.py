"""The wheel holds the recipes and works from any folder; pins and scripts say what the README says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def unpacked_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def test_wheel_holds_every_recipe_and_nothing_of_the_tests(unpacked_wheel: Path) -> None:
    recipes = {path.name for path in (ROOT / "configs").glob("*.yaml")}
    assert {path.name for path in (unpacked_wheel / "sentiment_lstm" / "configs").iterdir()} == recipes
    top = {path.name for path in unpacked_wheel.iterdir() if not path.name.endswith(".dist-info")}
    assert top == {"sentiment_lstm"}


def test_wheel_works_from_any_folder(unpacked_wheel: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sentiment_lstm", "config", "show", "sample"]
    environment = {**os.environ, "PYTHONPATH": str(unpacked_wheel)}
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert answer.stdout == (ROOT / "configs" / "sample.yaml").read_text(encoding="utf-8"), answer.stderr


def test_constraints_are_plain_pins() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert "torch==2.13.0" in lines
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9._]+", line), line


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pinned = {
        re.split("==", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    }
    for requirement in wanted:
        name = re.split(r"[<>=]", requirement)[0].lower().replace("_", "-")
        assert name in pinned, requirement


@pytest.mark.parametrize("name", ["setup", "train", "test", "check", "benchmark.py"])
def test_scripts_are_executable(name: str) -> None:
    assert os.access(ROOT / "scripts" / name, os.X_OK)


def test_wheel_holds_the_minimal_pairs(unpacked_wheel: Path) -> None:
    for name in ("sentences.jsonl", "twins.jsonl"):
        shipped = unpacked_wheel / "sentiment_lstm" / "pairs" / name
        assert shipped.read_bytes() == (ROOT / "tests" / "behaviour" / name).read_bytes()
