#!/usr/bin/env python3
"""Measures what 16-bit images between layers do to networks: PSNR against f32, for --precision f16 and bf16.

    tools/measure_precision.py build/mend PICTURE CHECKPOINT... [--size 128x128] [--device cuda]

A table in Markdown; "not finite" is a result with infinities or NaN. Checkpoints are real ones: made-up parameters say
nothing about how large a network's images become. Traits::narrow_type of models/network.h keeps what `--precision auto` makes of it.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys


def measured(options, checkpoint, precision):
    command = [options.mend, "bench", checkpoint, "--precision", precision, "--picture", options.picture, "--size",
               options.size, "--device", options.device, "--min-runs", "1", "--min-time", "0", "--json"]
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode != 0:
        print(f"{checkpoint}: {result.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return json.loads(result.stdout.strip().splitlines()[-1])


def decibels(line):
    value = line["psnr_against_f32"]
    return "not finite" if value is None or not math.isfinite(value) else f"{value:.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mend")
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("checkpoints", nargs="+", type=pathlib.Path)
    parser.add_argument("--size", default="128x128", help="of the picture's middle that networks see")
    parser.add_argument("--device", default="cpu", help="where: as mend's --device")
    options = parser.parse_args()
    print("| network | checkpoint | f16, dB | bf16, dB |\n|---|---|---|---|")
    failed = 0
    for checkpoint in options.checkpoints:
        lines = [measured(options, checkpoint, precision) for precision in ("f16", "bf16")]
        if None in lines:
            failed += 1
            continue
        name = lines[0]["network"].split("(")[0]
        print(f"| {name} | `{checkpoint.name}` | {decibels(lines[0])} | {decibels(lines[1])} |", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
