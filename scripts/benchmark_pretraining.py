#!/usr/bin/env python3
"""How fast pretraining is, and what share of the machine's matrix products that is, measured in turns.

    .venv/bin/python scripts/benchmark_pretraining.py               one thread, then two
    … scripts/benchmark_pretraining.py --threads 4                  one thread, then four
    … scripts/benchmark_pretraining.py --set pretraining.streams=256

The recipe language_model on words drawn by Zipf's law. Every number of threads has a process of its own. A round times
some steps and then the square matrix products of scripts/benchmark.py --machine. Close other programs first.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np
import torch

from sentiment_lstm.config import Config
from sentiment_lstm.data.prepare import EncodedSplit
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.model.language_model import LanguageModel, flops_per_word
from sentiment_lstm.recipes import load_config
from sentiment_lstm.training.pretrainer import Pretrainer, compared_words
from sentiment_lstm.training.runtime import build_runtime, matrix_rates

TEXT_LENGTH = 270  # words of an IMDB review, on average
WARM_UP_STEPS = 3


def draw_texts(num_words: int, vocabulary_size: int) -> EncodedSplit:
    """Draw texts of so many words in all, word ids as often as Zipf's law has them."""
    random = np.random.default_rng(0)
    probability = 1 / np.arange(1, vocabulary_size + 1)
    words = random.choice(vocabulary_size, num_words, p=probability / probability.sum()).astype(np.int32)
    token_ids = np.split(words, range(TEXT_LENGTH, num_words, TEXT_LENGTH))
    reviews = [Review("", None, str(number)) for number in range(len(token_ids))]
    return EncodedSplit(reviews, token_ids, np.zeros(len(token_ids), np.int64), 0.0, 0.0)


def measure(config: Config, vocabulary_size: int, steps: int, rounds: int) -> dict[str, object]:
    """Time rounds of training steps; return words/s, and GFLOP/s of the steps and of square products."""
    runtime = build_runtime(config.training.device, config.training.precision, config.training.threads)
    torch.manual_seed(config.training.seed)
    settings = config.pretraining
    texts = draw_texts(settings.streams * settings.window * (WARM_UP_STEPS + steps * rounds + 1), vocabulary_size)
    model = LanguageModel(config.model, vocabulary_size).to(runtime.device)
    trainer = Pretrainer(model, config, runtime, texts, texts)
    trainer.model.train()
    groups = iter(trainer.plan(1))
    progress = trainer.progress
    progress.total_steps = WARM_UP_STEPS + steps * rounds
    for _ in range(WARM_UP_STEPS):
        trainer.train_step(next(groups), progress)
    words_per_second, square_rates = [], []
    for _ in range(rounds):
        read, started = progress.tokens, time.perf_counter()
        for _ in range(steps):
            trainer.train_step(next(groups), progress)
        words_per_second.append((progress.tokens - read) / (time.perf_counter() - started))
        fp32, bf16 = matrix_rates()
        square_rates.append(bf16 if runtime.precision == "bf16" and bf16 is not None else fp32)
    operations = flops_per_word(config.model, compared_words(settings.sampled_words, vocabulary_size))
    rates = [rate * operations / 1e9 for rate in words_per_second]
    return {
        "runtime": str(runtime),
        "words_per_second": statistics.median(words_per_second),
        "slowest_and_fastest_round": [min(words_per_second), max(words_per_second)],
        "mflop_per_word": operations / 1e6,
        "gflops": statistics.median(rates),
        "matrix_gflops": statistics.median(square_rates),
        "share": statistics.median(own / square for own, square in zip(rates, square_rates, strict=True)),
    }


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="measured after one thread (default 2)")
    parser.add_argument("--config", default="language_model", help="recipe (default language_model)")
    parser.add_argument("--set", metavar="SECTION.KEY=VALUE", dest="settings", action="append", default=[])
    parser.add_argument("--words", type=int, default=30_000, help="in the vocabulary (default 30000)")
    parser.add_argument("--steps", type=int, default=20, help="timed in a round (default 20)")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median is given (default 5)")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each number of threads")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # in this process, --threads alone
    return parser.parse_args()


def main() -> None:
    """Measure one thread and --threads in turn, each in a process of its own."""
    options = parse_options()
    if options.here:
        config = load_config(options.config, options.settings, {"training.threads": options.threads})
        print(json.dumps(measure(config, options.words, options.steps, options.rounds)))
        return
    for threads in sorted({1, options.threads}):
        command = [sys.executable, __file__, *sys.argv[1:], "--here", "--threads", str(threads)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
        found = json.loads(line)
        if options.json:
            print(line, end="", flush=True)
            continue
        slowest, fastest = found["slowest_and_fastest_round"]
        print(
            f"{found['runtime']}: {found['words_per_second']:,.0f} words/s ({slowest:,.0f} to {fastest:,.0f}), "
            f"{found['mflop_per_word']:.3g} MFLOP each: {found['gflops']:,.0f} GFLOP/s, {found['share']:.0%} of "
            f"{found['matrix_gflops']:,.0f} in square products",
            flush=True,
        )


if __name__ == "__main__":
    main()
