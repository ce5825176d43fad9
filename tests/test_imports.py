"""Imports run one way, as docs/architecture.md draws them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "sentiment_lstm"

# What each part may import besides itself.
BELOW_EXPERIMENT = {"errors", "files", "config", "recipes", "data", "model", "training", "inference", "evaluation"}
ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "signals": {"errors"},
    "config": {"errors"},
    "recipes": {"errors", "config"},
    "data": {"errors", "config"},
    "model": {"errors", "config"},
    "launch": set(),
    "training": {"errors", "files", "config", "launch", "data", "model"},
    "inference": {"errors", "files", "config", "recipes", "data", "model", "training"},
    "evaluation": BELOW_EXPERIMENT - {"evaluation"},
    "lessons": {"errors", "files", "model"},
    "transfer": {"errors", "inference", "model"},
    "experiment": BELOW_EXPERIMENT | {"sentiment_lstm", "transfer"},
    "augmentation": BELOW_EXPERIMENT | {"experiment"},
    "distillation": BELOW_EXPERIMENT | {"experiment", "augmentation"},
    "wiring": BELOW_EXPERIMENT | {"experiment"},
    "resumption": BELOW_EXPERIMENT | {"experiment"},
    "session": BELOW_EXPERIMENT | {"experiment", "resumption", "signals"},
    "cli": BELOW_EXPERIMENT
    | {"sentiment_lstm", "signals", "launch", "experiment", "wiring", "resumption", "session"}
    | {"augmentation", "distillation", "lessons"},
    "__init__": {"inference"},
    "__main__": {"cli"},
}


def imported_parts(path: Path) -> set[str]:
    parts = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names = (
                [node.module]
                if node.module != "sentiment_lstm"
                else [
                    f"sentiment_lstm.{alias.name}"
                    if (PACKAGE / alias.name).exists() or (PACKAGE / f"{alias.name}.py").exists()
                    else "sentiment_lstm.sentiment_lstm"
                    for alias in node.names
                ]
            )
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        parts |= {name.split(".")[1] for name in names if name.startswith("sentiment_lstm.")}
    return parts


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    foreign = imported_parts(path) - {part}
    assert foreign <= ALLOWED[part], f"{part} must not import {foreign - ALLOWED[part]}"


def test_no_pickle_anywhere() -> None:
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        for forbidden in ("torch.load(", "torch.save(", "import pickle", "allow_pickle=True", "yaml.load("):
            assert forbidden not in source, f"{path}: {forbidden}"
