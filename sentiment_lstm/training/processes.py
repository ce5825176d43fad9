"""The processes that train one model together, under torchrun; one process is the common case.

Every process plans the same batches and works on its share of each. What they add up is what one process would have.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from sentiment_lstm.data.batching import Batch
from sentiment_lstm.errors import ProcessLost
from sentiment_lstm.launch import this_launch
from sentiment_lstm.model.classifier import SentimentClassifier
from sentiment_lstm.training.objectives import Loss, Objective

STEP_TIMEOUT = timedelta(seconds=60)  # of waiting for each other within a step, which all take at the same pace
LONG_TIMEOUT = timedelta(minutes=30)  # where one has more to do: the first one tokenises, and writes to slow disks


@dataclass(frozen=True)
class Processes:
    """How many processes there are, and which one this is.

    Attributes
    ----------
    rank, count : int
        This one's number, from 0, and how many there are.
    group : ProcessGroup or None
        Those that exchange gradients, with little patience; the default group is the same with much of it.
    """

    rank: int = 0
    count: int = 1
    group: dist.ProcessGroup | None = None

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
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total, group=self.group)
        return total.tolist()

    def largest(self, number: int) -> int:
        """Return, in every process, the largest of their numbers."""
        if self.count == 1:
            return number
        largest = torch.tensor(number)
        dist.all_reduce(largest, dist.ReduceOp.MAX, group=self.group)
        return int(largest)

    def any(self, wish: bool) -> bool:
        """Return, in every process, whether one of them has the wish."""
        return bool(self.largest(int(wish)))

    def sum_after_long_work(self, tensor: Tensor) -> Tensor:
        """Return, in every process, the sum of a CPU tensor over all of them, which may come minutes apart."""
        if self.count > 1:
            tensor = tensor.clone()
            dist.all_reduce(tensor)
        return tensor

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """Return, in every process, each one's CPU tensor. All must have the same shape and type."""
        if self.count == 1:
            return [tensor]
        gathered = [torch.empty_like(tensor) for _ in range(self.count)]
        dist.all_gather(gathered, tensor, group=self.group)
        return gathered

    def wait_for_all(self) -> None:
        """Wait until all have come here, for minutes where one has more to do."""
        self.sum_after_long_work(torch.zeros(()))  # no dist.barrier: on a GPU that would spin

    def wait_for_the_first(self) -> None:
        """Wait until the first process has come here, for minutes if need be; it waits for none."""
        if self.count > 1:
            dist.broadcast(torch.zeros(()), src=0)

    @contextlib.contextmanager
    def one_after_the_first(self) -> Iterator[None]:
        """Inside, the first process is alone; the others follow when it has left, and all leave together."""
        if not self.is_main:
            self.wait_for_the_first()
        yield
        if self.is_main:
            self.wait_for_the_first()
        self.wait_for_all()


def join_processes(device: torch.device) -> Processes:
    """Join the other workers of torchrun: over nccl for what lies on a GPU, over gloo for the rest.

    On one machine everything goes over the loopback interface, unless ``GLOO_SOCKET_IFNAME`` or ``NCCL_SOCKET_IFNAME``
    names another.
    """
    launch = this_launch()
    if launch.count == launch.local_count:
        loopback = "lo0" if sys.platform == "darwin" else "lo"
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
        os.environ.setdefault("NCCL_SOCKET_IFNAME", loopback)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    with _signals_end_it():
        dist.init_process_group(backend, rank=launch.rank, world_size=launch.count, timeout=LONG_TIMEOUT)
        return Processes(launch.rank, launch.count, dist.new_group(timeout=STEP_TIMEOUT))


@contextlib.contextmanager
def _signals_end_it() -> Iterator[None]:
    """Inside, Ctrl-C and SIGTERM end the process at once: torch, waiting for the others, would not heed our answers."""
    answers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, answer in answers.items():
        if callable(answer):
            signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, answer in answers.items():
            signal.signal(number, answer)


@contextlib.contextmanager
def exchange() -> Iterator[None]:
    """Inside, processes may join; however it ends, they part.

    Raises
    ------
    ProcessLost
        As :func:`losses_named`.
    """
    try:
        with losses_named():
            yield
    finally:
        leave_processes()


@contextlib.contextmanager
def losses_named() -> Iterator[None]:
    """Give what torch says of another process's end a name.

    Raises
    ------
    ProcessLost
        Where another process has gone, or has not answered in time.
    """
    try:
        yield
    except RuntimeError as error:
        if not _tells_of_a_loss(error):
            raise
        raise ProcessLost("lost another process: it ended, or did not answer in time") from error


def leave_processes() -> None:
    """End the exchange, so that torch has nothing to complain of."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _tells_of_a_loss(error: RuntimeError) -> bool:
    return dist.is_initialized() and any(sign in str(error).lower() for sign in ("gloo", "nccl", "peer", "socket"))


class SharedObjective:
    """An objective whose gradients DistributedDataParallel averages over the processes.

    The objective as a whole is what is wrapped, not the model: one that calls ``embed`` and ``classify`` works too.
    """

    def __init__(self, objective: Objective, model: SentimentClassifier, processes: Processes) -> None:
        self._parallel = DistributedDataParallel(_ObjectiveModule(objective, model), process_group=processes.group)
        # After the first exchange torch orders the gradients anew, and another order of adding up means other last
        # digits: so that a run that is resumed goes on as it would have, that comes before the first step.
        self(None, None, is_last=True).total.backward()
        model.zero_grad()

    def __call__(self, batch: Batch | None, unlabelled: Batch | None, is_last: bool) -> Loss:
        """Return the loss of this process's batch and the unlabelled one; ``None`` where it has no review of it.

        The gradients that have been added up are exchanged in the backward pass of the last one before a step.
        """
        with contextlib.nullcontext() if is_last else self._parallel.no_sync():
            loss: Loss = self._parallel(batch, unlabelled)
        return loss


class _ObjectiveModule(nn.Module):
    def __init__(self, objective: Objective, model: SentimentClassifier) -> None:
        super().__init__()
        self.objective, self.model = objective, model

    def forward(self, batch: Batch | None, unlabelled: Batch | None) -> Loss:
        if batch is not None or unlabelled is not None:
            return self.objective(self.model, batch, unlabelled)
        nothing = torch.stack([parameter.sum() * 0 for parameter in self.model.parameters()]).sum()
        return Loss(nothing, 0, {"correct": torch.zeros(())})
