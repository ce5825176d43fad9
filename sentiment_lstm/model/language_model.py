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
        Its ``kind`` must be ``lstm``; pooling and ``bidirectional`` are the classifier's alone.
    vocabulary_size : V
    """

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(vocabulary_size, config.embedding_dim, padding_idx=PAD_ID)
        self.recurrent = Recurrent(
            "lstm", config.embedding_dim, config.hidden_dim, config.num_layers, dropout=config.layer_dropout
        )
        self.projection = nn.Linear(config.hidden_dim, config.embedding_dim)
        self.output_bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.output_dropout = nn.Dropout(config.output_dropout)
        with torch.no_grad():
            nn.init.normal_(self.embedding.weight, std=config.embedding_std)
            self.embedding.weight[PAD_ID].zero_()
            initialize_recurrent(self.recurrent, config)

    def forward(self, token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Read on from a state; return the (B, T, E) features of the next words and the state after the last one."""
        steps = self.embedding(token_ids)  # (B, T, E)
        if self.training and self.config.word_dropout > 0:
            steps = steps * F.dropout(steps.new_ones(*token_ids.shape, 1), self.config.word_dropout)
        after: State = []
        for number, layer in enumerate(self.recurrent.forwards):
            if number > 0:
                steps = F.dropout(steps, self.config.layer_dropout, self.training)
            steps, own = layer(steps, state[number])
            after.append(own)
        return self.projection(self.output_dropout(steps)), after

    def start(self, num_streams: int) -> State:
        """Return the state before the first word."""
        shape = (1, num_streams, self.config.hidden_dim)
        device = self.embedding.weight.device
        return [(torch.zeros(shape, device=device), torch.zeros(shape, device=device)) for _ in self.recurrent.forwards]
