"""Device and precision: what is asked for, what is there, and what is said about the difference."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from sentiment_lstm.errors import UsageError
from sentiment_lstm.training import runtime
from sentiment_lstm.training.runtime import build_runtime, has_bf16, matrix_rates


def test_fp32_is_always_granted() -> None:
    chosen = build_runtime("cpu", "fp32")
    assert (chosen.device.type, chosen.precision, chosen.note) == ("cpu", "fp32", "")


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_without_bf16_it_falls_back_and_says_so(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "has_bf16", lambda device_type: False)
    chosen = build_runtime("cpu", precision)
    assert chosen.precision == "fp32"
    assert "no bf16" in chosen.note
    assert "\n" not in chosen.note


def test_with_bf16_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "has_bf16", lambda device_type: True)
    assert build_runtime("cpu", "auto").precision == "bf16"


def test_probe_leaves_the_random_state_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    has_bf16.__wrapped__("cpu")
    assert torch.equal(torch.get_rng_state(), before)


def test_probe_on_a_processor_without_bf16() -> None:
    """oneDNN told to use nothing newer than AVX2 refuses a bf16 LSTM, as it does on such a processor."""
    code = "from sentiment_lstm.training.runtime import *; r = build_runtime('cpu'); print(r.precision, r.note)"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
        capture_output=True,
        text=True,
    )
    assert answer.stdout.startswith("fp32 no bf16"), answer.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is there")
@pytest.mark.parametrize("device", ["cuda", "cuda:3"])
def test_missing_cuda_is_a_usage_error(device: str) -> None:
    with pytest.raises(UsageError, match="sees no CUDA device"):
        build_runtime(device)


def test_matrix_rates_are_positive() -> None:
    fp32, bf16 = matrix_rates(size=128, repeats=1)
    assert fp32 > 0
    assert (bf16 is None) == (not has_bf16("cpu"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library of Linux")
def test_freed_memory_is_kept_and_can_be_given_back() -> None:
    program = """
import numpy as np
from sentiment_lstm.training.runtime import keep_freed_memory, return_freed_memory

def resident():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

keep_freed_memory()
blocks = [np.ones(2**17) for _ in range(200)]  # 1 MiB each
del blocks[:-1]  # the last one lies above them all
kept = resident()
return_freed_memory()
print(kept - resident(), blocks[0].sum())
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    given_back, alive = map(float, answer.split())
    assert given_back > 150
    assert alive == 2**17
