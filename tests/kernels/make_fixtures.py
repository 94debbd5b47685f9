#!/usr/bin/env python3
"""Makes the fixtures of operations that have no other: python3 make_fixtures.py [folder]

Writes grid_sample.safetensors (the results of PyTorch) and deform_conv2d__*.safetensors (the results
of the formula below, loop by loop) into tests/data/ops. Needs torch and numpy; all arithmetic is in
float64 on inputs that are float32. Tensors are stored as NCHW.
"""
import json
import math
import pathlib
import struct
import sys

import numpy as np


def write_safetensors(path, tensors, metadata):
    header = {"__metadata__": metadata}
    offset = 0
    for name, values in tensors.items():
        size = values.size * 4
        header[name] = {"dtype": "F32", "shape": list(values.shape),
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            file.write(np.ascontiguousarray(values, dtype="<f4").tobytes())


def uniform(random, low, high, *shape):
    return random.uniform(low, high, shape).astype(np.float32)


def make_grid_sample(folder):
    """One input and grid; an output for every mode, padding and align_corners."""
    import torch
    random = np.random.default_rng(7)
    x = uniform(random, -1, 1, 2, 3, 5, 7)
    grid = uniform(random, -2.4, 2.4, 2, 4, 6, 2)
    grid[0, 0, 0] = (-1, -1)  # corners and the centre
    grid[0, 0, 1] = (1, 1)
    grid[0, 0, 2] = (0, 0)
    tensors = {"input": x, "grid": grid.transpose(0, 3, 1, 2)}
    for mode in ("bilinear", "nearest", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            for align_corners in (False, True):
                output = torch.nn.functional.grid_sample(
                    torch.from_numpy(x).double(), torch.from_numpy(grid).double(), mode=mode,
                    padding_mode=padding, align_corners=align_corners)
                name = f"{mode}_{padding}" + ("_align_corners" if align_corners else "")
                tensors[name] = output.numpy()
    write_safetensors(folder / "grid_sample.safetensors", tensors,
                      {"source": "torch.nn.functional.grid_sample " + torch.__version__})


def bilinear(plane, h, w):
    """plane at (h, w), zeros around it."""
    total = 0.0
    for row in (math.floor(h), math.floor(h) + 1):
        for column in (math.floor(w), math.floor(w) + 1):
            if 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]:
                total += (1 - abs(h - row)) * (1 - abs(w - column)) * float(plane[row, column])
    return total


def deform_conv2d(x, offset, mask, weight, bias, stride, padding, dilation):
    """Dai et al. 2017, equation 2; with a mask Zhu et al. 2019, equation 1."""
    N, C, H, W = x.shape
    K, C_of_group, R, S = weight.shape
    groups = C // C_of_group
    P = (H + 2 * padding - dilation * (R - 1) - 1) // stride + 1
    Q = (W + 2 * padding - dilation * (S - 1) - 1) // stride + 1
    offset_groups = offset.shape[1] // (2 * R * S)
    y = np.zeros((N, K, P, Q))
    for n, k, p, q in np.ndindex(y.shape):
        total = float(bias[k]) if bias is not None else 0.0
        for c, r, s in np.ndindex(C_of_group, R, S):
            channel = k // (K // groups) * C_of_group + c
            tap = channel // (C // offset_groups) * R * S + r * S + s
            h = p * stride - padding + r * dilation + float(offset[n, 2 * tap, p, q])
            w = q * stride - padding + s * dilation + float(offset[n, 2 * tap + 1, p, q])
            gate = float(mask[n, tap, p, q]) if mask is not None else 1.0
            total += float(weight[k, c, r, s]) * gate * bilinear(x[n, channel], h, w)
        y[n, k, p, q] = total
    return y


def make_deform_conv2d(folder, case, N, C, H, W, K, R, S, groups, offset_groups, modulated, biased,
                       **params):
    random = np.random.default_rng(len(case))
    P = (H + 2 * params["padding"] - params["dilation"] * (R - 1) - 1) // params["stride"] + 1
    Q = (W + 2 * params["padding"] - params["dilation"] * (S - 1) - 1) // params["stride"] + 1
    tensors = {
        "input": uniform(random, -1, 1, N, C, H, W),
        "offset": uniform(random, -2.5, 2.5, N, 2 * offset_groups * R * S, P, Q),
        "weight": uniform(random, -1, 1, K, C // groups, R, S),
    }
    tensors["offset"][0, :, 0, 0] = 0  # whole positions
    if modulated:
        tensors["mask"] = uniform(random, 0, 1, N, offset_groups * R * S, P, Q)
    if biased:
        tensors["bias"] = uniform(random, -1, 1, K)
    tensors["output"] = deform_conv2d(tensors["input"], tensors["offset"], tensors.get("mask"),
                                      tensors["weight"], tensors.get("bias"), **params)
    params |= {"groups": groups, "offset_groups": offset_groups}
    write_safetensors(folder / f"deform_conv2d__{case}.safetensors", tensors,
                      {"source": "tests/kernels/make_fixtures.py", "params": json.dumps(params)})


def main():
    here = pathlib.Path(__file__).resolve().parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent / "data" / "ops"
    folder.mkdir(parents=True, exist_ok=True)
    make_grid_sample(folder)
    make_deform_conv2d(folder, "modulated", 1, 4, 5, 6, 3, 3, 3, groups=1, offset_groups=2,
                       modulated=True, biased=True, stride=1, padding=1, dilation=1)
    make_deform_conv2d(folder, "plain_groups", 2, 4, 7, 6, 4, 2, 3, groups=2, offset_groups=1,
                       modulated=False, biased=False, stride=2, padding=2, dilation=2)


if __name__ == "__main__":
    main()
