"""The classifier, and the seam that adversarial training, attributions and the gradient pictures enter by.

    token_ids (B, T) --embed--> embedded (B, T, E) --classify--> logits (B, C)
    token_ids (B, T) --wide_logits--> (B, C), added there by models with n-grams

Letters used throughout: B reviews in a batch, T tokens of the longest, E embedding_dim, H hidden_dim per direction,
C classes, V vocabulary entries.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sentiment_lstm.config import ModelConfig
from sentiment_lstm.model.ngrams import NgramBranch
from sentiment_lstm.model.pooling import Pooling, length_mask
from sentiment_lstm.model.recurrent import Recurrent

PAD_ID = 0  # as in data/tokenizer.py, which the model never imports
SMALLEST_VARIANCE = 1e-12  # of an embedding's channel: one that is the same for all words stays finite


class ConvPool(nn.Module):
    """Conv1d, ReLU and max-pool over time, blind to padding.

    The input is zero past each length, so a filter sees there what the convolution's own padding would be; the output
    is zeroed past each length before the pool, and no ReLU output is smaller than that.
    """

    def __init__(self, input_dim: int, channels: int, kernel_size: int, pool_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(input_dim, channels, kernel_size, padding=kernel_size // 2)
        self.pool_size = pool_size

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Turn (B, T, D) inputs into ((B, ceil(T / pool), channels), new lengths)."""
        mask = length_mask(lengths, inputs.shape[1])[:, :, None]  # (B, T, 1)
        # An image one pixel high whose channels stand last in memory, as an embedding does: a third faster than
        # Conv1d, which has every step's numbers copied apart and back.
        image = (inputs * mask).transpose(1, 2)[:, :, None]  # (B, D, 1, T)
        kernel = self.conv.weight[:, :, None]  # (channels, D, 1, kernel size)
        features = F.relu(F.conv2d(image, kernel, self.conv.bias, padding=(0, kernel.shape[3] // 2)))
        features = features * mask.transpose(1, 2)[:, :, None]  # (B, channels, 1, T)
        pooled = F.max_pool2d(features, (1, self.pool_size), ceil_mode=True).squeeze(2)  # (B, channels, ceil(T / pool))
        return pooled.transpose(1, 2), (lengths + self.pool_size - 1) // self.pool_size


class SentimentClassifier(nn.Module):
    """Embedding, optional convolution, recurrent layers, pooling, linear.

    Parameters
    ----------
    config : ModelConfig
    vocabulary_size, num_classes : V and C
    initialize : bool
        Fill the weights as the configuration says; ``False`` saves the time where weights are loaded next.
    num_ngrams : int
        N of the wide branch, where ``config.ngrams`` asks for one; ``ngrams.set_ratios`` fills it.
    """

    def __init__(
        self,
        config: ModelConfig,
        vocabulary_size: int,
        num_classes: int,
        *,
        initialize: bool = True,
        num_ngrams: int = 0,
    ) -> None:
        super().__init__()
        self.config = config
        # Given a weight it draws none, which for shapes alone (torch's meta device) costs a second of imports.
        weight = None if initialize else torch.empty(vocabulary_size, config.embedding_dim)
        self.embedding = nn.Embedding(vocabulary_size, config.embedding_dim, padding_idx=PAD_ID, _weight=weight)
        self.embedding.weight.requires_grad_(not config.freeze_embedding)
        self.token_frequency: Tensor | None  # (V,) float32, sums to 1
        uniform = torch.full((vocabulary_size,), 1 / vocabulary_size) if config.normalize_embedding else None
        self.register_buffer("token_frequency", uniform)
        self.conv: ConvPool | None = None
        recurrent_input_dim = config.embedding_dim
        if config.kind == "cnn_lstm":
            self.conv = ConvPool(
                config.embedding_dim, config.conv_channels, config.conv_kernel_size, config.conv_pool_size
            )
            recurrent_input_dim = config.conv_channels
        self.recurrent = Recurrent(
            "rnn" if config.kind == "rnn" else "lstm",
            recurrent_input_dim,
            config.hidden_dim,
            config.num_layers,
            config.bidirectional,
            config.layer_dropout,
            config.recurrent_dropout,
            config.segment_length,
        )
        self.pooling = Pooling(config.pooling, self.recurrent.output_dim)
        self.output_dropout = nn.Dropout(config.output_dropout)
        self.output = nn.Linear(self.pooling.output_dim, num_classes)
        self.ngrams: NgramBranch | None = None
        if config.ngrams is not None:
            self.ngrams = NgramBranch(config.ngrams, num_ngrams, vocabulary_size, num_classes, config.ngram_dropout)
        if initialize:
            self._initialize()

    def forward(self, token_ids: Tensor, lengths: Tensor) -> Tensor:
        """Return the (B, C) float32 logits of (B, T) int64 token ids with (B,) lengths."""
        return self.classify(self.embed(token_ids), lengths, self.wide_logits(token_ids, lengths))

    def embed(self, token_ids: Tensor) -> Tensor:
        """Look up (B, T, E) embeddings; while training, zero whole words and whole channels of a review.

        Normalised first, where the model does that (Miyato, Dai and Goodfellow 2017, equation 1).
        """
        embedded = self.embedding(token_ids)
        if self.token_frequency is not None:
            mean, std = embedding_moments(self.embedding.weight, self.token_frequency)
            embedded = (embedded - mean) / std
        batch_size, num_steps, dim = embedded.shape
        if self.training and self.config.word_dropout > 0:
            embedded = embedded * F.dropout(embedded.new_ones(batch_size, num_steps, 1), self.config.word_dropout)
        if self.training and self.config.embedding_dropout > 0:
            embedded = embedded * F.dropout(embedded.new_ones(batch_size, 1, dim), self.config.embedding_dropout)
        return embedded

    @property
    def num_ngrams(self) -> int:
        """N of the wide branch; 0 for a model without one."""
        return 0 if self.ngrams is None else len(self.ngrams.keys)

    def wide_logits(self, token_ids: Tensor, lengths: Tensor) -> Tensor | None:
        """Return the (B, C) float32 logits that the n-grams add, or ``None`` for a model without them.

        They depend on the words, not on the embeddings: whoever disturbs embeddings hands the same ones to each
        :meth:`classify`.
        """
        return None if self.ngrams is None else self.ngrams(token_ids, lengths)

    def classify(self, embedded: Tensor, lengths: Tensor, wide: Tensor | None = None) -> Tensor:
        """Return the (B, C) float32 logits of (B, T, E) embeddings; steps at or past a length never matter.

        ``wide`` is what :meth:`wide_logits` returned for the same reviews; it is added. Once training is over the
        network's own logits count ``network_weight`` times beside it.
        """
        if self.conv is not None:
            embedded, lengths = self.conv(embedded, lengths)
        outputs, last_hidden = self.recurrent(embedded, lengths)
        directions = 2 if self.config.bidirectional else 1
        pooled = self.pooling(outputs, lengths, last_hidden[-directions:])
        logits = self.output(self.output_dropout(pooled)).float()
        if wide is None:
            return logits
        return wide + (logits if self.training else self.config.network_weight * logits)

    def embedding_unit(self) -> Tensor:
        """Return the standard deviation of an embedding's numbers, (), without a graph: 1 where they are normalised.

        What the length of a perturbation is counted in.
        """
        weight = self.embedding.weight.detach()
        return weight.std() if self.token_frequency is None else weight.new_ones(())

    def parameters_above_embedding(self) -> list[nn.Parameter]:
        """Return the trainable parameters that :meth:`classify` reads."""
        modules = [module for module in (self.conv, self.recurrent, self.pooling, self.output) if module is not None]
        return [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]

    def set_token_frequency(self, token_counts: Tensor) -> None:
        """Let embeddings be normalised over words that occur so often, a (V,) tensor; padding does not count."""
        assert self.token_frequency is not None
        counts = token_counts.double().index_fill(0, torch.tensor([PAD_ID]), 0.0)
        self.token_frequency.copy_(counts / counts.sum().clamp_min(1.0))

    def set_embedding(self, vectors: Tensor, found: Tensor) -> None:
        """Start the rows of ``found`` (V,) from pretrained ``vectors`` (V, E)."""
        with torch.no_grad():
            self.embedding.weight[found] = vectors[found]

    @torch.no_grad()
    def _initialize(self) -> None:
        """Fill the weights as the configuration names it; every forget gate starts at ``forget_bias``."""
        nn.init.normal_(self.embedding.weight, std=self.config.embedding_std)
        self.embedding.weight[PAD_ID].zero_()
        initialize_recurrent(self.recurrent, self.config)


def embedding_moments(weight: Tensor, frequency: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation, (E,) each, of (V, E) embeddings of words with a (V,) frequency."""
    with torch.autocast(weight.device.type, enabled=False):
        mean = frequency @ weight
        variance = frequency @ (weight - mean).square()
    return mean, variance.clamp_min(SMALLEST_VARIANCE).sqrt()


@torch.no_grad()
def initialize_recurrent(recurrent: Recurrent, config: ModelConfig) -> None:
    """Fill the recurrent layers' weights as the configuration names it; every forget gate starts at ``forget_bias``."""
    hidden_dim = config.hidden_dim
    for layer in [*recurrent.forwards, *recurrent.backwards]:
        input_weight, hidden_weight, input_bias, hidden_bias = layer.parameters()
        if config.initialization == "orthogonal":
            for gate in input_weight.split(hidden_dim):
                nn.init.xavier_uniform_(gate)
            for gate in hidden_weight.split(hidden_dim):
                nn.init.orthogonal_(gate)
            input_bias.zero_()
            hidden_bias.zero_()
        if isinstance(layer, nn.LSTM):  # gates stand in the order input, forget, cell, output
            input_bias[hidden_dim : 2 * hidden_dim] = config.forget_bias
            hidden_bias[hidden_dim : 2 * hidden_dim] = 0.0


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Return the number of trainable parameters of each layer that has any."""
    parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
    return {layer: sum(parameters[n].numel() for n in names) for layer, names in layer_of(list(parameters)).items()}


def layer_of(parameter_names: Sequence[str]) -> dict[str, list[str]]:
    """Group parameter names by layer: ``embedding``, ``conv``, ``recurrent.forwards.0`` …, ``pooling``, ``output``."""
    layers: dict[str, list[str]] = {}
    for name in parameter_names:
        parts = name.split(".")
        layer = ".".join(parts[:3]) if parts[0] == "recurrent" else parts[0]
        layers.setdefault(layer, []).append(name)
    return layers
