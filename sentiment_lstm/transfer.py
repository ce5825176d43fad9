"""Starting from what other runs have learnt: the words and layers of language models or of classifiers.

A language model's LSTM is named ``recurrent.forwards`` in whatever direction it read; here it goes by its direction,
as the layers of a classifier do, so that two of them can be put side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from sentiment_lstm.errors import ConfigError
from sentiment_lstm.inference.archive import Pretrained, load_pretrained
from sentiment_lstm.model.classifier import SentimentClassifier, embedding_moments, layer_of
from sentiment_lstm.model.language_model import LanguageModel

# What a language model that reads backward has of its own, and what a run of both directions calls it.
OF_ONE_DIRECTION = {"recurrent.forwards.": "recurrent.backwards.", "projection.": "backward_projection.",
                    "output_bias": "backward_output_bias"}  # fmt: skip


def load_start(runs: Sequence[str], *, as_read: bool = True) -> Pretrained | None:
    """Read the runs to start from, and put together what they know: words of the first, layers of all.

    Parameters
    ----------
    runs : names or folders
    as_read : bool
        Each run's layers must find the first one's words as they learnt to read them, numbers and all. A language model
        that goes on learning can do with words that another has learnt further in the meantime.

    Returns
    -------
    Pretrained or None
        Its weights by direction. ``None`` where no run is named.

    Raises
    ------
    UsageError, ArchiveError
        As :func:`load_pretrained`.
    ConfigError
        Where two runs have not the same words.
    """
    if not runs:
        return None
    first, *others = (_without_normalization(_by_direction(load_pretrained(Path(run)))) for run in runs)
    weights = dict(first.weights)
    for run, other in zip(runs[1:], others, strict=True):
        same_words = other.tokenizer.fingerprint == first.tokenizer.fingerprint
        if same_words and as_read:
            same_words = torch.equal(other.weights["embedding.weight"], first.weights["embedding.weight"])
        if not same_words:
            raise ConfigError(
                f"model.init: {run} has other words than {runs[0]}: make it with pretrain --init {runs[0]}, "
                "which keeps them as they are where it reads the other way"
            )
        weights = {**other.weights, **weights}
    return Pretrained(first.config, first.tokenizer, weights)


def take_over(model: SentimentClassifier, start: Pretrained) -> list[str]:
    """Start a classifier's embedding and recurrent layers from other runs'; return those layers, the top one first.

    Where the classifier reads forward alone, nothing is taken of layers of the runs that read backward; where it has a
    convolution, only the words are, as its recurrent layers read phrases.

    Raises
    ------
    ConfigError
        Where the sizes differ, with the first three differences.
    """
    both = any(name.startswith("recurrent.forwards.") for name in start.weights)
    unread = ("recurrent.backwards.",) if both and not model.config.bidirectional else ()
    read = ("embedding.", "recurrent.") if model.conv is None else ("embedding.",)
    found = {
        name: tensor for name, tensor in start.weights.items() if name.startswith(read) and not name.startswith(unread)
    }
    if model.token_frequency is not None and model.conv is None:
        mean, std = embedding_moments(found["embedding.weight"], model.token_frequency)
        found = _reading_inputs(found, scale=std, shift=mean)
    return _load(model, found)


def read_on(model: LanguageModel, start: Pretrained, backward: bool) -> list[str]:
    """Start a language model from other runs: from all of one that reads the same way, from the words of any.

    Returns and raises as :func:`take_over`.
    """
    own = model.state_dict()
    found = {}
    for name in own:
        source = _renamed(name) if backward else name
        if source not in start.weights and name == "output_bias":
            source = next((other for other in ("output_bias", "backward_output_bias") if other in start.weights), name)
        if source in start.weights:
            found[name] = start.weights[source]
    return _load(model, found)


def _by_direction(start: Pretrained) -> Pretrained:
    """Name the weights of a language model that reads backward as those of the layers that do."""
    if not start.config.pretraining.backward:
        return start
    return Pretrained(start.config, start.tokenizer, {_renamed(name): own for name, own in start.weights.items()})


def _without_normalization(start: Pretrained) -> Pretrained:
    """Let the weights of a run that normalises its embeddings read them as they are stored."""
    frequency = start.weights.get("token_frequency")
    if frequency is None or start.config.model.kind == "cnn_lstm":  # whose convolution nobody takes over
        return start
    mean, std = embedding_moments(start.weights["embedding.weight"], frequency)
    weights = _reading_inputs(start.weights, scale=1 / std, shift=-mean / std)
    return Pretrained(start.config, start.tokenizer, weights)


def _reading_inputs(weights: Mapping[str, Tensor], scale: Tensor, shift: Tensor) -> dict[str, Tensor]:
    """Change the first recurrent layers so that of u they make what they made of scale * u + shift, (E,) each.

    W (scale * u + shift) + b = (W * scale) u + (b + W shift): what is taken over goes on computing the same.
    """
    changed = dict(weights)
    for direction in ("forwards", "backwards"):
        weight, bias = (f"recurrent.{direction}.0.{name}" for name in ("weight_ih_l0", "bias_ih_l0"))
        if weight in weights and weights[weight].shape[1] == len(scale):  # else it will be refused
            changed[weight] = weights[weight] * scale
            changed[bias] = weights[bias] + weights[weight] @ shift
    return changed


def _renamed(name: str) -> str:
    for forward, backward in OF_ONE_DIRECTION.items():
        if name.startswith(forward):
            return backward + name.removeprefix(forward)
    return name


def _load(model: nn.Module, found: Mapping[str, Tensor]) -> list[str]:
    """Put weights into a model that has them all, and more; return the layers they belong to, the top one first."""
    own = model.state_dict()
    unlike = [
        f"{name}: {list(tensor.shape)} there, {list(own[name].shape) if name in own else 'nothing'} here"
        for name, tensor in found.items()
        if name not in own or own[name].shape != tensor.shape
    ]
    if unlike:
        raise ConfigError(
            f"model.init does not fit: {'; '.join(unlike[:3])}; give the model the sizes that the run has "
            "(--init does), and bidirectional where it reads backward, or start from nothing (--init none)"
        )
    model.load_state_dict({**own, **found})
    layers = layer_of(list(own))
    return [layer for layer in reversed(layers) if any(name in found for name in layers[layer])]
