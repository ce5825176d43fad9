"""``sentiment-lstm config``: list, show, copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome

from sentiment_lstm.recipes import list_recipes, load_config


def test_every_recipe_is_listed_with_its_first_line(cli: Callable[..., Outcome]) -> None:
    outcome = cli("config", "list")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(list_recipes())
    assert all(len(line.split()) > 3 for line in lines)


def test_a_recipe_is_shown_with_its_comments(cli: Callable[..., Outcome]) -> None:
    assert cli("config", "show", "sample").out == list_recipes()["sample"].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("target", "path"), [((), "sample.yaml"), (("mine.yaml",), "mine.yaml"), ((".",), "sample.yaml")]
)
def test_a_copy_is_the_recipe_and_never_overwrites(
    cli: Callable[..., Outcome], target: tuple[str, ...], path: str, tmp_path: Path
) -> None:
    outcome = cli("config", "copy", "sample", *target)
    assert (outcome.code, outcome.err) == (0, "")
    assert path in outcome.out
    assert load_config(str(tmp_path / path)) == load_config("sample")
    (tmp_path / path).write_text("# mine\n")
    assert "exists already" in cli("config", "copy", "sample", *target).error(2)
    assert (tmp_path / path).read_text() == "# mine\n"


@pytest.mark.parametrize("command", ["show", "copy"])
def test_what_is_no_recipe_is_refused(cli: Callable[..., Outcome], command: str, tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff")
    assert "did you mean 'sample'" in cli("config", command, "sampel").error(2)
    assert "is a folder" in cli("config", command, ".").error(2)
    assert "binary.yaml is not a YAML file" in cli(
        "config", command, "binary.yaml", *(["x"] * (command == "copy"))
    ).error(2)


def test_a_copy_into_a_folder_that_is_not_there_is_refused(cli: Callable[..., Outcome]) -> None:
    assert "cannot write gone/x.yaml" in cli("config", "copy", "sample", "gone/x.yaml").error(2)
