"""The fuzz of ``scripts/fuzz.py``: some hundreds of its inputs here, all of them on request."""

from __future__ import annotations

import importlib.util
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz.py"


@pytest.fixture(scope="module")
def fuzz() -> Iterator[ModuleType]:
    specification = importlib.util.spec_from_file_location("fuzz", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["fuzz"] = module  # as dataclasses expect
    handler = signal.getsignal(signal.SIGALRM)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPT.parent)  # where a script finds its neighbour
        specification.loader.exec_module(module)
    yield module
    signal.signal(signal.SIGALRM, handler)
    del sys.modules["fuzz"]


def run(fuzz: ModuleType, inputs: int, seed: int, folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENTIMENT_LSTM_CACHE", "")  # the fuzz chooses its own, and they are put back afterwards
        patch.setenv("HF_HOME", "")
        bench = fuzz.build_bench(folder)
        tallies, growth = fuzz.fuzz(range(inputs), seed, bench, folder / "kept")
    failures = [failure for tally in tallies.values() for failure in tally.failures]
    assert not failures
    assert sum(tally.accepted + tally.refused for tally in tallies.values()) == inputs
    for kind in ("run folder", "input file", "table"):
        assert tallies[kind].accepted > 0
        assert tallies[kind].refused > 0
    assert growth < fuzz.GROWTH_MB


def test_hundreds_of_spoilt_inputs_are_accepted_or_refused_in_one_line(fuzz: ModuleType, tmp_path: Path) -> None:
    run(fuzz, 200, 1, tmp_path)


@pytest.mark.slow
def test_twenty_thousand_spoilt_inputs_are_accepted_or_refused_in_one_line(fuzz: ModuleType, tmp_path: Path) -> None:
    run(fuzz, 20_000, 0, tmp_path)


def test_an_input_follows_from_its_seed_and_number_alone(fuzz: ModuleType) -> None:
    texts = [fuzz.make_text(Random("3 14")) for _ in range(2)]
    assert texts[0] == texts[1]


def test_a_failure_is_counted_and_kept(fuzz: ModuleType, tmp_path: Path) -> None:
    def fail(random: Random, bench: object) -> None:
        (tmp_path / "input").mkdir()
        (tmp_path / "input" / "a.csv").write_text("x")
        raise KeyError("what nobody expects")

    tally = fuzz.Tally()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(fuzz.KINDS, "run folder", (1, fail))
        fuzz.try_one(0, 7, fuzz.Bench(tmp_path, [], []), tally, tmp_path / "kept")
    assert tally.failures == ["0: KeyError: 'what nobody expects'"]
    assert (tmp_path / "kept" / "7-0-run-folder" / "a.csv").read_text() == "x"
    assert "Traceback" in (tmp_path / "kept" / "7-0-run-folder" / "fault.txt").read_text()
