#!/usr/bin/env python3
"""How fast this machine trains, always beside something that was timed in the same run.

    .venv/bin/python scripts/benchmark.py            a training step against pack_padded_sequence
    … scripts/benchmark.py --machine                 the machine's own rate of matrix products
    … scripts/benchmark.py --peers --data imdb       Keras' two IMDB examples against the same models here
    … scripts/benchmark.py --tokenize --data imdb    vocabulary and encoding, cold and from the cache
    … scripts/benchmark.py --startup --model RUN     how long --help and a cold predict take

Close other programs first: with as many threads as cores, one busy neighbour multiplies a step's time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from sentiment_lstm.config import DataConfig, ModelConfig, TokenizerConfig, TrainingConfig
from sentiment_lstm.data.batching import collate, plan_batches
from sentiment_lstm.data.prepare import EncodedSplit, encode_split, load_evaluation_split, tokenizer_for
from sentiment_lstm.data.splits import label_names
from sentiment_lstm.data.tokenizer import truncate
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.training.objectives import supervised
from sentiment_lstm.training.runtime import build_runtime, has_bf16, matrix_rates
from sentiment_lstm.training.trainer import Progress, Trainer

SCRIPTS = Path(__file__).resolve().parent
VOCABULARY_SIZE = 20_000
# Tokens of IMDB's training reviews at the 0th, 10th ... 100th percentile; lengths in between are drawn evenly.
LENGTH_PERCENTILES = [11, 105, 139, 156, 176, 202, 239, 292, 374, 530, 2752]


@dataclass(frozen=True)
class Figure:
    """One measured number; ``spread`` is the smallest and the largest of the rounds."""

    name: str
    value: float
    unit: str
    spread: tuple[float, float] | None = None

    def __str__(self) -> str:
        spread = f"  ({self.spread[0]:,.2f} to {self.spread[1]:,.2f})" if self.spread else ""
        return f"{self.name:<72} {self.value:>10,.2f} {self.unit}{spread}"


def summary(name: str, values: list[float], unit: str) -> Figure:
    """Return the median of several rounds with its spread."""
    return Figure(name, statistics.median(values), unit, (min(values), max(values)))


def seconds_of(action: Callable[[], object]) -> float:
    """Call once; return how long it took."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


# The machine


def precisions() -> list[str]:
    """Return what the processor does in hardware."""
    return ["fp32", "bf16"] if has_bf16("cpu") else ["fp32"]


def machine(options: argparse.Namespace) -> Iterator[Figure]:
    """Print the machine's own rate, which any other time means something beside."""
    for precision, rate in zip(("fp32", "bf16"), matrix_rates(), strict=True):
        if rate is not None:
            yield Figure(f"2048 x 2048 matrix product, {precision}, {torch.get_num_threads()} threads", rate, "GFLOP/s")


# Reviews and a trainer to time


def load_reviews(data: str | None, count: int = 25_000) -> tuple[list[np.ndarray], np.ndarray]:
    """Return token ids, uncut, and labels: of real training reviews, or drawn with IMDB's lengths."""
    if data is not None:
        reviews = load_evaluation_split(DataConfig(source=data), "train")
        config = TokenizerConfig(max_length=1_000_000, max_size=VOCABULARY_SIZE)
        split = encode_split(reviews, tokenizer_for(reviews, config), label_names(reviews), config)
        return split.token_ids, split.labels
    random = np.random.default_rng(0)
    lengths = np.interp(random.uniform(0, 100, count), np.linspace(0, 100, 11), LENGTH_PERCENTILES).astype(int)
    token_ids = [np.minimum(random.zipf(1.2, length), VOCABULARY_SIZE - 1).astype(np.int32) for length in lengths]
    return token_ids, random.integers(0, 2, count)


