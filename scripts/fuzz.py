"""Give the program files and texts that are damaged, hostile or odd, thousands of them, and see that it holds.

    .venv/bin/python scripts/fuzz.py --inputs 20000 --seed 0

An input is either accepted, and what comes out is valid, or refused with one line. A traceback, a wait of more than ten
seconds, or memory that grows is a failure; its input is kept under --keep, and --only NUMBER tries it again.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import json
import logging
import math
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from fuzz_inputs import NASTY, ODD, SCRAPS, SPOILERS, make_file, make_text, spoil_bytes, spoil_yaml

from sentiment_lstm.cli.main import main as command_line
from sentiment_lstm.data.sources import load_source
from sentiment_lstm.errors import SentimentLSTMError
from sentiment_lstm.inference import archive
from sentiment_lstm.inference.predictor import Prediction, Predictor
from sentiment_lstm.inference.streams import iter_file
from sentiment_lstm.recipes import load_config, recipes_folder

SECONDS = 10  # an input may take
LONGEST_MESSAGE = 8_000  # characters of an error
GROWTH_MB = 200  # of resident memory, from the end of the first tenth
HEADROOM = 6 << 30  # bytes of address space beyond what the start took: a bomb becomes a MemoryError
TEXT_ROWS = 8


@dataclass
class Bench:
    """Two trained runs to spoil, and a folder to do it in."""

    folder: Path
    runs: list[Path]
    predictors: list[Predictor]


@dataclass
class Tally:
    """What became of the inputs of one kind."""

    accepted: int = 0
    refused: int = 0
    slowest: float = 0.0
    failures: list[str] = field(default_factory=list)


class TooSlow(BaseException):
    """Not an Exception, so that nothing takes it for an answer."""


def run_main(*arguments: str) -> tuple[int, str, str]:
    """Run the command line in this process: its exit code, stdout and stderr."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    argv, handlers = sys.argv, [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    sys.argv = ["sentiment-lstm", *arguments]
    code: Any = None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            command_line()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = argv
        logging.getLogger().handlers.clear()
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
            signal.signal(number, handler)
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return code, *texts


def build_bench(folder: Path) -> Bench:
    """Train one tiny run of each kind of tokenizer; caches go into the folder too."""
    os.environ["SENTIMENT_LSTM_CACHE"] = str(folder / "cache")
    os.environ["HF_HOME"] = str(folder / "hub")
    small = ["model.embedding_dim=8", "model.hidden_dim=8", "training.precision=fp32", "tokenizer.max_size=400"]
    runs = []
    for kind in ("basic_english", "bpe"):
        runs.append(folder / f"run-{kind}")
        settings = [word for setting in [*small, f"tokenizer.kind={kind}"] for word in ("--set", setting)]
        answer = run_main(
            *("train", "--config", "sample", "--limit", "60", "--epochs", "1", "--quiet", "--output", str(runs[-1])),
            *settings,
        )
        assert answer[0] == 0, answer
    from sentiment_lstm.inference.predictor import load

    return Bench(folder, runs, [load(run, "cpu") for run in runs])


# ------------------------------------------------------------------------------------------------------ the kinds


def check_predictions(texts: list[str], predictions: list[Prediction], predictor: Predictor) -> None:
    """An answer for each text, in order, each a distribution, and honest about what was read."""
    assert [prediction.text for prediction in predictions] == texts
    longest = predictor.archive.config.tokenizer.max_length
    for prediction in predictions:
        assert list(prediction.probabilities) == predictor.archive.labels
        assert math.isclose(sum(prediction.probabilities.values()), 1.0, abs_tol=1e-6), prediction
        assert prediction.score == max(prediction.probabilities.values()), prediction
        assert 0.0 <= prediction.unknown_share <= 1.0
        assert prediction.truncated == (longest is not None and prediction.num_tokens > longest)
        assert prediction.num_tokens > 0 or prediction.unknown_share == 1.0


