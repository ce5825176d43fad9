"""The course's two documents: every command in them runs, and prints what stands below it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from conftest import run_main

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = {"en": ROOT / "docs" / "backpropagation.md", "id": ROOT / "docs" / "id" / "backpropagasi.md"}
PROGRAM = "sentiment-lstm "
NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?")


def blocks(text: str) -> list[list[str]]:
    """Return the runs of lines that are indented by four blanks; blank lines within a run belong to it."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("    "):
            found[-1].append(line[4:])
        elif not line and found[-1]:
            found[-1].append("")
        elif found[-1]:
            found.append([])
    return ["\n".join(own).rstrip("\n").split("\n") for own in found if any(own)]


def shown(language: str) -> dict[str, list[str]]:
    """Return the commands that stand alone, each with the lines of the transcript below it."""
    commands: dict[str, list[str]] = {}
    last: list[str] = []
    for block in blocks(DOCUMENTS[language].read_text(encoding="utf-8")):
        named = [line for line in block if line.startswith(PROGRAM)]
        for line in named:
            commands[line] = last = []
        last += block[len(named) :] if named == block[: len(named)] else []
        if not named:
            last += block
    return commands


def mentioned(language: str) -> list[str]:
    """Return the commands within sentences, the answers to the exercises among them."""
    found = re.findall(r"`(sentiment-lstm [^`]+)`", DOCUMENTS[language].read_text(encoding="utf-8"))
    return list(dict.fromkeys(found))


SHOWN = [(language, command) for language in DOCUMENTS for command in shown(language)]
MENTIONED = [command for language in DOCUMENTS for command in mentioned(language)]


@pytest.fixture(scope="module")
def classroom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that keeps what the commands before have made."""
    return tmp_path_factory.mktemp("classroom")


def run(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a command as it is typed; what it draws must be there."""
    monkeypatch.chdir(folder)
    arguments = shlex.split(command)[1:]
    if "train" in arguments and Path(arguments[arguments.index("--output") + 1]).exists():
        arguments.append("--force")  # it is in both documents
    outcome = run_main(*arguments)
    assert outcome.code == 0, outcome.err
    assert outcome.out, command
    if "learn" in arguments and "--output" in arguments:
        assert Path(arguments[arguments.index("--output") + 1]).read_bytes().startswith(b"\x89PNG")
    return outcome.out


def test_there_is_a_command_for_each_lesson_in_both() -> None:
    for language in DOCUMENTS:
        lessons = {command.split()[2] for command in shown(language) if command.split()[1] == "learn"}
        assert lessons == {"backprop", "activations", "lstm", "gradients", "gates", "descent"}
        assert {command.split()[1] for command in shown(language)} == {"learn", "train", "plot"}
        assert len(mentioned(language)) > 12
    assert [command.split(" --")[0] for command in shown("en")] == [command.split(" --")[0] for command in shown("id")]


@pytest.mark.parametrize(("language", "command"), SHOWN)
def test_a_command_prints_what_stands_below_it(
    language: str, command: str, classroom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "id_ID.UTF-8" if language == "id" else "en_US.UTF-8")
    out = run(command, classroom, monkeypatch)
    transcript = [NUMBER.sub("#", " ".join(line.split())) for line in shown(language)[command]]
    if command.split()[1] == "learn":
        own = [NUMBER.sub("#", " ".join(line.split())) for line in out.splitlines()]
        foreign = [line for line in transcript if line and line != "…" and line not in own]
        assert not foreign, "it does not print these"


@pytest.mark.slow
@pytest.mark.parametrize("command", MENTIONED)
def test_a_command_within_a_sentence_runs(command: str, classroom: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if " plot " in command:
        for name in re.findall(r"runs/\w+", command):
            if not (classroom / name).exists():
                run(f"sentiment-lstm train --config sample --epochs 1 --output {name}", classroom, monkeypatch)
    run(command, classroom, monkeypatch)


def test_the_list_of_lessons_names_every_line_of_the_course() -> None:
    told = " ".join(run_main("learn", "--help").out.split()).lower()
    for topic in (
        *("initialise", "forward pass", "loss", "backward pass", "update", "repeat", "three formulas"),
        *(
            "activation functions sigmoid, tanh and relu",
            "vanishing gradient",
            "training curves",
            "learning rate",
            "lstm",
        ),
    ):
        assert topic in told, topic
    assert "..." not in told.split("commands:")[1], "a line is cut"
