#!/usr/bin/env python3
"""PSNR of `mend inpaint` beside OpenCV's Telea and Navier-Stokes inpainting, on the same holes.

    tools/compare_inpainting.py build/mend CHECKPOINT FOLDER...

A test, and no part of the program: it needs OpenCV (apt-get install python3-opencv). The pictures are
all PNGs in the folders. Each gets three masks, drawn by this script from --seed and the picture's name:

    scratches  wandering lines of 1 to 4 pixels across the picture, until 4% of it is missing
    text       lines of OpenCV's Hershey fonts, 12 to 36 pixels high, until 8% is missing
    holes      squares of 3 to 10 pixels a side, until 10% is missing

PSNR is that of 8-bit RGB against the picture itself, within the holes and over the whole picture, the
mean over the pictures. OpenCV runs with the radius among --radii that is best for its mean in the holes.
"""

import argparse
import pathlib
import subprocess
import tempfile
import zlib

import cv2
import numpy as np

KINDS = ("scratches", "text", "holes")
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX,
         cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:/ "


def share(mask):
    return np.count_nonzero(mask) / mask.size


def draw_scratch(mask, random):
    height, width = mask.shape
    at = np.array([random.uniform(0, width), random.uniform(0, height)])
    angle = random.uniform(0, 2 * np.pi)
    points = [at]
    for _ in range(random.randint(20, 80)):
        angle += random.normal(0, 0.15)
        at = at + 6 * np.array([np.cos(angle), np.sin(angle)])
        points.append(at)
    line = np.round(np.array(points)).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(mask, [line], False, 255, int(random.randint(1, 5)))


def draw_text(mask, random):
    height, width = mask.shape
    font = FONTS[random.randint(len(FONTS))]
    letters = "".join(LETTERS[random.randint(len(LETTERS))] for _ in range(random.randint(5, 30)))
    scale = random.uniform(12, 36) / 21  # a capital of scale 1 is 21 pixels high
    at = (int(random.uniform(-0.1, 0.6) * width), int(random.uniform(0.02, 1) * height))
    cv2.putText(mask, letters, at, font, scale, 255, int(random.randint(1, 4)))


def draw_square(mask, random):
    side = random.randint(3, 11)
    top, left = (random.randint(0, extent - side + 1) for extent in mask.shape)
    mask[top:top + side, left:left + side] = 255


def draw_mask(kind, name, shape, seed):
    random = np.random.RandomState((seed + zlib.crc32(f"{kind} {name}".encode())) % 2**32)
    mask = np.zeros(shape, np.uint8)
    draw, wanted = {"scratches": (draw_scratch, 0.04), "text": (draw_text, 0.08),
                    "holes": (draw_square, 0.10)}[kind]
    while share(mask) < wanted:
        draw(mask, random)
        mask[:] = np.where(mask > 127, 255, 0)  # OpenCV 5 draws writing with soft edges; a hole has none
    return mask


def psnr(result, picture, where):
    error = result[where].astype(np.float64) - picture[where].astype(np.float64)
    return 10 * np.log10(255**2 / max(np.mean(error**2), 1e-10))


def scores(results, pictures, masks):
    """Mean PSNR within the holes, and over the whole pictures."""
    inside = [psnr(results[n], pictures[n], masks[n] > 0) for n in pictures]
    whole = [psnr(results[n], pictures[n], masks[n] >= 0) for n in pictures]
    return float(np.mean(inside)), float(np.mean(whole))


def by_mend(arguments, pictures, masks):
    with tempfile.TemporaryDirectory() as folder:
        here = pathlib.Path(folder)
        for name in ("in", "masks", "out"):
            (here / name).mkdir()
        for name, picture in pictures.items():
            holed = picture.copy()
            holed[masks[name] > 0] = 0
            cv2.imwrite(str(here / "in" / name), holed)
            cv2.imwrite(str(here / "masks" / name), masks[name])
        subprocess.run([arguments.mend, "inpaint", str(here / "in"), "-w", arguments.checkpoint,
                        "--mask", str(here / "masks"), "-o", str(here / "out"), "--quiet"],
                       check=True)
        results = {name: cv2.imread(str(here / "out" / name)) for name in pictures}
    for name, picture in pictures.items():
        known = masks[name] == 0
        if not np.array_equal(results[name][known], picture[known]):
            raise SystemExit(f"{name}: mend changed pixels that are no hole")
    return scores(results, pictures, masks)


def by_opencv(method, radii, pictures, masks):
    return max(scores({n: cv2.inpaint(pictures[n], masks[n], radius, method) for n in pictures},
                      pictures, masks) for radius in radii)


def read_pictures(folders):
    pictures = {}
    for folder in folders:
        for path in sorted(pathlib.Path(folder).glob("*.png")):
            pictures[path.name] = cv2.imread(str(path))
    if not pictures:
        raise SystemExit("there is no PNG in the folders")
    return pictures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("mend", help="the program")
    parser.add_argument("checkpoint", help="weights that mend inpaint takes")
    parser.add_argument("folders", nargs="+", help="of PNGs")
    parser.add_argument("--seed", type=int, default=1, help="of the masks")
    parser.add_argument("--radii", type=float, nargs="+", default=[3, 5], help="for OpenCV")
    arguments = parser.parse_args()
    pictures = read_pictures(arguments.folders)
    print(f"PSNR in dB, 8-bit RGB, mean of {len(pictures)} pictures; holes: in the holes alone; whole: "
          f"the whole picture\nmasks of seed {arguments.seed}; OpenCV {cv2.__version__} with the best "
          f"of the radii {arguments.radii}\n")
    print(f"{'mask':<10} {'missing':>7} {'Telea: holes':>13} {'whole':>6} {'NS: holes':>10} "
          f"{'whole':>6} {'mend: holes':>12} {'whole':>6} {'gain':>6}")
    for kind in KINDS:
        masks = {name: draw_mask(kind, name, picture.shape[:2], arguments.seed)
                 for name, picture in pictures.items()}
        missing = float(np.mean([share(mask) for mask in masks.values()]))
        telea = by_opencv(cv2.INPAINT_TELEA, arguments.radii, pictures, masks)
        stokes = by_opencv(cv2.INPAINT_NS, arguments.radii, pictures, masks)
        ours = by_mend(arguments, pictures, masks)
        print(f"{kind:<10} {missing:>7.1%} {telea[0]:>13.2f} {telea[1]:>6.2f} {stokes[0]:>10.2f} "
              f"{stokes[1]:>6.2f} {ours[0]:>12.2f} {ours[1]:>6.2f} "
              f"{ours[0] - max(telea[0], stokes[0]):>+6.2f}", flush=True)


if __name__ == "__main__":
    main()
