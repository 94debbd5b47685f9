#!/usr/bin/env python3
"""Steps of training a second of `mend train` beside PyTorch's, in turn.

    tools/compare_training.py build/mend PHOTOGRAPHS [--threads 2] [--rounds 3]

A test, and no part of the program: it needs PyTorch (pip install torch). A step is forward, L1, backward
and Adam on 16 patches. Two networks: SRVGG x2 of 32 features with 8 convolutions between the first and the
last, on patches of 48; DnCNN of 64 features with 10 convolutions, without batch norm, on patches of 64.

Ours is `seconds_per_step` of log.csv over the last 100 steps: it counts how pairs are made, clipping and
logs, too. PyTorch's is the median of its steps on random patches that are there already, contiguous and
channels last; the faster of the two counts. Each round runs all three, one after another; the medians of
the rounds are compared.
"""

import argparse
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

STEPS = {"warm-up": 100, "timed": 100}
NETWORKS = {
    "srvgg": {
        "what": "SRVGG 32 x 8, x2, patches of 48",
        "recipe": {
            "task": "upscale", "scale": 2, "patch": 48,
            "network": {"name": "srvgg", "num_in_ch": 3, "num_out_ch": 3, "num_feat": 32, "num_conv": 8,
                        "upscale": 2, "act_type": "prelu"},
            "degrade": [{"do": "resize", "scale": 0.5, "filter": "matlab"}]}},
    "dncnn": {
        "what": "DnCNN 64 x 10, patches of 64",
        "recipe": {
            "task": "denoise", "patch": 64,
            "network": {"name": "dncnn", "in_nc": 3, "out_nc": 3, "nc": 64, "nb": 10, "act_mode": "R"},
            "degrade": [{"do": "gaussian_noise", "sigma": 25}]}},
}


def ours(mend, photographs, recipe, threads):
    """Seconds of a step of `mend train`."""
    steps = sum(STEPS.values())
    with tempfile.TemporaryDirectory() as folder:
        file, run = pathlib.Path(folder) / "recipe.json", pathlib.Path(folder) / "run"
        file.write_text(json.dumps(recipe | {
            "seed": 1, "steps": steps, "batch": 16, "margin": 0, "pictures": [str(photographs.resolve())],
            "largest_side": [1024], "cache": "2G", "loss": "l1",
            "optimizer": {"name": "adam", "learning_rate": 1e-3}}))
        command = [mend, "train", file, "-o", run, "--threads", threads]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
        with open(run / "log.csv", newline="") as log:
            return float(list(csv.DictReader(log))[-1]["seconds_per_step"])


def theirs(name, threads, channels_last):
    """Seconds of a step of PyTorch, in a process of its own."""
    command = [sys.executable, __file__, "--pytorch", name, "--threads", str(threads)]
    done = subprocess.run(command + ["--channels-last"] * channels_last, text=True, capture_output=True,
                          env=os.environ | {"OMP_NUM_THREADS": str(threads)})
    if done.returncode != 0:
        sys.exit(done.stderr)
    return float(done.stdout)


def pytorch(name, threads, channels_last):
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            convolution = lambda a, b: nn.Conv2d(a, b, 3, padding=1)
            if name == "srvgg":
                pairs = [(3, 32)] + [(32, 32)] * 8
                layers = [m for a, b in pairs for m in (convolution(a, b), nn.PReLU(b))]
                layers += [convolution(32, 12), nn.PixelShuffle(2)]
            else:
                pairs = [(3, 64)] + [(64, 64)] * 8
                layers = [m for a, b in pairs for m in (convolution(a, b), nn.ReLU(inplace=True))]
                layers += [convolution(64, 3)]
            self.layers = nn.Sequential(*layers)

        def forward(self, x):
            if name == "srvgg":
                return self.layers(x) + nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            return x - self.layers(x)

    network, side = Network(), NETWORKS[name]["recipe"]["patch"]
    scale = NETWORKS[name]["recipe"].get("scale", 1)
    x, y = torch.rand(16, 3, side, side), torch.rand(16, 3, side * scale, side * scale)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
        x, y = (t.contiguous(memory_format=torch.channels_last) for t in (x, y))
    adam = torch.optim.Adam(network.parameters(), 1e-3, foreach=True)
    times = []
    for step in range(25):
        start = time.perf_counter()
        adam.zero_grad(set_to_none=True)
        nn.functional.l1_loss(network(x), y).backward()
        adam.step()
        times.append(time.perf_counter() - start)
    print(statistics.median(times[5:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mend", type=pathlib.Path, nargs="?")
    parser.add_argument("photographs", type=pathlib.Path, nargs="?", help="a folder of pictures")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pytorch", choices=NETWORKS, help=argparse.SUPPRESS)
    parser.add_argument("--channels-last", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pytorch:
        return pytorch(options.pytorch, options.threads, options.channels_last)
    if not options.mend or not options.photographs:
        parser.error("the program and a folder of pictures are needed")
    for name, network in NETWORKS.items():
        rounds = []
        for _ in range(options.rounds):
            rounds.append((ours(options.mend, options.photographs, network["recipe"], options.threads),
                           theirs(name, options.threads, False), theirs(name, options.threads, True)))
        mine, plain, last = (statistics.median(column) for column in zip(*rounds))
        print(f"{network['what']}, {options.threads} threads: {1 / mine:.2f} steps/s ("
              f"{1 / max(r[0] for r in rounds):.2f} to {1 / min(r[0] for r in rounds):.2f}); PyTorch {1 / plain:.2f}, "
              f"channels last {1 / last:.2f}; ratio {min(plain, last) / mine:.2f}", flush=True)


if __name__ == "__main__":
    main()
