"""Weights as whole numbers and a scale a row."""

from __future__ import annotations

import pytest
import torch

from sentiment_lstm.inference.storage import SCALE, quantize, restore


def test_an_error_is_at_most_half_a_scale() -> None:
    weights = {"a": torch.randn(40, 30) * torch.logspace(-3, 2, 40)[:, None], "bias": torch.randn(40)}
    weights["a"][3] = 0
    stored = quantize(weights)
    assert stored["a"].dtype == torch.int8
    restored = restore(stored)
    torch.testing.assert_close(restored["bias"], weights["bias"], rtol=1e-3, atol=1e-6)
    assert restored["bias"].dtype == torch.float32
    assert restored["a"].dtype == torch.float32
    assert torch.all((restored["a"] - weights["a"]).abs() <= stored["a" + SCALE] * 0.5001)
    assert torch.equal(restored["a"][3], torch.zeros(30))


def test_float_weights_are_as_they_were() -> None:
    weights = {"a": torch.randn(3, 3)}
    assert restore(weights)["a"] is weights["a"]


@pytest.mark.parametrize("change", [
    {"a" + SCALE: torch.ones(4, 1)},
    {"a" + SCALE: torch.ones(3, 3)},
    {"a" + SCALE: torch.ones(3, 1, dtype=torch.float64)},
    {"a": torch.ones(3, 3)},
    {"b" + SCALE: torch.ones(3, 1)},
])  # fmt: skip
def test_scales_that_do_not_fit_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match="scale_of_rows"):
        restore({**quantize({"a": torch.randn(3, 3)}), **change})
