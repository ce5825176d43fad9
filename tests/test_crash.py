"""Killed at random moments, resumed, and in the end the same: a small turn of scripts/crash_test.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "crash_test.py"


def crash(kills: int, seed: int) -> str:
    command = [sys.executable, str(SCRIPT), "--kills", str(kills), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_fifteen_kills_lose_nothing() -> None:
    assert "| all | 15 | 0 | 0 |" in crash(15, seed=1)


@pytest.mark.slow
def test_two_hundred_kills_lose_nothing() -> None:
    assert "| all | 200 | 0 | 0 |" in crash(200, seed=0)
