"""The program: its commands, its exit codes, and one line on stderr for everything that goes wrong.

Nothing here imports torch: each command imports what it needs when it runs, so ``--help`` answers at once.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from typing import Annotated, NoReturn

import typer

from sentiment_lstm import __version__, signals
from sentiment_lstm.cli import compare, config, data, distill, evaluate, learn, plot, predict, pretrain, train
from sentiment_lstm.errors import SentimentLSTMError, UsageError
from sentiment_lstm.launch import this_launch

app = typer.Typer(
    name="sentiment-lstm",
    help="Train, measure and understand LSTM sentiment classifiers.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="First steps:  sentiment-lstm train --config sample  |  sentiment-lstm evaluate  |  "
    'sentiment-lstm predict "not bad at all"',
)
app.command("train")(train.train)
app.command("pretrain")(pretrain.pretrain)
app.command("distill")(distill.distill)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("plot")(plot.plot)
app.command("predict")(predict.predict)
app.add_typer(config.app, name="config")
app.add_typer(data.app, name="data")
app.add_typer(learn.app, name="learn")

_debug = False


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sentiment-lstm {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    global _debug
    _debug = debug
    if this_launch().count > 1 and context.invoked_subcommand != "train":
        raise UsageError(f"torchrun is for train alone: start {context.invoked_subcommand} without it")


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 data or run failure, 2 usage, 130 interrupted, 143 terminated."""
    launch = this_launch()
    signals.handle(second_leaves=not launch.by_torchrun)
    level = logging.INFO if launch.is_main else logging.CRITICAL
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    for library in ("datasets", "huggingface_hub", "fsspec", "urllib3", "httpx", "httpx2", "matplotlib", "torch"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    code = 0
    try:
        command = typer.main.get_command(app)
        # Not command.main(): that turns an interruption and a closed pipe into exit codes of its own.
        with command.make_context("sentiment-lstm", sys.argv[1:]) as context:
            command.invoke(context)
        sys.stdout.flush()
    except BaseException as error:
        code = _report(error)
    _drop_unwritable_output()
    sys.exit(code)


def _report(error: BaseException) -> int:
    """Print an error as one line and return the exit code that belongs to it."""
    if _debug:
        traceback.print_exception(error)
    if isinstance(error, typer.Exit):  # --help and --version
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        return 0  # whoever read our output has enough, as in `predict | head -1`
    if isinstance(error, SentimentLSTMError):
        return _fail(str(error), error.exit_code, error.everywhere)
    if isinstance(error, KeyboardInterrupt):
        return _fail(str(error) or "interrupted", getattr(error, "exit_code", 130), everywhere=True)
    if type(error).__name__ == "NoArgsIsHelpError":  # a bare command: its message is the help
        print(str(error), file=sys.stderr)
        return 2
    if hasattr(error, "format_message"):  # click's own: what the user typed
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context else ""
        return _fail(f"{error.format_message().rstrip('.').replace('Value error, ', '')}{hint}", 2, everywhere=True)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower() or "can't allocate memory" in str(error):
        return _fail("out of memory: halve training.batch_tokens or tokenizer.max_length", 1)
    if isinstance(error, OSError) and error.strerror:
        return _fail(f"{error.filename or 'cannot read or write'}: {error.strerror}", 1)
    return _fail(f"{type(error).__name__}: {error} (run again with sentiment-lstm --debug for the traceback)", 1)


def _drop_unwritable_output() -> None:
    """What could not be written to a closed pipe or a full disk must not be tried again when Python ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int, everywhere: bool = False) -> int:
    """Print one line; of what happens in all that torchrun started, each machine's first process prints it."""
    launch = this_launch()
    if everywhere and launch.local_rank:
        signals.wait(10)  # seconds; for torchrun, which at the end of this process would end the one that prints
        return code
    line = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in " ".join(message.split()))
    process = "" if launch.is_main else f"[process {launch.rank}] "
    print(f"{process}error: {line}", file=sys.stderr)
    return code
