"""The program as a whole: its help, its errors, its exit codes, and what it imports to answer."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome

from sentiment_lstm import __version__
from sentiment_lstm.cli import predict

cli_main = importlib.import_module("sentiment_lstm.cli.main")

COMMANDS = (("--help",), ("train", "--help"), ("evaluate", "-h"), ("predict", "--help"), ("config", "--help"))


def modules_after(*arguments: str, stdin: bytes = b"") -> set[str]:
    """The modules that a process of its own has imported once it has answered."""
    code = (
        "import sys\nfrom sentiment_lstm.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0, end.code\n"
        "print('modules', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], input=stdin, capture_output=True, check=True)
    return set(done.stdout.decode().splitlines()[-1].split()[1:])


def test_help_and_recipes_import_neither_torch_nor_numpy() -> None:
    for arguments in (("train", "--help"), ("config", "show", "sample")):
        modules = modules_after(*arguments)
        assert "sentiment_lstm.cli.train" in modules
        assert not modules & {"torch", "numpy", "pandas", "datasets", "sklearn", "matplotlib", "tokenizers"}


def test_predict_imports_no_library_that_only_training_needs(tiny_run: Path) -> None:
    modules = modules_after("predict", "--model", str(tiny_run), "good")
    assert "torch" in modules
    assert not modules & {"pandas", "datasets", "sklearn", "matplotlib"}


@pytest.mark.parametrize("arguments", COMMANDS)
def test_help_is_a_result(cli: Callable[..., Outcome], arguments: tuple[str, ...]) -> None:
    outcome = cli(*arguments)
    assert outcome.code == 0
    assert outcome.out.startswith("Usage: sentiment-lstm")
    assert outcome.err == ""


def test_the_version_is_a_result(cli: Callable[..., Outcome]) -> None:
    assert cli("--version") == Outcome(0, f"sentiment-lstm {__version__}\n", "")


@pytest.mark.parametrize("arguments", [(), ("config",)])
def test_a_bare_command_shows_its_help_in_full(cli: Callable[..., Outcome], arguments: tuple[str, ...]) -> None:
    outcome = cli(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("Usage: sentiment-lstm")
    assert outcome.err.count("\n") > 5
    assert "\n  -h, --help" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("trian",), "'train'"),
        (("predcit", "good"), "'predict'"),
        (("config", "shwo"), "'show'"),
        (("train", "--epohcs", "1"), "--epochs"),
        (("predict", "--modle", "x", "good"), "--model"),
        (("evaluate", "--splt", "test"), "--split"),
        (("--verison",), "--version"),
        (("train", "--epochs", "many"), "'--epochs'"),
        (("train", "--epochs"), "--epochs"),
        (("train", "surplus"), "surplus"),
        (("evaluate", "--split", "tset"), "'tset' is not one of 'train', 'validation', 'test'"),
        (("evaluate", "--limit", "0"), "'--limit'"),
        (("predict", "--format", "xml", "good"), "'text', 'json', 'csv'"),
        (("predict", "--device", "tpu", "good"), "auto, cpu, cuda"),
        (("evaluate", "--device", "tpu"), "auto, cpu, cuda"),
    ],
)
def test_a_slip_of_the_finger_is_answered_with_what_was_meant(
    cli: Callable[..., Outcome], arguments: tuple[str, ...], words: str
) -> None:
    message = cli(*arguments).error(2)
    assert words in message
    assert "Value error" not in message


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "halve training.batch_tokens"),
        (RuntimeError("CUDA out of memory. Tried to allocate\n2 GiB"), 1, "halve training.batch_tokens"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 1, "halve training.batch_tokens"),
        (OSError(28, "No space left on device", "runs/x"), 1, "runs/x: No space left on device"),
        (
            ZeroDivisionError("several\nlines"),
            1,
            "ZeroDivisionError: several lines (run again with sentiment-lstm --debug",
        ),
    ],
)
def test_whatever_goes_wrong_is_one_line(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, words: str
) -> None:
    monkeypatch.setattr(predict, "resolve_run", raising(error))
    assert words in cli("predict", "good").error(code)


def test_a_traceback_is_shown_under_debug_only(cli: Callable[..., Outcome]) -> None:
    outcome = cli("--debug", "predict", "--model", "nope", "good")
    assert outcome.code == 2
    assert outcome.err.startswith("Traceback")
    assert outcome.err.splitlines()[-1].startswith("error: no run at nope")
    cli("predict", "--model", "nope", "good").error(2)
