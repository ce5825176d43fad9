"""Several models that answer together: the mean of their logits. What a model is does not matter, its labels do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from sentiment_lstm.errors import UsageError
from sentiment_lstm.inference.archive import Archive, load_archive
from sentiment_lstm.inference.predictor import Predictor, Reading
from sentiment_lstm.training.runtime import Runtime, build_runtime


def check_labels(archives: Sequence[Archive]) -> None:
    """Refuse models that do not choose from the same labels.

    Raises
    ------
    UsageError
        With the first two that differ.
    """
    first = archives[0]
    for other in archives[1:]:
        if set(other.labels) != set(first.labels):
            raise UsageError(
                f"{first.folder} answers with {', '.join(first.labels)} and {other.folder} with "
                f"{', '.join(other.labels)}: only models with the same labels can answer together"
            )


def mean_logits(
    logits: Sequence[Tensor], labels: Sequence[Sequence[str]], order: Sequence[str] | None = None
) -> Tensor:
    """Return the (N, C) mean of several models' (N, C) logits.

    Parameters
    ----------
    logits : of each model
    labels : of each model, the same ones in any order
    order : of the columns of the mean; default: that of the first model's labels
    """
    columns = [[own.index(label) for label in order or labels[0]] for own in labels]
    return torch.stack([own[:, places] for own, places in zip(logits, columns, strict=True)]).mean(0)


class Ensemble(Predictor):
    """Answers as a :class:`Predictor` does, with the mean of several models' logits.

    Each model reads a text with its own tokenizer. A prediction's ``num_tokens`` is the first model's, ``truncated``
    says whether any of them cut the text, and ``unknown_share`` is their mean.

    Raises
    ------
    UsageError
        Where the models' labels are not the same.
    """

    def __init__(self, archives: Sequence[Archive], runtime: Runtime) -> None:
        check_labels(archives)
        super().__init__(archives[0], runtime)
        self.members = [Predictor(archive, runtime) for archive in archives]

    def read(self, texts: Sequence[str]) -> tuple[Tensor, list[Reading]]:
        """Return the (N, C) float32 mean of the logits, and how each text was read."""
        logits, readings = zip(*(member.read(texts) for member in self.members), strict=True)
        together = [
            Reading(own[0].num_tokens, any(r.truncated for r in own), fmean(r.unknown_share for r in own))
            for own in zip(*readings, strict=True)
        ]
        return mean_logits(logits, [member.labels for member in self.members]), together


def load_ensemble(paths: Sequence[str | Path], device: str = "auto") -> Ensemble:
    """Load several run folders to answer together.

    Raises
    ------
    UsageError, ArchiveError
        Where one is not a run folder, or a damaged one; where their labels are not the same.
    """
    return Ensemble([load_archive(Path(path)) for path in paths], build_runtime(device, "fp32"))
