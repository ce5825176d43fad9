"""The machine a run uses: device, precision, threads, and the random state it starts from."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
import random
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sentiment_lstm.errors import UsageError
from sentiment_lstm.launch import this_launch
from sentiment_lstm.training.processes import Processes, join_processes


@dataclass(frozen=True)
class Runtime:
    """Where and how tensors are computed.

    Attributes
    ----------
    device : torch.device
    precision : "fp32" or "bf16"
        bf16 is autocast: weights, optimiser and loss stay float32.
    note : str
        Why a wish was not granted, or empty.
    processes : Processes
        Those that train together, under torchrun.
    """

    device: torch.device
    precision: str
    note: str = ""
    processes: Processes = field(default_factory=Processes)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context to run a forward pass in."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def __str__(self) -> str:
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"
        count = torch.get_num_threads()
        threads = f", {count} thread{'s' if count > 1 else ''}" if self.device.type == "cpu" else ""
        processes = f", {self.processes.count} processes" if self.processes.count > 1 else ""
        return f"{name}, {self.precision}{threads}{processes}"


def build_runtime(device: str = "auto", precision: str = "auto", threads: int | None = None) -> Runtime:
    """Choose the device and the precision, falling back to fp32 where the hardware has no bf16.

    Raises
    ------
    UsageError
        Where CUDA is asked for and not there.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    chosen = _choose_device(device)
    if chosen.type == "cpu":
        keep_freed_memory()
    if precision == "fp32":
        return Runtime(chosen, "fp32")
    if has_bf16(chosen.type):
        return Runtime(chosen, "bf16")
    return Runtime(chosen, "fp32", "no bf16 on this processor: computing in fp32")


def join_runtime(runtime: Runtime) -> Runtime:
    """Return the runtime together with the other processes of torchrun, where torchrun started this one."""
    if not this_launch().by_torchrun:
        return runtime
    return dataclasses.replace(runtime, processes=join_processes(runtime.device))


def _choose_device(device: str) -> torch.device:
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"training.device is {device!r}, but this torch sees no CUDA device: use cpu or auto")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    launch = this_launch()
    if device.startswith("cuda") and launch.by_torchrun:
        if (device != "cuda" and launch.local_count > 1) or launch.local_count > torch.cuda.device_count():
            raise UsageError(
                f"{launch.local_count} processes on this machine need a GPU each, of which this torch sees "
                f"{torch.cuda.device_count()}: start no more, and leave training.device at auto"
            )
        device = device if device != "cuda" else f"cuda:{launch.local_rank}"
    chosen = torch.device(device)
    if chosen.type == "cuda" and chosen.index is not None:
        if chosen.index >= torch.cuda.device_count():
            raise UsageError(f"training.device is {device!r}, but there are {torch.cuda.device_count()} CUDA devices")
        torch.cuda.set_device(chosen)
    return chosen


def keep_freed_memory() -> None:
    """Ask the C library to keep the memory that a step frees, and to hand it to the next step.

    glibc gives large blocks back to the system, which clears every page again on their next use: 60,000 page faults,
    and a third to a half of the time, of a bidirectional 1 x 128 step of 64 x 400 tokens (docs/results.md). Other C
    libraries are left alone.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has no mallopt
        return
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of <malloc.h>
    mallopt(mmap_threshold, 2**30)  # smaller blocks come from the heap
    mallopt(trim_threshold, 2**31 - 1)  # of which so much may stay unused


def return_freed_memory() -> None:
    """Give the pages that the C library keeps and nobody uses back to the system.

    Batches have many shapes, so what :func:`keep_freed_memory` keeps falls to pieces that fit no other batch, and it
    grows: to 6 GB in 13 minutes of the recipe `imdb`. Once a minute costs half a percent.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):  # musl has no malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


@functools.cache
def has_bf16(device_type: str) -> bool:
    """Whether bf16 runs, and in hardware: where it is emulated it is slower than fp32.

    Without the instructions oneDNN refuses a bf16 LSTM outright, so the probe is a small one, backward pass included.
    """
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        with torch.random.fork_rng(devices=[]), torch.autocast(device_type, torch.bfloat16):
            lstm = nn.LSTM(8, 8, batch_first=True)
            outputs, _ = lstm(torch.ones(2, 3, 8))
            outputs.float().sum().backward()
    except RuntimeError:
        return False
    return _processor_multiplies_bf16()


def _processor_multiplies_bf16() -> bool:
    """Whether the processor has bf16 products: AVX512_BF16 or AMX on x86, BF16 on Arm."""
    if torch.backends.cpu.get_cpu_capability() == "AVX512":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" in _arm_features()


def _arm_features() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next((line for line in lines if line.startswith("Features")), "")
    except OSError:
        return ""


def seed_everything(seed: int) -> None:
    """Start every random generator: weights and dropout follow from torch's. Batch order has a seed of its own."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the state of every random generator of this process, as tensors."""
    _, numbers, *rest = np.random.get_state()
    _, integers, gauss = random.getstate()
    state = {
        "torch": torch.get_rng_state(),
        "numpy": torch.tensor([*map(int, numbers), *rest], dtype=torch.float64),  # 32-bit integers fit exactly
        "python": torch.tensor([*integers, gauss is not None, gauss or 0.0], dtype=torch.float64),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Put every random generator back to where :func:`random_state` found it."""
    torch.set_rng_state(state["torch"])
    *numbers, position, has_gauss, cached = state["numpy"].tolist()
    np.random.set_state(("MT19937", np.array(numbers, dtype=np.uint32), int(position), int(has_gauss), cached))
    *integers, has_gauss, gauss = state["python"].tolist()
    random.setstate((3, tuple(map(int, integers)), gauss if has_gauss else None))
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


def matrix_rates(size: int = 2048, repeats: int = 3) -> tuple[float, float | None]:
    """Measure the machine's own rate: the best of a few square matrix products, in GFLOP/s, fp32 and bf16.

    A time means something only beside it. bf16 is ``None`` where the processor has none.
    """

    def rate(dtype: torch.dtype) -> float:
        matrix = torch.ones(size, size, dtype=dtype)
        # A 1 x 1 convolution is the same product by oneDNN, which on some processors is twice as fast as torch's own.
        products = (lambda: matrix @ matrix, lambda: F.conv1d(matrix[None], matrix[:, :, None]))
        seconds = []
        for product in products:
            for _ in range(repeats):
                started = time.perf_counter()
                product()
                seconds.append(time.perf_counter() - started)
        return round(2 * size**3 / min(seconds) / 1e9, 1)

    bf16_is_there = has_bf16("cpu")
    with torch.inference_mode():
        return rate(torch.float32), rate(torch.bfloat16) if bf16_is_there else None