def try_run_folder(random: Random, bench: Bench) -> None:
    """A run folder of which one to three files are spoilt or another run's, loaded, and asked if it loads."""
    own, other = random.sample(bench.runs, 2)
    files = {name: (own / name).read_bytes() for name in archive.MODEL_FILES}
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        name = random.choice(archive.MODEL_FILES)
        with contextlib.suppress(Exception):  # what is spoilt twice may be too spoilt to take apart
            files[name] = random.choice(SPOILERS[name])(random, files[name])
        if random.random() < 0.05:
            files[name] = (other / random.choice(archive.MODEL_FILES)).read_bytes()
    if random.random() < 0.4:  # let a spoilt tokenizer past its fingerprint
        files[archive.META] = b"{}"
    folder = bench.folder / "input"
    folder.mkdir()
    for name, content in files.items():
        if random.random() > 0.003:
            (folder / name).write_bytes(content)
    loaded = archive.load_archive(folder)
    predictor = Predictor(loaded, bench.predictors[0].runtime)
    texts = ["a good film", "", "映画 \ud800"]
    check_predictions(texts, predictor.predict(texts), predictor)


def try_config(random: Random, bench: Bench) -> None:
    """A recipe and ``--set`` options, read and written again."""
    recipe = random.choice(sorted(recipes_folder().glob("*.yaml"))).read_bytes()
    if random.random() < 0.7:
        recipe = random.choice((spoil_bytes, spoil_yaml))(random, recipe)
    path = bench.folder / "input" / "recipe.yaml"
    path.parent.mkdir()
    path.write_bytes(recipe)
    keys = ["model.hidden_dim", "training.device", "data.source", "tokenizer", "model", ".", "a.b", "model.vectors.x"]
    scraps = [*(scrap.decode("latin-1") for scrap in SCRAPS), *map(str, NASTY), *ODD]
    options = [f"{random.choice(keys)}={random.choice(scraps)}" for _ in range(random.choice((0, 0, 1, 3)))]
    config = load_config(str(path), options)
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert load_config(str(path)) == config


def try_file(random: Random, bench: Bench) -> None:
    """A file of texts for ``predict --file``, read and answered."""
    path = bench.folder / "input" / f"texts.{random.choice(('txt', 'csv', 'tsv', 'jsonl'))}"
    path.parent.mkdir()
    number = make_file(random, path, [make_text(random) for _ in range(random.randint(1, TEXT_ROWS))])
    texts = list(iter_file(path))
    assert number in (-1, len(texts)), (number, len(texts))
    predictor = random.choice(bench.predictors)
    check_predictions(texts, list(predictor.stream([texts])), predictor)


def try_table(random: Random, bench: Bench) -> None:
    """A file of reviews for training, read."""
    path = bench.folder / "input" / f"reviews.{random.choice(('csv', 'tsv', 'jsonl', 'parquet'))}"
    path.parent.mkdir()
    number = make_file(random, path, [make_text(random) for _ in range(random.randint(1, TEXT_ROWS))])
    reviews = load_source(str(path)).splits["all"]
    assert number in (-1, len(reviews)), (number, len(reviews))
    assert all(isinstance(review.text, str) for review in reviews)


def try_texts(random: Random, bench: Bench) -> None:
    """Texts through the Python door."""
    texts = [make_text(random) for _ in range(random.randint(1, TEXT_ROWS))]
    predictor = random.choice(bench.predictors)
    check_predictions(texts, predictor.predict(texts), predictor)


def try_command(random: Random, bench: Bench) -> None:
    """Texts through the command line, in each of its formats."""
    texts = [make_text(random) for _ in range(random.randint(1, TEXT_ROWS))]
    form = random.choice(("text", "json", "csv"))
    code, out, err = run_main("predict", "--model", str(random.choice(bench.runs)), "--format", form, "--", *texts)
    if texts == ["-"] or code == 2:
        assert err.startswith("error: ")
        return
    assert code == 0, err
    assert "Traceback" not in err
    if form == "json":
        rows = [json.loads(line) for line in out.split("\n")[:-1]]
        # Half characters are written by number, and two halves that meet are read back as one character.
        assert [row["text"] for row in rows] == [json.loads(json.dumps(text)) for text in texts]
    elif form == "text":
        assert out.count("\n") == len(texts)


