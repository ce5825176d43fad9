"""Make again the two models that come with the program: a language model, and a classifier made from it.

    .venv/bin/python scripts/make_shipped.py --data ../shared/data/imdb --work runs/box

Every step is a run folder under ``--work``: stopped at any moment, the same command goes on where it was. At the end
the weights are stored as whole numbers (``inference/storage.py``) in ``sentiment_lstm/shipped``, a card beside each.
``--steps`` prints the commands and runs nothing.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

from sentiment_lstm.config import SHIPPED_FOLDER, Config
from sentiment_lstm.files import write_file, write_json
from sentiment_lstm.inference import archive
from sentiment_lstm.inference.storage import quantize
from sentiment_lstm.transfer import load_start

LARGEST_BYTES = 12_000_000  # of a model, all its files together
KEPT_FACTS = (
    *("sentiment_lstm", "python", "packages", "kind", "started", "seed", "precision", "threads", "reviews"),
    *("vocabulary", "tokenizer_fingerprint", "data_fingerprint", "parameters", "unknown_share"),
)


def language_models(work: Path) -> dict[str, list[str]]:
    """Return each run's command by the name of its folder, in order; ``LANGUAGE_MODELS`` are what is stored.

    Both directions are learnt in turns: the backward one reads with the words that the forward one has learnt, at last
    with its newest.
    """
    forward, backward = ([str(work / f"{way}-{number}") for number in (1, 2, 3, 4)] for way in ("forward", "backward"))
    on = ("--set", "training.learning_rate=2e-3")
    own_words = ("--set", "model.freeze_embedding=true")
    return {
        "forward-1": ["pretrain"],
        "backward-1": ["pretrain", "--backward", "--init", forward[0]],
        "forward-2": ["pretrain", "--init", forward[0], "--epochs", "3", *on],
        "backward-2": ["pretrain", "--backward", "--init", forward[1], "--init", backward[0], "--epochs", "2", *on],
        "forward-3": ["pretrain", "--init", forward[1], "--epochs", "2", *on],
        "backward-3": ["pretrain", "--backward", "--init", backward[1], "--epochs", "2", *on, *own_words],
        "backward-4": ["pretrain", "--backward", "--init", forward[2], "--init", backward[2], "--epochs", "1",
                       "--set", "training.learning_rate=1e-3"],
    }  # fmt: skip


LANGUAGE_MODELS = ("forward-3", "backward-4")


def classifiers() -> dict[str, list[str]]:
    """Return the same of the classifier, which starts from the stored language model."""
    return {"classifier": ["train", "--config", "imdb", "--seed", "3"]}  # of three seeds the best on validation


def run_step(command: list[str], folder: Path, data: str) -> None:
    """Run a step, or go on with it; nothing where it is done."""
    if (folder / "metrics.json").is_file():
        print(f"{folder} is there")
        return
    if (folder / "checkpoints").is_dir():
        command = [command[0], "--resume", str(folder)]
    else:
        command = [*command, "--data", data, "--output", str(folder)]
    print(f"sentiment-lstm {shlex.join(command)}", flush=True)
    subprocess.run([sys.executable, "-m", "sentiment_lstm", *command], check=True)


def pack_language_model(runs: list[Path], folder: Path) -> None:
    """Put language models of the same words into one folder, small."""
    start = load_start([str(run) for run in runs])
    assert start is not None
    perplexities = [json.loads((run / "metrics.json").read_text()) for run in runs]
    _pack(start.config, start.tokenizer, [], start.weights, _facts(runs[0]), _measured(runs[0]), folder)
    print(json.dumps(perplexities))


def pack_classifier(run: Path, folder: Path) -> None:
    """Put a classifier into a folder, small."""
    own = archive.load_archive(run)
    _pack(own.config, own.tokenizer, own.labels, own.model.state_dict(), _facts(run), _measured(run), folder)


def _facts(run: Path) -> dict[str, object]:
    """What a reader of ``meta.json`` should know; nothing of the machine's folders."""
    meta = json.loads((run / "meta.json").read_text())
    return {name: meta[name] for name in KEPT_FACTS if name in meta}


def _measured(run: Path) -> dict[str, object]:
    """What training said of itself: seconds, the best epoch, how good it was."""
    return json.loads((run / "metrics.json").read_text())


def _pack(config: Config, tokenizer, labels, weights, facts, measured, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    config = config.model_copy(
        update={
            "data": config.data.model_copy(update={"source": "imdb"}),
            "model": config.model.model_copy(update={"init": ()}),
            "distillation": config.distillation.model_copy(update={"teachers": (), "unlabelled_data": None}),
        }
    )
    archive.save_description(folder, config, tokenizer, labels, facts)
    write_json(folder / archive.METRICS, measured)
    words = json.loads((folder / archive.TOKENIZER).read_bytes())
    write_file(folder / archive.TOKENIZER, json.dumps(words, ensure_ascii=False, separators=(",", ":")).encode())
    archive.save_weights(quantize(weights), folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder}: {size:,} bytes")
    if size > LARGEST_BYTES:
        sys.exit(f"{folder} is larger than {LARGEST_BYTES:,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="imdb", help="IMDB: its name, or a folder that holds it")
    parser.add_argument("--work", type=Path, default=Path("runs/box"), help="folder of the runs")
    parser.add_argument("--steps", action="store_true", help="print the commands and stop")
    arguments = parser.parse_args()
    work = arguments.work
    if arguments.steps:
        for name, command in (language_models(work) | classifiers()).items():
            print(f"sentiment-lstm {shlex.join([*command, '--output', str(work / name)])}")
        return
    for name, command in language_models(work).items():
        run_step(command, work / name, arguments.data)
    pack_language_model([work / name for name in LANGUAGE_MODELS], SHIPPED_FOLDER / "language_model")
    for name, command in classifiers().items():
        run_step(command, work / name, arguments.data)
    pack_classifier(work / "classifier", SHIPPED_FOLDER / "classifier")


if __name__ == "__main__":
    main()
