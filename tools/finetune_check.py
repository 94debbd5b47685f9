#!/usr/bin/env python3
"""Does a short fine-tune of a published checkpoint on ten pictures help with a degradation that it has never seen?

    tools/finetune_check.py build/mend IMAGES WEIGHTS [--minutes 5] [--threads 2]

IMAGES holds CBSD68_20, WEIGHTS holds safmn_x4/safmn_x4.pth (SAFMN x4, trained on clean pictures made small by bicubic).
Protocol: the pictures in the order of their names; the first ten are the user's, the last three are held out and seen by
no training. Degradation: defocus, x1/4 by MATLAB's bicubic, camera noise, a JPEG file. `mend finetune` for so
many minutes by the options that are printed; `mend evaluate` of the held-out pictures with the checkpoint as it was and as it is then:
PSNR of Y, border 4, the same seeded degradation for both. Fails if the mean gain is under 0.5 dB.
How far it comes in five minutes depends on the machine and on what else runs there; the number of steps is printed.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

SEED = 2026
SCALE = 4
# Small batches: five minutes of two slow cores are then a few hundred steps.
TRAINING = ["--batch", 2, "--patch", 48, "--learning-rate", 5e-4]
LEAST_GAIN = 0.5  # dB
DEGRADE = [{"do": "blur", "shape": "disc", "radius": [1, 2.5]},
           {"do": "resize", "scale": 1 / SCALE, "filter": "matlab"},
           {"do": "camera_noise", "shot": [0.002, 0.006], "read": [0.005, 0.015]},
           {"do": "jpeg", "quality": [50, 80], "grid": "corner"}]


def run(command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stderr}")
    return result


def scores(mend, pictures, weights):
    lines = run([mend, "evaluate", *pictures, "--task", "upscale", "--scale", SCALE, "-w", weights, "--degrade",
                 json.dumps(DEGRADE), "--seed", SEED, "--luma", "--border", SCALE, "--metric", "psnr", "--json"])
    return [json.loads(line) for line in lines.stdout.strip().splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mend")
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("weights", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    checkpoint = options.weights / "safmn_x4" / "safmn_x4.pth"
    pictures = sorted((options.images / "CBSD68_20").glob("*.png"))
    if not checkpoint.is_file() or len(pictures) < 13:
        sys.exit(f"{checkpoint} or {options.images / 'CBSD68_20'} is missing")
    own, held_out = pictures[:10], pictures[-3:]
    print(f"checkpoint   {checkpoint}\nlearns from  {' '.join(p.stem for p in own)}\n"
          f"held out     {' '.join(p.stem for p in held_out)}\ndegradation  {json.dumps(DEGRADE)}\n"
          f"training     {' '.join(map(str, TRAINING))}\n"
          f"time         {options.minutes:g} minutes, {options.threads} threads; seed {SEED}", flush=True)
    before = scores(options.mend, held_out, checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        mine = pathlib.Path(folder) / "mine.safetensors"
        told = run([options.mend, "finetune", checkpoint, "--images", *own, "-o", mine, "--task", "upscale", "--degrade",
                    json.dumps(DEGRADE), *TRAINING, "--minutes", options.minutes, "--threads", options.threads, "--seed", SEED])
        after = scores(options.mend, held_out, mine)
    steps = re.search(r"after (\d+) steps", told.stdout + told.stderr)
    print(f"steps        {steps.group(1) if steps else 'unknown'}\nprotocol     {before[0]['protocol']}")
    for old, new in zip(before, after):
        print(f"{pathlib.Path(old['of']).stem:<12} {old['value']:7.3f} -> {new['value']:7.3f} dB  {new['value'] - old['value']:+.3f}")
    gain = after[-1]["value"] - before[-1]["value"]
    if gain < LEAST_GAIN:
        sys.exit(f"the gain is under {LEAST_GAIN} dB")


if __name__ == "__main__":
    main()
