"""What torchrun tells the processes that it starts, through their environment. No torch here: ``--help`` asks too."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Launch:
    """Which process this is, and of how many.

    Attributes
    ----------
    rank, count : int
        Among all, on all machines.
    local_rank, local_count : int
        Among those on this machine.
    by_torchrun : bool
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1
    by_torchrun: bool = False

    @property
    def is_main(self) -> bool:
        """Whether this is the one process, or the first of many: the one that speaks and writes."""
        return self.rank == 0


def this_launch() -> Launch:
    """Return how this process was started."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")  # clusters set the first two for other ends
    if not all(os.environ.get(name, "").isdigit() for name in names):
        return Launch()
    rank, count, local_rank, local_count = (int(os.environ[name]) for name in names)
    return Launch(rank, count, local_rank, local_count, by_torchrun=True)
