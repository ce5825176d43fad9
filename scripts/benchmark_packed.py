"""The packed half of ``benchmark.py``: the same model as most code writes it, in a process of its own.

Embedding, ``pack_padded_sequence``, ``torch.nn.LSTM``, the last hidden states, linear, Adam, float32; nothing of this
project, so that nothing this project does for speed helps it. Trains for one round whenever a line on stdin names a
model, answering with its seconds.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

VOCABULARY_SIZE, DIM, NUM_LAYERS = 20_000, 256, 2


class PackedClassifier(nn.Module):
    """The widespread way to read reviews of unequal length."""

    def __init__(self, bidirectional: bool) -> None:
        super().__init__()
        self.directions = 2 if bidirectional else 1
        self.embedding = nn.Embedding(VOCABULARY_SIZE, DIM, padding_idx=0)
        self.lstm = nn.LSTM(DIM, DIM, NUM_LAYERS, batch_first=True, bidirectional=bidirectional)
        self.output = nn.Linear(DIM * self.directions, 2)

    def forward(self, token_ids: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embedding(token_ids), lengths, batch_first=True, enforce_sorted=False)
        _, (last_hidden, _) = self.lstm(packed)
        return self.output(torch.cat(list(last_hidden[-self.directions :]), dim=1))


def load_batches(folder: Path) -> list[list[Tensor]]:
    """Read the (token_ids, lengths, labels) of each batch."""
    count = len(list(folder.glob("*.token_ids.npy")))
    parts = ("token_ids", "lengths", "labels")
    return [[torch.from_numpy(np.load(folder / f"{number}.{part}.npy")) for part in parts] for number in range(count)]


def main() -> None:
    """Take the folder of arrays as the only argument, then "one direction" or "both directions" on stdin."""
    batches = load_batches(Path(sys.argv[1]))
    models: dict[str, tuple[nn.Module, torch.optim.Optimizer]] = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in models:
            model = PackedClassifier(bidirectional=name == "both directions")
            models[name] = (model, torch.optim.Adam(model.parameters(), fused=True))
        model, optimizer = models[name]
        started = time.perf_counter()
        for token_ids, lengths, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(token_ids, lengths), labels).backward()
            optimizer.step()
        print(f"SECONDS {time.perf_counter() - started}", flush=True)


if __name__ == "__main__":
    main()
