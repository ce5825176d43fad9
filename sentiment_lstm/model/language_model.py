"""The classifier's embedding and LSTM with a next-word head: what they learn from unlabelled text is theirs to keep.

    token_ids (B, T) --embedding--> (B, T, E) --LSTM--> (B, T, H) --projection--> features (B, T, E)
    logits of the next word = features @ embedding.T + bias                                (B, T, V)

The output words are the embedding's own rows (Press and Wolf 2017, Inan et al. 2017). Parameters are named as in
``SentimentClassifier``, so a classifier takes over those that both have. Letters as in ``model/classifier.py``; here B
is the number of streams that are read side by side.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sentiment_lstm.config import ModelConfig
from sentiment_lstm.model.classifier import PAD_ID, initialize_recurrent
from sentiment_lstm.model.recurrent import Recurrent

State = list[tuple[Tensor, Tensor]]  # of each layer, the hidden and the cell state, (1, B, H)


class LanguageModel(nn.Module):
    """Embedding, LSTM layers read in one direction, projection, tied output words.

    Parameters
    ----------
    config : ModelConfig
        Its ``kind`` must be ``lstm``; pooling, segments and ``bidirectional`` are the classifier's alone.
    vocabulary_size : V
    """

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(vocabulary_size, config.embedding_dim, padding_idx=PAD_ID)
        self.recurrent = Recurrent(
            "lstm",
            config.embedding_dim,
            config.hidden_dim,
            config.num_layers,
            dropout=config.layer_dropout,
            recurrent_dropout=config.recurrent_dropout,
        )
        self.projection = nn.Linear(config.hidden_dim, config.embedding_dim)
        self.output_bias = nn.Parameter(torch.zeros(vocabulary_size))
        with torch.no_grad():
            nn.init.normal_(self.embedding.weight, std=config.embedding_std)
            self.embedding.weight[PAD_ID].zero_()
            initialize_recurrent(self.recurrent, config)
        self.embedding.weight.requires_grad_(not config.freeze_embedding)

    def forward(self, token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Read on from a state; return the (B, T, E) features of the next words and the state after the last one."""
        config = self.config
        # Laid out step by step, as the recurrent kernels want them: stream by stream each layer would copy them twice.
        steps = self.embedding(token_ids.T)  # (T, B, E)
        if self.training and config.word_dropout > 0:
            steps = steps * F.dropout(steps.new_ones(*steps.shape[:2], 1), config.word_dropout)
        after: State = []
        for number, layer in enumerate(self.recurrent.forwards):
            if number > 0 and self.training:
                steps = dropout(steps, config.layer_dropout)
            outputs, own = self.recurrent.read(layer, steps.transpose(0, 1), state[number])
            steps = outputs.transpose(0, 1)  # (T, B, H)
            after.append(own)
        if self.training:
            steps = dropout(steps, config.output_dropout)
        return self.projection(steps).transpose(0, 1), after

    def start(self, num_streams: int) -> State:
        """Return the state before the first word."""
        shape = (1, num_streams, self.config.hidden_dim)
        device = self.embedding.weight.device
        return [(torch.zeros(shape, device=device), torch.zeros(shape, device=device)) for _ in self.recurrent.forwards]


def dropout(inputs: Tensor, share: float) -> Tensor:
    """Zero a share of the numbers and scale the others up, as ``F.dropout`` does in seven times the time on a CPU.

    There a random number is drawn for each zero or one. Here 16 bits of one are; a share is held to 1 / 65,536.
    """
    if share == 0:
        return inputs
    if inputs.device.type != "cpu":
        return F.dropout(inputs, share)
    kept = max(round((1 - share) * 2**16), 1)
    draws = torch.empty(-(-inputs.numel() // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
    mask = draws[: inputs.numel()].view(inputs.shape) < kept - 2**15
    return inputs * mask.to(inputs.dtype).mul_(2**16 / kept)


def flops_per_word(config: ModelConfig, compared_words: int) -> int:
    """Count the floating-point operations of the matrix products that one word costs, forward and backward pass.

    A product of a vector with an (m, n) matrix takes 2mn, and its two gradients take twice that.

    Parameters
    ----------
    compared_words : the words that the next one is told apart from, itself included
    """
    weights = sum(
        4 * config.hidden_dim * ((config.hidden_dim if number else config.embedding_dim) + config.hidden_dim)
        for number in range(config.num_layers)
    )
    weights += config.hidden_dim * config.embedding_dim + config.embedding_dim * compared_words
    return 6 * weights
