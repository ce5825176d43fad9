"""Train, measure and understand LSTM sentiment classifiers.

The Python door::

    import sentiment_lstm

    predictor = sentiment_lstm.load("runs/imdb")
    for prediction in predictor.predict(["Not bad at all.", "I expected wit and got noise."]):
        print(prediction.label, prediction.score)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sentiment_lstm.inference.predictor import Predictor

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(path: str | Path, device: str = "auto") -> Predictor:
    """Load a run folder; see :func:`sentiment_lstm.inference.predictor.load`. Imports torch only when called."""
    from sentiment_lstm.inference.predictor import load

    return load(path, device)