def build_trainer(
    model: ModelConfig, token_ids: list[np.ndarray], labels: np.ndarray, batch_size: int, precision: str
) -> Trainer:
    """Build this project's trainer for two classes, with Keras' Adam: rate 0.001, no clipping."""
    config = TrainingConfig(
        batch_size=batch_size, schedule="constant", warmup_share=0.0, learning_rate=1e-3, gradient_clip=None, epochs=1
    )
    split = EncodedSplit([], token_ids, labels, truncated_share=0.0, unknown_share=0.0)
    torch.manual_seed(0)
    classifier = SentimentClassifier(model, VOCABULARY_SIZE, num_classes=2).train()
    return Trainer(classifier, supervised(), config, build_runtime("cpu", precision), split, split)


def train(trainer: Trainer, batches: list[np.ndarray]) -> float:
    """Take one step on each batch of indices, padding included; return the seconds."""
    split = trainer.train_split
    progress = Progress(epoch=1, total_steps=len(batches))
    started = time.perf_counter()
    for indices in batches:
        trainer.train_step([collate(split.token_ids, indices, split.labels)], progress)
    return time.perf_counter() - started


# The other side


@contextmanager
def other_process(command: list[str]) -> Iterator[Callable[[str], float]]:
    """Start the other side of a comparison; yield a function that trains a model there for a round: its seconds.

    Between rounds the other side waits, so that each is timed alone.
    """
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        requests, answers = process.stdin, process.stdout
        assert requests is not None
        assert answers is not None

        def round_of(name: str) -> float:
            requests.write(f"{name}\n")
            requests.flush()
            for line in answers:
                if line.startswith("SECONDS "):
                    return float(line.split()[1])
            raise SystemExit("benchmark.py: the other side ended early; its own message is above")

        yield round_of
        requests.close()


# Packed against padded


def lstm_operations(config: ModelConfig, num_tokens: int) -> float:
    """Return the floating-point operations of a step's matrix products: two thirds are the backward pass's."""
    directions = 2 if config.bidirectional else 1
    inputs = [config.embedding_dim] + [config.hidden_dim * directions] * (config.num_layers - 1)
    return sum(3 * 2 * 4 * config.hidden_dim * (dim + config.hidden_dim) * directions * num_tokens for dim in inputs)


def packed(options: argparse.Namespace) -> Iterator[Figure]:
    """Time 2 x 256 steps on batches of three lengths against the usual code with pack_padded_sequence."""
    token_ids, labels = load_reviews(options.data)
    token_ids = [truncate(ids, 400, "head_tail") for ids in token_ids]
    by_length = plan_batches([len(ids) for ids in token_ids], batch_size=64, batch_tokens=32_768)
    batches = [by_length[round(share * (len(by_length) - 1))] for share in (0.2, 0.5, 0.8)]
    with tempfile.TemporaryDirectory() as name:
        for number, indices in enumerate(batches):
            batch = collate(token_ids, indices, labels)
            for part in ("token_ids", "lengths", "labels"):
                np.save(f"{name}/{number}.{part}.npy", getattr(batch, part))
        with other_process([sys.executable, str(SCRIPTS / "benchmark_packed.py"), name]) as packed_round:
            for direction in ("one direction", "both directions"):
                yield from compare_packed(direction, token_ids, labels, batches, packed_round, options.packed_rounds)


