"""The processes that train one model together, under torchrun; one process is the common case.

Every process plans the same batches and works on its share of each. What they add up is what one process would have.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from sentiment_lstm.data.batching import Batch
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.training.objectives import Loss, Objective

TIMEOUT = timedelta(minutes=30)  # of waiting for each other: the first one may tokenise for minutes


@dataclass(frozen=True)
class Processes:
    """How many processes there are, and which one this is.

    Attributes
    ----------
    rank, count : int
        This one's number, from 0, and how many there are.
    device : torch.device
        Where tensors must lie to be exchanged: the GPU with nccl, the CPU with gloo.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_main(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def share(self, indices: np.ndarray) -> np.ndarray:
        """Return this process's part of a batch: every review goes to exactly one, to some perhaps none."""
        return indices[self.rank :: self.count]

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return, in every process, the sums over all of them. In float64."""
        if self.count == 1:
            return list(values)
        return self.sum_tensor(torch.tensor(values, dtype=torch.float64)).tolist()

    def sum_tensor(self, tensor: Tensor) -> Tensor:
        """Return, in every process and on the CPU, the sum of a tensor over all of them."""
        if self.count == 1:
            return tensor.cpu()
        total = tensor.to(self.device, copy=True)
        dist.all_reduce(total)
        return total.cpu()

    def any(self, wish: bool) -> bool:
        """Return, in every process, whether one of them has the wish."""
        return wish if self.count == 1 else self.sum([float(wish)])[0] > 0

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """Return, in every process, each one's tensor. All must have the same shape and type."""
        if self.count == 1:
            return [tensor]
        mine = tensor.to(self.device)
        gathered = [torch.empty_like(mine) for _ in range(self.count)]
        dist.all_gather(gathered, mine)
        return [each.cpu() for each in gathered]

    @contextlib.contextmanager
    def one_after_the_first(self) -> Iterator[None]:
        """Inside, the first process is alone; the others follow when it has left."""
        if self.count > 1 and not self.is_main:
            dist.barrier()
        yield
        if self.count > 1 and self.is_main:
            dist.barrier()


def started_by_torchrun() -> bool:
    """Whether the environment holds what torchrun tells its workers."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def join_processes(device: torch.device) -> Processes:
    """Join the other workers of torchrun: over nccl where each has a GPU, else over gloo.

    On one machine everything goes over the loopback interface, unless ``GLOO_SOCKET_IFNAME`` or ``NCCL_SOCKET_IFNAME``
    names another.
    """
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if count == int(os.environ.get("LOCAL_WORLD_SIZE", count)):
        loopback = "lo0" if sys.platform == "darwin" else "lo"
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
        os.environ.setdefault("NCCL_SOCKET_IFNAME", loopback)
    backend = "nccl" if device.type == "cuda" else "gloo"
    if not dist.is_initialized():
        dist.init_process_group(backend, rank=rank, world_size=count, timeout=TIMEOUT)
    return Processes(rank, count, device)


def leave_processes() -> None:
    """End the exchange, so that torch has nothing to complain of."""
    if dist.is_initialized():
        dist.destroy_process_group()


class SharedObjective:
    """An objective whose gradients DistributedDataParallel averages over the processes.

    The objective as a whole is what is wrapped, not the model: one that calls ``embed`` and ``classify`` works too.
    """

    def __init__(self, objective: Objective, model: SentimentClassifier) -> None:
        self._parallel = DistributedDataParallel(_ObjectiveModule(objective, model), broadcast_buffers=False)

    def __call__(self, batch: Batch | None, is_last: bool) -> Loss:
        """Return the loss of this process's batch; ``None`` where it has no review of it.

        The gradients that have been added up are exchanged in the backward pass of the last one before a step.
        """
        with contextlib.nullcontext() if is_last else self._parallel.no_sync():
            loss: Loss = self._parallel(batch)
        return loss


class _ObjectiveModule(nn.Module):
    def __init__(self, objective: Objective, model: SentimentClassifier) -> None:
        super().__init__()
        self.objective, self.model = objective, model

    def forward(self, batch: Batch | None) -> Loss:
        if batch is not None:
            return self.objective(self.model, batch, None)
        nothing = torch.stack([parameter.sum() * 0 for parameter in self.model.parameters()]).sum()
        return Loss(nothing, 0, {"correct": torch.zeros(())})
