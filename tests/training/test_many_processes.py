"""What several processes add up to is what one would have: gradients, sums, validation."""

from __future__ import annotations

import itertools
import os
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from workers import Workers

from sentiment_lstm.config import ModelConfig, TrainingConfig
from sentiment_lstm.data.prepare import EncodedSplit
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.unlabelled import UnlabelledBatches
from sentiment_lstm.errors import UsageError
from sentiment_lstm.experiment import build_classifier
from sentiment_lstm.launch import Launch, this_launch
from sentiment_lstm.training.objectives import build_objective
from sentiment_lstm.training.processes import Processes, exchange, join_processes
from sentiment_lstm.training.runtime import Runtime, build_runtime
from sentiment_lstm.training.trainer import Trainer

SEMI_SUPERVISED = {"entropy_weight": 2.0, "adversarial_epsilon": 1.0}
CASES: dict[str, dict[str, Any]] = {
    "even": {"batches": [8]},
    "uneven": {"batches": [7]},
    "fewer reviews than processes": {"batches": [1]},
    "accumulated": {"batches": [5, 1, 6]},
    "accumulated, nothing in the last": {"batches": [7, 1]},
    "class weights": {"batches": [7], "class_weights": [0.5, 2.0]},
    "label smoothing": {"batches": [7, 2], "label_smoothing": 0.1},
    "in pieces": {"batches": [8], "piece_tokens": 8},
    "frozen embeddings": {"batches": [7], "model": {"freeze_embedding": True}},
    "convolution": {"batches": [7, 1], "model": {"kind": "cnn_lstm"}},
    "n-grams": {"batches": [7, 1], "model": {"ngrams": 2, "ngram_min_count": 2}},
    "entropy on more unlabelled reviews": {"batches": [7, 1], "unlabelled": [9, 4], "training": SEMI_SUPERVISED},
    "entropy on fewer unlabelled reviews": {"batches": [7], "unlabelled": [1], "training": SEMI_SUPERVISED},
    "segments": {"batches": [7, 1], "model": {"segment_length": 3, "pooling": "last"}},
    "both directions, attention": {"batches": [3], "model": {"bidirectional": True, "pooling": "attention"}},
}


@given(st.integers(0, 200), st.integers(1, 20))
def test_every_review_goes_to_exactly_one_process(reviews: int, count: int) -> None:
    shares = [Processes(rank, count).share(np.arange(reviews)) for rank in range(count)]
    assert sorted(np.concatenate(shares).tolist()) == list(range(reviews))
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def toy_split() -> EncodedSplit:
    random = np.random.default_rng(0)
    token_ids = [random.integers(2, 12, random.integers(1, 9)).astype(np.int32) for _ in range(23)]
    labels = np.array([int(ids[0]) % 2 for ids in token_ids], dtype=np.int64)
    reviews = [Review("", str(label), str(number)) for number, label in enumerate(labels)]
    return EncodedSplit(reviews, token_ids, labels, 0.0, 0.0)


def build_trainer(processes: Processes, case: dict[str, Any]) -> Trainer:
    runtime = Runtime(torch.device("cpu"), "fp32", processes=processes)
    model = ModelConfig.model_validate({"embedding_dim": 8, "hidden_dim": 8, **case.get("model", {})})
    torch.manual_seed(1 + processes.rank)  # the first one's weights are what counts
    classifier = build_classifier(model, toy_split(), 12, 2)
    weights = torch.tensor(case["class_weights"]) if "class_weights" in case else None
    config = TrainingConfig(label_smoothing=case.get("label_smoothing", 0.0), **case.get("training", {}))
    split = toy_split()
    trainer = Trainer(classifier, build_objective(config, weights), config, runtime, split, split)
    if "unlabelled" in case:
        trainer.unlabelled = UnlabelledBatches(split.token_ids, config)
        trainer.unlabelled._batches = [np.arange(size) for size in case["unlabelled"]]
    trainer.pieces.tokens = case.get("piece_tokens")
    return trainer


def gradient_of(case: dict[str, Any], processes: Processes) -> dict[str, Any]:
    """Sums, gradient, and validation."""
    trainer = build_trainer(processes, case)
    ends = np.cumsum([0, *case["batches"]])
    group = [np.arange(start, end) for start, end in itertools.pairwise(ends)]
    sums = trainer.compute_gradient(group)
    gradient = {name: value.grad.flatten().tolist() for name, value in trainer.parameters.items()}  # type: ignore[union-attr]
    return {"sums": sums, "gradient": gradient, "validation": trainer._validate()}