KINDS: dict[str, tuple[int, Callable[[Random, Bench], None]]] = {  # with their shares of twenty inputs
    "run folder": (7, try_run_folder),
    "config": (4, try_config),
    "texts": (3, try_texts),
    "command": (1, try_command),
    "input file": (3, try_file),
    "table": (2, try_table),
}
ORDER = [kind for kind, (share, _) in KINDS.items() for _ in range(share)]


# ----------------------------------------------------------------------------------------------------- the driver


def try_one(number: int, seed: int, bench: Bench, tally: Tally, keep: Path) -> None:
    """Try one input; what it is follows from the seed and its number alone."""
    shutil.rmtree(bench.folder / "input", ignore_errors=True)
    kind = ORDER[number % len(ORDER)]
    started = time.perf_counter()
    faulthandler.dump_traceback_later(6 * SECONDS, exit=True, file=sys.__stderr__)  # where no signal is heard
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    fault = None
    try:
        KINDS[kind][1](Random(f"{seed} {number}"), bench)
        tally.accepted += 1
    except SentimentLSTMError as error:
        tally.refused += 1
        message = str(error)
        if not message or len(" ".join(message.split())) > LONGEST_MESSAGE:
            fault = f"a message of {len(message)} characters: {message[:200]}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        fault = traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
    tally.slowest = max(tally.slowest, time.perf_counter() - started)
    if fault is not None:
        tally.failures.append(f"{number}: {fault.strip().splitlines()[-1][:200]}")
        kept = keep / f"{seed}-{number}-{kind.replace(' ', '-')}"
        shutil.rmtree(kept, ignore_errors=True)
        if (bench.folder / "input").is_dir():
            shutil.copytree(bench.folder / "input", kept)
        kept.mkdir(parents=True, exist_ok=True)
        (kept / "fault.txt").write_text(fault, encoding="utf-8", errors="backslashreplace")


def memory_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def fuzz(
    numbers: range, seed: int, bench: Bench, keep: Path, seconds: float = math.inf
) -> tuple[dict[str, Tally], float]:
    """Try inputs until they or the time are used up; return what became of each kind, and the growth in MB."""

    def too_slow(*_: object) -> None:
        raise TooSlow(f"more than {SECONDS} seconds")

    signal.signal(signal.SIGALRM, too_slow)
    tallies = {kind: Tally() for kind in KINDS}
    started, before = time.perf_counter(), memory_mb()
    for count, number in enumerate(numbers):
        if count == len(numbers) // 10:
            before = memory_mb()
        if time.perf_counter() - started > seconds:
            break
        try_one(number, seed, bench, tallies[ORDER[number % len(ORDER)]], keep)
    return tallies, memory_mb() - before


def main() -> int:
    """Run the fuzz and print its table; 1 where something failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "sentiment-lstm-fuzz")
    parser.add_argument("--only", type=int, help="the number of one input to try again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bench = build_bench(Path(name))
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + HEADROOM, resource.RLIM_INFINITY))
        numbers = range(options.inputs) if options.only is None else range(options.only, options.only + 1)
        started = time.perf_counter()
        tallies, growth = fuzz(numbers, options.seed, bench, options.keep, 60 * options.minutes)
    print(f"{'kind':12} {'inputs':>8} {'accepted':>9} {'refused':>8} {'slowest':>9} {'failures':>9}")
    for kind, tally in tallies.items():
        count = tally.accepted + tally.refused
        print(
            f"{kind:12} {count:8,} {tally.accepted:9,} {tally.refused:8,} "
            f"{tally.slowest:8.2f}s {len(tally.failures):9,}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(
        f"{time.perf_counter() - started:.0f} s; "
        f"memory grew by {growth:.0f} MB to {memory_mb():.0f}, at most {peak:.0f}"
    )
    failures = [failure for tally in tallies.values() for failure in tally.failures]
    for failure in failures[:20]:
        print(f"failed: {failure}")
    if failures:
        print(f"{len(failures)} inputs kept under {options.keep}")
    return int(bool(failures) or growth > GROWTH_MB)


if __name__ == "__main__":
    sys.exit(main())