def compare_packed(
    direction: str, token_ids: list[np.ndarray], labels: np.ndarray, batches: list[np.ndarray],
    packed_round: Callable[[str], float], rounds: int,
) -> Iterator[Figure]:  # fmt: skip
    """Yield our step's time and the ratio, in turns, for each precision; and the share of the machine's own rate."""
    config = ModelConfig(
        embedding_dim=256, hidden_dim=256, num_layers=2, bidirectional=direction == "both directions", pooling="last"
    )
    num_tokens = sum(len(token_ids[index]) for indices in batches for index in indices)
    trainers = {precision: build_trainer(config, token_ids, labels, 64, precision) for precision in precisions()}
    for trainer in trainers.values():
        train(trainer, batches)  # oneDNN prepares a kernel for each new shape
    seconds: dict[str, list[float]] = {precision: [] for precision in [*trainers, "packed"]}
    for _ in range(rounds):
        seconds["packed"].append(packed_round(direction))
        for precision, trainer in trainers.items():
            seconds[precision].append(train(trainer, batches))
    rates = dict(zip(("fp32", "bf16"), matrix_rates(), strict=True))
    name = f"2 x 256, {direction}"
    yield Figure(f"{name}: a step, packed, fp32", 1e3 * statistics.median(seconds["packed"]) / len(batches), "ms")
    for precision in trainers:
        ratios = [theirs / ours for theirs, ours in zip(seconds["packed"], seconds[precision], strict=True)]
        step = statistics.median(seconds[precision]) / len(batches)
        share = lstm_operations(config, num_tokens) / len(batches) / step / 1e9 / (rates[precision] or 1.0)
        yield Figure(f"{name}: a step, padded, {precision}", 1e3 * step, "ms")
        yield summary(f"{name}: padded {precision} against packed fp32", ratios, "times as fast")
        yield Figure(f"{name}: share of the machine's matrix products, {precision}", 100 * share, "%")


# Keras

PEERS = {  # name: (the same model here, tokens, batch size)
    "bidirectional": (ModelConfig(hidden_dim=64, num_layers=2, pooling="last"), 200, 32),
    "cnn_lstm": (
        ModelConfig(kind="cnn_lstm", hidden_dim=70, bidirectional=False, pooling="last", embedding_dropout=0.25),
        100, 30,
    ),
}  # fmt: skip


