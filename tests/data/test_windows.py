"""Texts as streams of windows: every word once, each with the one that follows it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sentiment_lstm.data.windows import Streams


def texts(count: int = 30, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.integers(1, 50, random.integers(1, 20)).astype(np.int32) for _ in range(count)]


def read(streams: Streams) -> tuple[np.ndarray, np.ndarray]:
    """All inputs and targets, (B, L) each."""
    windows = [streams[index] for index in range(len(streams))]
    inputs, targets = (torch.cat([getattr(w, name) for w in windows], dim=1) for name in ("token_ids", "targets"))
    return inputs.numpy(), targets.numpy()


@pytest.mark.parametrize(("num_streams", "window"), [(1, 1), (1, 1000), (4, 7), (7, 3)])
def test_every_target_is_the_next_input_and_rows_follow_each_other(num_streams: int, window: int) -> None:
    own = texts()
    inputs, targets = read(Streams(own, num_streams, window))
    assert (targets[:, :-1] == inputs[:, 1:]).all()
    assert (targets[:-1, -1] == inputs[1:, 0]).all()
    words = np.concatenate([[0], *[np.append(text, 0) for text in own]])
    assert len(words) - 1 - inputs.size < num_streams, "what is left over"
    assert (inputs.ravel() == words[: inputs.size]).all()
    assert inputs[0, 0] == 0, "a text's first word is predicted from a fresh start"


def test_the_order_is_the_key_s_alone() -> None:
    one, same, other, unmixed = (read(Streams(texts(), 4, 7, key))[0] for key in ((1, 1), (1, 1), (1, 2), None))
    assert (one == same).all()
    assert (one != other).any()
    assert (one != unmixed).any()
    whole = [read(Streams(texts(), 1, 7, key))[0] for key in ((1, 1), (1, 2))]
    assert sorted(whole[0].ravel()) == sorted(whole[1].ravel())


def test_backward_reads_each_text_from_its_end() -> None:
    own = texts()
    forward = read(Streams([text[::-1] for text in own], 3, 5))
    backward = read(Streams(own, 3, 5, backward=True))
    assert all((one == other).all() for one, other in zip(forward, backward, strict=True))


def test_more_streams_than_words_are_fewer() -> None:
    streams = Streams([np.array([5, 6], dtype=np.int32)], 100, 64)
    assert streams.num_streams == 3
    assert read(streams)[1].ravel().tolist() == [5, 6, 0]
