#!/usr/bin/env python3
"""The layers and products of times.cpp by cuDNN and cuBLAS, through PyTorch (channels-last, the algorithm that is fastest here), timed the same way."""
import json
import statistics
import sys

import torch
import torch.nn.functional as F

LAUNCHES, REPLAYS = 20, 15
# n, side, C, K, kernel, stride, groups: kLayers of times.cpp
LAYERS = [(1, 128, 64, 64, 3, 1, 1), (1, 512, 64, 64, 3, 1, 1), (1, 256, 192, 64, 3, 1, 1), (1, 128, 64, 3, 3, 1, 1),
          (16, 64, 24, 24, 3, 1, 1), (16, 64, 3, 24, 3, 1, 1), (16, 64, 24, 3, 3, 1, 1), (16, 32, 48, 48, 3, 1, 1),
          (16, 16, 64, 64, 3, 1, 1), (16, 8, 64, 64, 3, 1, 1), (16, 48, 48, 48, 3, 1, 1), (16, 48, 3, 48, 3, 1, 1),
          (16, 48, 48, 12, 3, 1, 1), (16, 64, 24, 48, 2, 2, 1), (1, 256, 64, 128, 1, 1, 1), (1, 256, 64, 64, 1, 1, 1),
          (1, 128, 180, 540, 1, 1, 1), (1, 128, 360, 180, 1, 1, 1), (1, 32, 512, 1024, 1, 1, 1),
          (16, 64, 32, 64, 1, 1, 1), (1, 256, 64, 128, 2, 2, 1), (1, 256, 64, 128, 3, 2, 1),
          (1, 256, 128, 128, 3, 1, 128), (1, 512, 96, 96, 3, 1, 96), (16, 64, 64, 64, 3, 1, 64),
          (1, 128, 128, 128, 5, 1, 128)]
# batch, rows, inner, columns, whether a and b are given transposed: kProducts of times.cpp
PRODUCTS = [(1, 2048, 2048, 2048, "nn"), (1, 1024, 1024, 1024, "nt"), (8, 48, 65536, 48, "tn"),
            (8, 65536, 48, 48, "nn"), (1024, 64, 30, 64, "nt")]


def seconds_of(launch):
    for _ in range(3):
        launch()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(LAUNCHES):
            launch()
    seconds = []
    for _ in range(REPLAYS + 1):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        seconds.append(begin.elapsed_time(end) * 1e-3 / LAUNCHES)
    return statistics.median(seconds[1:])


def report(name, seconds, flops):
    print(json.dumps({"case": name, "us": round(seconds * 1e6, 2), "tflops": round(flops / seconds * 1e-12, 1)}), flush=True)


def main():
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = True
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    for n, side, C, K, kernel, stride, groups in LAYERS:
        kind = "" if (kernel, stride, groups) == (3, 1, 1) else \
            f"/{kernel}x{kernel}" + ("s2" if stride == 2 else "") + ("dw" if groups > 1 else "")
        shape = f"{C}to{K}/{n}x{side}x{side}{kind}"
        padding = kernel // 2 if kernel % 2 else 0
        for kind in (torch.float32, torch.float16):
            x = torch.randn(n, C, side, side, device="cuda", dtype=kind).to(memory_format=torch.channels_last)
            w = (torch.randn(K, C // groups, kernel, kernel, device="cuda", dtype=kind) * 0.1).to(
                memory_format=torch.channels_last)
            y = F.conv2d(x, w, stride=stride, padding=padding, groups=groups)
            flops = 2.0 * y.numel() * C // groups * kernel * kernel
            name = f"{shape}/{'f32' if kind == torch.float32 else 'f16'}"
            if word in "conv2d/cudnn/" + name:
                report("conv2d/cudnn/" + name,
                       seconds_of(lambda: F.conv2d(x, w, stride=stride, padding=padding, groups=groups)), flops)
            if kernel == 1 and word in "conv2d/cublas/" + name:
                rows, matrix = x.permute(0, 2, 3, 1).reshape(-1, C), w.reshape(K, C)
                report("conv2d/cublas/" + name, seconds_of(lambda: F.linear(rows, matrix)), flops)
            if kind == torch.float32 and word in "conv2d_weight_gradient/cudnn/" + shape:
                report("conv2d_weight_gradient/cudnn/" + shape,
                       seconds_of(lambda: torch.ops.aten.convolution_backward(
                           y, x, w, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], groups,
                           [False, True, False])),
                       flops)
    for batch, rows, inner, columns, layout in PRODUCTS:
        name = f"matmul/cublas/{batch}x{rows}x{inner}x{columns}/{layout}"
        if word not in name:
            continue
        a, b = torch.randn(batch, rows, inner, device="cuda"), torch.randn(batch, inner, columns, device="cuda")
        if layout[0] == "t":
            a = a.mT.contiguous().mT
        if layout[1] == "t":
            b = b.mT.contiguous().mT
        report(name, seconds_of(lambda: torch.matmul(a, b)), 2.0 * batch * rows * inner * columns)


if __name__ == "__main__":
    with torch.no_grad():
        main()
