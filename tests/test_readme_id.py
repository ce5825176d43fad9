"""README.id.md says what README.md says: the same commands, transcripts, pictures, tables, headings and numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGLISH, INDONESIAN = "README.md", "README.id.md"
COMMANDS = ("sentiment-lstm", "./scripts", "git", "python", ".venv/bin/", "pip", "source", "torchrun")
COMMENT = re.compile(r"\s+# .*$")  # is translated, unless it is Python's


def split(text: str) -> tuple[list[str], list[str]]:
    """Return the lines of code, fenced or indented by four blanks, without comments, and the lines of prose."""
    code, prose, fenced = [], [], False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            code.append(COMMENT.sub("", line).strip())
        else:
            prose.append(line)
    assert not fenced, "a fence is not closed"
    return code, prose


def commands(text: str) -> list[str]:
    """Return the commands, those over several lines in one."""
    joined = re.sub(r"\\\n\s*", "", "\n".join(split(text)[0])).splitlines()
    lines = [line.removeprefix("$ ") for line in joined]
    return [line for line in lines if line.startswith(COMMANDS)]


def transcripts(text: str) -> list[str]:
    return [line for line in split(text)[0] if line]


def images(text: str) -> list[str]:
    return re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)


def tables(text: str) -> list[str]:
    """Return the first cell of every row that names commands, recipes and the like in code."""
    cells = [re.split(r"(?<!\\)\|", line)[1].strip() for line in split(text)[1] if line.startswith("|")]
    return [cell for cell in cells if cell.startswith("`")]


def headings(text: str) -> list[str]:
    return [line.split()[0] for line in split(text)[1] if re.match(r"#+ ", line)]


def numbers(text: str) -> list[str]:
    """Return every number in the prose, sorted: what was measured anew in one is measured anew in both."""
    return sorted(re.findall(r"\d(?:[\d.,]*\d)?", "\n".join(split(text)[1])))


def differences(english: Sequence[str], indonesian: Sequence[str]) -> list[str]:
    """Return what one has and the other lacks, or the first two that stand in another order."""
    here, there = Counter(english), Counter(indonesian)
    found = [f"only in {ENGLISH}: {own}" for own in (here - there).elements()]
    found += [f"only in {INDONESIAN}: {own}" for own in (there - here).elements()]
    if found:
        return found
    swapped = [(own, other) for own, other in zip(english, indonesian, strict=True) if own != other]
    return [f"another order: {ENGLISH} has {own!r} where {INDONESIAN} has {other!r}" for own, other in swapped[:1]]


@pytest.mark.parametrize("of", [commands, transcripts, images, tables, headings, numbers])
def test_both_have_the_same(of: Callable[[str], list[str]]) -> None:
    english, indonesian = (of((ROOT / name).read_text(encoding="utf-8")) for name in (ENGLISH, INDONESIAN))
    assert english, "nothing was found to compare"
    found = differences(english, indonesian)
    assert not found, "\n" + "\n".join(found)


def test_each_names_the_other_at_its_top_and_every_link_leads_somewhere() -> None:
    for name, other in ((ENGLISH, INDONESIAN), (INDONESIAN, ENGLISH)):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert f"]({other})" in text[:200]
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
        assert not [link for link in links if not (ROOT / link).exists()], name


def test_a_difference_is_told_exactly() -> None:
    text = "# A\n\n    sentiment-lstm train --epochs 3  # long\n\n```\n$ git status\n```\n![x](a.png) is 0.93\n"
    assert commands(text) == ["sentiment-lstm train --epochs 3", "git status"]
    assert (images(text), headings(text), numbers(text)) == (["a.png"], ["#"], ["0.93"])
    other = text.replace("--epochs 3", "--epochs 4")
    assert differences(commands(text), commands(other)) == [
        "only in README.md: sentiment-lstm train --epochs 3",
        "only in README.id.md: sentiment-lstm train --epochs 4",
    ]
    assert differences(["a", "b"], ["b", "a"]) == ["another order: README.md has 'a' where README.id.md has 'b'"]
    assert differences(["a"], ["a"]) == []
