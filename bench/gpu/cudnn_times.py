#!/usr/bin/env python3
"""The layers of times.cpp by cuDNN, through PyTorch (channels-last, the algorithm that is fastest here), timed the same way."""
import json
import statistics
import sys

import torch
import torch.nn.functional as F

LAUNCHES, REPLAYS = 20, 15
# n, side, C, K, kernel, stride: kLayers of times.cpp
LAYERS = [(1, 128, 64, 64, 3, 1), (1, 512, 64, 64, 3, 1), (1, 256, 192, 64, 3, 1), (1, 128, 64, 3, 3, 1),
          (16, 64, 24, 24, 3, 1), (16, 64, 3, 24, 3, 1), (16, 64, 24, 3, 3, 1), (16, 32, 48, 48, 3, 1),
          (16, 16, 64, 64, 3, 1), (16, 8, 64, 64, 3, 1), (16, 48, 48, 48, 3, 1), (16, 48, 3, 48, 3, 1),
          (16, 48, 48, 12, 3, 1), (16, 64, 24, 48, 2, 2)]


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
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    for n, side, C, K, kernel, stride in LAYERS:
        shape = f"{C}to{K}/{n}x{side}x{side}" + ("/2x2s2" if kernel == 2 else "")
        padding = 1 if kernel == 3 else 0
        for kind in (torch.float32, torch.float16):
            x = torch.randn(n, C, side, side, device="cuda", dtype=kind).to(memory_format=torch.channels_last)
            w = (torch.randn(K, C, kernel, kernel, device="cuda", dtype=kind) * 0.1).to(memory_format=torch.channels_last)
            y = F.conv2d(x, w, stride=stride, padding=padding)
            flops = 2.0 * y.numel() * C * kernel * kernel
            name = f"{shape}/{'f32' if kind == torch.float32 else 'f16'}"
            if word in "conv2d/cudnn/" + name:
                report("conv2d/cudnn/" + name, seconds_of(lambda: F.conv2d(x, w, stride=stride, padding=padding)), flops)
            if kind == torch.float32 and word in "conv2d_weight_gradient/cudnn/" + shape:
                report("conv2d_weight_gradient/cudnn/" + shape,
                       seconds_of(lambda: torch.ops.aten.convolution_backward(
                           y, x, w, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, [False, True, False])),
                       flops)


if __name__ == "__main__":
    with torch.no_grad():
        main()
