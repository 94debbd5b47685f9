#!/usr/bin/env python3
"""Measures the program's own weights on pictures that they were never trained on.

    tools/evaluate.py build/mend IMAGES [--only denoise]

IMAGES holds Set5 (HR and LR_bicubic/X2, X3, X4 by MATLAB's bicubic), CBSD68_20, classic5 and Kodak_6. What is not there is
said and left out. Each line names its protocol, so that it can be run alone:
    upscale   x2, x4: the network sees the 8-bit LR file; x3, whose originals must be cut to multiples of 3: the picture
              made small by the same bicubic, rounded once; PSNR of Y, border = scale
    others    `mend evaluate`: seeded degradation in f32, PSNR of the 8-bit result
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

SEED = 2026


def noise(sigma):
    return [{"do": "gaussian_noise", "sigma": sigma}]


def jpeg(quality):
    return [{"do": "jpeg", "quality": quality, "grid": "corner"}]


BLUR = [{"do": "any", "of": [
            [{"do": "blur", "shape": "motion", "length": [5, 13]}],
            [{"do": "blur", "shape": "disc", "radius": [1, 2.5]}]]},
        {"do": "gaussian_noise", "sigma": [0, 2]}, {"do": "quantize"}]
DARK = [{"do": "darken", "gamma": [1.5, 2.5], "gain": [0.5, 0.9]},
        {"do": "gaussian_noise", "sigma": [0, 3]}, {"do": "quantize"}]
MIXED = [{"do": "blur", "shape": "gaussian", "deviation": [0.6, 1.4]},
         {"do": "gaussian_noise", "sigma": [5, 20]}, {"do": "jpeg", "quality": [30, 80], "grid": "corner"}]

# What a task is measured by, if not PSNR.
METRICS = {"colorize": "delta-e"}

# task, set, what, degradation
SEEDED = [
    ("denoise", "CBSD68_20", "sigma 15", noise(15)),
    ("denoise", "CBSD68_20", "sigma 25", noise(25)),
    ("denoise", "CBSD68_20", "sigma 50", noise(50)),
    ("dejpeg", "classic5", "luma, quality 10", jpeg(10)),
    ("dejpeg", "classic5", "luma, quality 20", jpeg(20)),
    ("dejpeg", "classic5", "luma, quality 40", jpeg(40)),
    ("dejpeg", "Kodak_6", "colour, quality 10", jpeg(10)),
    ("deblur", "Kodak_6", "motion and defocus", BLUR),
    ("lowlight", "Kodak_6", "gamma, gain, noise", DARK),
    ("restore", "Kodak_6", "blur, noise and JPEG", MIXED),
    ("colorize", "Kodak_6", "CIEDE2000, less: better", [{"do": "gray"}]),
]


def run(command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stderr}")
    return result.stdout


def mean_of(lines):
    return json.loads(lines.strip().splitlines()[-1])


def show(task, images, what, before, after, protocol):
    gain = "" if before is None else f"{after - before:+.2f}"
    given = "" if before is None else f"{before:.2f}"
    print(f"{task:<10} {images:<10} {what:<22} {given:>6} {after:>6.2f} {gain:>6}  {protocol}", flush=True)


def upscale(mend, images, scale):
    low, high = images / "Set5" / "LR_bicubic" / f"X{scale}", images / "Set5" / "HR"
    if not low.is_dir() or not high.is_dir():
        return print(f"upscale    skipped: {low} or {high} is missing")
    with tempfile.TemporaryDirectory() as folder:
        bicubic, ours = pathlib.Path(folder) / "bicubic", pathlib.Path(folder) / "ours"
        bicubic.mkdir(), ours.mkdir()
        for file in sorted(low.glob("*.png")):
            name = file.stem.removesuffix(f"x{scale}") + ".png"
            run([mend, "upscale", file, "--scale", scale, "-o", ours / name, "-q"])
            run([mend, "degrade", file, "-o", bicubic / name, "-q", "--steps",
                 json.dumps([{"do": "resize", "scale": scale, "filter": "matlab"}])])
        score = [mean_of(run([mend, "compare", tested, high, "--luma", "--border", scale, "--metric", "psnr", "--json"]))
                 for tested in (bicubic, ours)]
        show("upscale", "Set5", f"x{scale}, from bicubic", score[0]["value"], score[1]["value"], score[1]["protocol"])


def upscale_from_originals(mend, images, scale):
    high = images / "Set5" / "HR"
    if not high.is_dir():
        return print(f"upscale    skipped: {high} is missing")
    steps = [{"do": "resize", "scale": 1 / scale, "filter": "matlab"}, {"do": "quantize"}]
    line = mean_of(run([mend, "evaluate", high, "--task", "upscale", "--scale", scale, "--degrade", json.dumps(steps),
                        "--luma", "--border", scale, "--metric", "psnr", "--json"]))
    show("upscale", "Set5", f"x{scale}", None, line["value"], line["protocol"])


def seeded(mend, images, task, name, what, steps):
    if not (images / name).is_dir():
        return print(f"{task:<10} skipped: {images / name} is missing")
    line = mean_of(run([mend, "evaluate", images / name, "--task", task, "--degrade", json.dumps(steps), "--seed", SEED,
                        "--metric", METRICS.get(task, "psnr"), "--json"]))
    show(task, name, what, line["input"], line["value"], line["protocol"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mend")
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("--only", default="", help="a task")
    options = parser.parse_args()
    own = {line["name"] for line in json.loads(run([options.mend, "models", "--json"]))["own_weights"]}
    print(f"{'task':<10} {'pictures':<10} {'what':<22} {'before':>6} {'after':>6} {'gain':>6}  protocol; seed {SEED}")
    for scale in (2, 3, 4):
        if options.only in ("", "upscale") and f"upscale-x{scale}" in own:
            measure = upscale_from_originals if scale == 3 else upscale
            measure(options.mend, options.images, scale)
    for task, name, what, steps in SEEDED:
        if options.only in ("", task) and task in own:
            seeded(options.mend, options.images, task, name, what, steps)


if __name__ == "__main__":
    main()