def keras_python(folder: Path) -> Path:
    """Return the Python of a virtual environment with tensorflow-cpu, made on first use."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "ready").exists():
        print(f"making {folder} with tensorflow-cpu (some minutes, 1.5 GB)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "tensorflow-cpu"], check=True)
        (folder / "ready").touch()
    return python


def peers(options: argparse.Namespace) -> Iterator[Figure]:
    """Time Keras' examples and the same models here in turns."""
    token_ids, labels = load_reviews(options.data)
    python = keras_python(options.peers_venv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with other_process([str(python), str(SCRIPTS / "benchmark_keras.py"), name]) as keras_round:
            for peer in PEERS:
                yield from compare_peer(peer, token_ids, labels, folder, keras_round, options)


def compare_peer(
    peer: str, token_ids: list[np.ndarray], labels: np.ndarray, folder: Path, keras_round: Callable[[str], float],
    options: argparse.Namespace,
) -> Iterator[Figure]:  # fmt: skip
    """Yield Keras' rate and ours: on the very same padded arrays first, then on batches of similar length."""
    config, num_tokens, batch_size = PEERS[peer]
    cut = [truncate(ids, num_tokens, "tail") for ids in token_ids]  # Keras' own pad_sequences keeps the tail
    padded = np.stack([np.pad(ids, (0, num_tokens - len(ids))) for ids in cut[: options.steps * batch_size]])
    padded_labels = labels[: len(padded)]
    np.save(folder / f"{peer}.token_ids.npy", padded.astype(np.int32))
    np.save(folder / f"{peer}.labels.npy", padded_labels.astype(np.float32))
    in_order = [np.arange(start, start + batch_size) for start in range(0, len(padded), batch_size)]
    bucketed = plan_batches([len(ids) for ids in cut], batch_size, 10**9, shuffle_key=(0, 1))[: options.steps]
    sides = {}
    for precision in precisions():
        full = build_trainer(config, list(padded), padded_labels, batch_size, precision)
        sides[f"{precision}, every review padded to {num_tokens} tokens"] = (full, in_order)
        real = build_trainer(config, cut, labels, batch_size, precision)
        sides[f"{precision}, real lengths, in buckets"] = (real, bucketed)
    for trainer, batches in sides.values():
        train(trainer, batches)
    keras_round(peer)
    keras_rates: list[float] = []
    rates: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(options.rounds):
        keras_rates.append(len(padded) / keras_round(peer))
        for side, (trainer, batches) in sides.items():
            rates[side].append(sum(map(len, batches)) / train(trainer, batches))
    yield summary(f"{peer}: Keras", keras_rates, "reviews/s")
    for side, own in rates.items():
        yield summary(f"{peer}: {side}", own, "reviews/s")
        ratios = [ours / theirs for ours, theirs in zip(own, keras_rates, strict=True)]
        yield summary(f"{peer}: {side}, against Keras", ratios, "times as fast")


# Tokenising and starting


def tokenize(options: argparse.Namespace) -> Iterator[Figure]:
    """Time vocabulary and encoding of the training reviews, cold and from the cache."""
    reviews = load_evaluation_split(DataConfig(source=options.data or "imdb"), "train")
    labels, config = label_names(reviews), TokenizerConfig()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SENTIMENT_LSTM_CACHE"] = folder
        for state in ("cold", "from the cache"):
            seconds = seconds_of(lambda: encode_split(reviews, tokenizer_for(reviews, config), labels, config))
            yield Figure(f"vocabulary and encoding of {len(reviews):,} reviews, {state}", seconds, "s")


def startup(options: argparse.Namespace) -> Iterator[Figure]:
    """Time --help, and with --model a cold prediction beside a bare import of torch."""
    program = [sys.executable, "-m", "sentiment_lstm"]
    yield summary("sentiment-lstm --help (target: 0.4)", starts([*program, "--help"]), "s")
    if options.model is not None:
        predict = starts([*program, "predict", "a film to remember", "--model", str(options.model)])
        bare = starts([sys.executable, "-c", "import torch"])
        yield summary("a cold predict", predict, "s")
        yield summary("python -c 'import torch'", bare, "s")
        ratio = statistics.median(predict) / statistics.median(bare)
        yield Figure("a cold predict against the import of torch (target: 1.3)", ratio, "times as long")


def starts(command: list[str]) -> list[float]:
    """Return the seconds of five runs of a command, after one that fills the file cache."""
    run = partial(subprocess.run, command, check=True, capture_output=True)
    run()
    return [seconds_of(run) for _ in range(5)]


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_argument_group("what to measure (default: padded against packed)")
    what.add_argument("--machine", action="store_true", help="the machine's own matrix products, GFLOP/s")
    what.add_argument("--peers", action="store_true", help="Keras' two IMDB examples beside the same models here")
    what.add_argument("--tokenize", action="store_true", help="tokenising the training reviews, cold and cached")
    what.add_argument("--startup", action="store_true", help="how long --help and, with --model, predict take")
    parser.add_argument("--data", metavar="SOURCE", help="real reviews: imdb or a path; default: synthetic ones")
    parser.add_argument("--model", metavar="RUN", type=Path, help="for --startup: a trained run")
    parser.add_argument("--steps", type=int, default=40, help="for --peers: steps a round (default 40)")
    parser.add_argument("--rounds", type=int, default=5, help="for --peers: rounds, in turns (default 5)")
    parser.add_argument("--packed-rounds", type=int, default=3, help="rounds of padded against packed (default 3)")
    parser.add_argument(
        "--peers-venv", metavar="FOLDER", type=Path, default=SCRIPTS.parent / ".venv-peers",
        help="where tensorflow-cpu is installed (default .venv-peers)",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, help="CPU threads; default: torch's own choice")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser.parse_args()


def main() -> None:
    """Measure what was asked for, and print each figure as it comes."""
    options = parse_options()
    if options.threads:
        torch.set_num_threads(options.threads)
    chosen = [measure for measure in (machine, peers, tokenize, startup) if getattr(options, measure.__name__)]
    figures = []
    for measure in chosen or [packed]:
        for figure in measure(options):
            figures.append(asdict(figure))
            if not options.json:
                print(figure, flush=True)
    if options.json:
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
