"""The Keras half of ``benchmark.py --peers``; runs in the virtual environment that has tensorflow-cpu, not in ours.

Builds Keras' two IMDB examples, chooses the faster way to run each, and then trains for one round whenever a line on
stdin names one, answering with its seconds. Between rounds it waits, so that the other side is timed alone.
"""

import sys
import time
from pathlib import Path

import keras
import numpy as np
from keras import layers

VOCABULARY_SIZE, EMBEDDING_DIM = 20_000, 128
BATCH_SIZES = {"bidirectional": 32, "cnn_lstm": 30}


def bidirectional() -> keras.Model:
    """keras.io, "Bidirectional LSTM on IMDB"."""
    return keras.Sequential(
        [
            layers.Embedding(VOCABULARY_SIZE, EMBEDDING_DIM),
            layers.Bidirectional(layers.LSTM(64, return_sequences=True)),
            layers.Bidirectional(layers.LSTM(64)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def cnn_lstm() -> keras.Model:
    """Keras' examples/imdb_cnn_lstm.py."""
    return keras.Sequential(
        [
            layers.Embedding(VOCABULARY_SIZE, EMBEDDING_DIM),
            layers.Dropout(0.25),
            layers.Conv1D(64, 5, padding="valid", activation="relu"),
            layers.MaxPooling1D(4),
            layers.LSTM(70),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def train(model: keras.Model, data: dict[str, np.ndarray], batch_size: int) -> float:
    """Train on the data once; return the seconds."""
    started = time.perf_counter()
    model.fit(data["token_ids"], data["labels"], batch_size=batch_size, verbose=0)
    return time.perf_counter() - started


def fastest(name: str, data: dict[str, np.ndarray]) -> keras.Model:
    """Compile with and without XLA, warm both up, and keep the faster."""
    timed = []
    for jit_compile in (False, True):
        model = {"bidirectional": bidirectional, "cnn_lstm": cnn_lstm}[name]()
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"], jit_compile=jit_compile)
        train(model, data, BATCH_SIZES[name])
        timed.append((train(model, data, BATCH_SIZES[name]), jit_compile, model))
    _, jit_compile, model = min(timed, key=lambda entry: entry[0])
    print(f"{name}: {'XLA' if jit_compile else 'no XLA'} is the faster", file=sys.stderr)
    return model


def main() -> None:
    """Take the folder of arrays as the only argument, then names of examples on stdin."""
    folder = Path(sys.argv[1])
    models = {}
    for line in sys.stdin:
        name = line.strip()
        data = {part: np.load(folder / f"{name}.{part}.npy") for part in ("token_ids", "labels")}
        if name not in models:
            models[name] = fastest(name, data)
        print(f"SECONDS {train(models[name], data, BATCH_SIZES[name])}", flush=True)


if __name__ == "__main__":
    main()
