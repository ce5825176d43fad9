"""Sentences to predictions, one by one or as a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from sentiment_lstm.data.tokenizer import truncate, unknown_share
from sentiment_lstm.inference.archive import Archive, load_archive
from sentiment_lstm.training.runtime import Runtime, build_runtime
from sentiment_lstm.training.scoring import compute_logits


@dataclass(frozen=True)
class Prediction:
    """The answer to one text.

    Attributes
    ----------
    text : str
        As it was given.
    label : str
        The most probable label.
    score : float
        Its probability.
    probabilities : dict of label to float
        They sum to 1.
    num_tokens : int
        Before truncation; 0 for a blank text.
    truncated : bool
        Whether the text was longer than the model reads.
    unknown_share : float
        The share of tokens that the vocabulary lacks; near 1 the answer means nothing.
    """

    text: str
    label: str
    score: float
    probabilities: dict[str, float]
    num_tokens: int
    truncated: bool
    unknown_share: float


@dataclass(frozen=True)
class Reading:
    """How a model read one text: the fields of :class:`Prediction` that do not depend on the answer."""

    num_tokens: int
    truncated: bool
    unknown_share: float


class Predictor:
    """Answers with a trained model, in float32: alone or in a batch, a text gets the same answer."""

    def __init__(self, archive: Archive, runtime: Runtime) -> None:
        self.archive = archive
        self.labels = archive.labels
        self.runtime = runtime
        archive.model.to(runtime.device)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Return one prediction a text, in order.

        >>> predictor = load("runs/imdb")                            # doctest: +SKIP
        >>> predictor.predict(["Not bad at all."])[0].label          # doctest: +SKIP
        'positive'
        """
        if isinstance(texts, str):
            raise TypeError("predict takes a list of texts: predict([text])")
        if not texts:
            return []
        logits, readings = self.read(texts)
        predictions = []
        for text, reading, row in zip(texts, readings, logits.double().softmax(1).tolist(), strict=True):
            probabilities = dict(zip(self.labels, row, strict=True))
            label = max(probabilities, key=probabilities.__getitem__)
            predictions.append(
                Prediction(
                    text=text,
                    label=label,
                    score=probabilities[label],
                    probabilities=probabilities,
                    num_tokens=reading.num_tokens,
                    truncated=reading.truncated,
                    unknown_share=reading.unknown_share,
                )
            )
        return predictions

    def read(self, texts: Sequence[str]) -> tuple[Tensor, list[Reading]]:
        """Return the (N, C) float32 logits of at least one text, and how each was read."""
        config = self.archive.config.tokenizer
        token_ids = self.archive.tokenizer.encode_batch(texts)
        kept = [truncate(ids, config.max_length, config.truncation) for ids in token_ids]
        readings = [
            Reading(len(ids), len(own) < len(ids), unknown_share(ids)) for own, ids in zip(kept, token_ids, strict=True)
        ]
        return compute_logits(self.archive.model, kept, self.runtime), readings

    def stream(self, chunks: Iterable[Sequence[str]]) -> Iterator[Prediction]:
        """Yield one prediction a text, in order, holding no more than one chunk at a time."""
        for chunk in chunks:
            yield from self.predict(chunk)


def load(path: str | Path, device: str = "auto") -> Predictor:
    """Load a run folder for prediction: the Python door, ``sentiment_lstm.load``.

    Parameters
    ----------
    path : the folder that ``sentiment-lstm train`` wrote
    device : auto, cpu, cuda or cuda:N

    Raises
    ------
    UsageError, ArchiveError
        Where it is not a run folder, or a damaged one.
    """
    return Predictor(load_archive(Path(path)), build_runtime(device, "fp32"))
