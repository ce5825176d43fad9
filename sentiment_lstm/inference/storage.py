"""Weights in a quarter of their bytes: each row of a matrix as whole numbers from -127 to 127 and one scale.

Biases become float16.

    W[i, j] ~ scale[i] * q[i, j],  scale[i] = max_j |W[i, j]| / 127

The error of a number is at most half its row's scale. What is computed with is float32 again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

SCALE = ".scale_of_rows"  # of the matrix NAME, under NAME + this


def quantize(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights made smaller: matrices as int8 with a (rows, 1) scale beside each, biases as float16."""
    stored: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if weight.dtype != torch.float32 or (weight.dim() == 2 and weight.shape[1] == 1):  # a column would only grow
            stored[name] = weight
        elif weight.dim() != 2:
            stored[name] = weight.half()
        else:
            scale = weight.abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
            stored[name] = (weight / scale).round().to(torch.int8)
            stored[name + SCALE] = scale
    return stored


def restore(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the float32 weights of what :func:`quantize` returned; other weights as they are.

    Raises
    ------
    ValueError
        Where a scale is not one float32 number a row of an int8 matrix.
    """
    weights = {
        name: weight.float() if weight.dtype == torch.float16 else weight
        for name, weight in stored.items()
        if not name.endswith(SCALE)
    }
    for scale_name in stored.keys() - weights.keys():
        name, scale = scale_name.removesuffix(SCALE), stored[scale_name]
        rows = weights.get(name)
        if rows is None or rows.dtype != torch.int8 or rows.dim() != 2:
            raise ValueError(f"{name} is no matrix of int8, which {scale_name} is for")
        if scale.dtype != torch.float32 or scale.shape != (len(rows), 1):
            raise ValueError(f"{scale_name} is not one float32 number for each row of {name}")
        weights[name] = rows * scale
    return weights


def stored_shapes(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shape of each weight that a safetensors header lists, scales left out."""
    return {name: entry.get("shape") for name, entry in header.items() if not name.endswith(SCALE)}