def in_a_worker() -> dict[str, Any]:
    """What each of the processes computes, and how they agree."""
    with exchange():
        processes = join_processes(torch.device("cpu"))
        answers: dict[str, Any] = {name: gradient_of(case, processes) for name, case in CASES.items()}
        answers["sum"] = processes.sum([processes.rank, 0.5])
        answers["largest"] = processes.largest(processes.rank)
        answers["any"] = [processes.any(processes.rank == 1), processes.any(False)]
        answers["gathered"] = [tensor.tolist() for tensor in processes.gather(torch.tensor([processes.rank]))]
    answers["interface"] = os.environ["GLOO_SOCKET_IFNAME"]
    return answers


@pytest.fixture(scope="module", params=[2, 3])
def answers(workers: Workers, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return workers.call(f"{__file__}:in_a_worker", count=request.param)


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_that_of_the_same_batch_on_one_process(name: str, answers: list[dict[str, Any]]) -> None:
    alone = gradient_of(CASES[name], Processes())
    for answer in answers:
        own = answer[name]
        assert own["sums"][1:] == alone["sums"][1:], "right answers, reviews, tokens"
        assert own["sums"][0] == pytest.approx(alone["sums"][0], abs=1e-5)
        assert own["validation"] == pytest.approx(alone["validation"], abs=1e-6)
        assert own["gradient"].keys() == alone["gradient"].keys()
        for parameter, values in alone["gradient"].items():
            assert own["gradient"][parameter] == pytest.approx(values, abs=1e-6, rel=0), parameter
        assert own == answers[0][name], "the same in every process, to the last bit"


def test_processes_agree(answers: list[dict[str, Any]]) -> None:
    count = len(answers)
    for answer in answers:
        assert answer["sum"] == [sum(range(count)), 0.5 * count]
        assert answer["largest"] == count - 1
        assert answer["any"] == [True, False]
        assert answer["gathered"] == [[rank] for rank in range(count)]
        assert answer["interface"] == "lo", "nothing leaves the machine"


def test_a_cluster_that_numbers_its_machines_is_not_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert this_launch() == Launch(), "else `predict` would be refused there, and `train` wait for others in vain"
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    assert this_launch() == Launch(1, 2, 0, 1, by_torchrun=True)


@pytest.mark.parametrize(("device", "own"), [("auto", 3), ("cuda", 3), ("cuda:0", 2)])
def test_a_gpu_each_or_a_word_why_not(monkeypatch: pytest.MonkeyPatch, device: str, own: int) -> None:
    chosen: list[torch.device] = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.set_device", chosen.append)
    for name, value in {"RANK": 1, "WORLD_SIZE": own, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": own}.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(UsageError, match=rf"{own} processes .* need a GPU each, of which this torch sees 2"):
        build_runtime(device, "fp32")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert build_runtime("auto", "fp32").device == torch.device("cuda:1")
    assert chosen == [torch.device("cuda:1")]


def test_one_process_needs_no_exchange() -> None:
    alone = Processes()
    assert alone.is_main
    assert alone.sum([1.5]) == [1.5]
    assert alone.largest(3) == 3
    assert alone.gather(torch.ones(1)) == [torch.ones(1)]
    alone.wait_for_all()
    alone.wait_for_the_first()
    with alone.one_after_the_first():
        pass


@pytest.mark.parametrize(("own", "everywhere", "wanted"), [(2, 2, "lo"), (2, 4, None)])
def test_one_machine_talks_to_itself_and_several_as_they_are_told(
    monkeypatch: pytest.MonkeyPatch, own: int, everywhere: int, wanted: str | None
) -> None:
    launch = {"RANK": 0, "WORLD_SIZE": everywhere, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": own}
    for name, value in launch.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr("torch.distributed.init_process_group", lambda *arguments, **settings: None)
    monkeypatch.setattr("torch.distributed.new_group", lambda **settings: None)
    for chosen in (None, "eth7"):
        for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            monkeypatch.setenv(name, chosen or "")  # remembers what to put back
            if chosen is None:
                monkeypatch.delenv(name)
        join_processes(torch.device("cpu"))
        assert os.environ.get("GLOO_SOCKET_IFNAME") == (chosen or wanted)
