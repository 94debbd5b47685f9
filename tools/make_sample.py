#!/usr/bin/env python3
"""Draws the sample picture of the demo: a small landscape, by formulas alone, so it is nobody's photo.

    tools/make_sample.py docs/images/sample.png [WIDTH HEIGHT]
"""
import math
import random
import struct
import sys
import zlib

SAMPLES = 3  # a side, of each pixel


def clamp(value):
    return min(max(value, 0.0), 1.0)


def mix(a, b, t):
    t = clamp(t)
    return tuple(x + (y - x) * t for x, y in zip(a, b))


def ridge(x, seed, roughness):
    """Height of a mountain line at x, a sum of octaves of sines."""
    wave = random.Random(seed)
    return sum(math.sin(x * 2 ** o * (1.3 + wave.random()) + wave.random() * 6) * roughness ** o
               for o in range(7))


class Scene:
    """Colours at (x, y) in [0, 4/3] x [0, 1], y downwards."""

    def __init__(self):
        dice = random.Random(7)
        self.leaves = [(dice.gauss(1.06, 0.09), dice.gauss(0.47, 0.085), dice.uniform(0.008, 0.02),
                        dice.random()) for _ in range(420)]
        self.bricks = [[dice.random() for _ in range(64)] for _ in range(64)]

    def colour(self, x, y):
        ground = 0.72 + 0.012 * ridge(x * 3, 5, 0.6)
        if 0.30 < x < 0.62 and 0.5 < y < 0.76:
            return self.house(x, y)
        if abs(x - 0.46) < (y - 0.36) * 1.35 and 0.36 < y < 0.5:
            stripe = math.sin(y * 420) * 0.08 + math.sin(x * 300) * 0.05
            return mix((0.42, 0.16, 0.12), (0.75, 0.36, 0.26), 0.5 + stripe * 4)
        for leaf_x, leaf_y, radius, shade in self.leaves:
            if (x - leaf_x) ** 2 + (y - leaf_y) ** 2 < radius * radius:
                return mix((0.05, 0.22, 0.06), (0.45, 0.66, 0.2), shade)
        if abs(x - 1.06 - 0.01 * math.sin(y * 30)) < 0.018 and 0.45 < y < 0.8:
            return mix((0.2, 0.12, 0.07), (0.4, 0.28, 0.18), 0.5 + 0.5 * math.sin(x * 900 + y * 40))
        if y > ground:
            blade = math.sin(x * 260 + 40 * math.sin(y * 23)) * math.sin(y * 310 + x * 90)
            return mix((0.14, 0.3, 0.08), (0.5, 0.62, 0.22), 0.45 + 0.35 * blade + (y - ground))
        return self.sky_and_mountains(x, y)

    def house(self, x, y):
        if 0.36 < x < 0.43 and 0.56 < y < 0.65 or 0.5 < x < 0.57 and 0.56 < y < 0.65:
            inside_x, inside_y = (x * 1000) % 35, ((y - 0.56) * 1000) % 45
            frame = inside_x < 4 or inside_y < 4
            return (0.93, 0.92, 0.88) if frame else mix((0.1, 0.16, 0.25), (0.5, 0.65, 0.8), (y - 0.55) * 9)
        row = int(y * 90)
        column = int(x * 45 + 0.5 * (row % 2))
        joint = (y * 90) % 1 < 0.14 or (x * 45 + 0.5 * (row % 2)) % 1 < 0.09
        tone = self.bricks[row % 64][column % 64]
        return (0.78, 0.74, 0.68) if joint else mix((0.55, 0.26, 0.2), (0.8, 0.5, 0.38), tone)

    def sky_and_mountains(self, x, y):
        near = 0.6 - 0.035 * ridge(x * 2.2 + 1, 3, 0.58)
        far = 0.42 - 0.06 * ridge(x * 1.7, 11, 0.55)
        if y > near:
            return mix((0.16, 0.28, 0.24), (0.3, 0.42, 0.3), (y - near) * 5)
        if y > far:
            snow = far + 0.07 + 0.03 * math.sin(x * 55 + 3 * math.sin(x * 17))
            return (0.93, 0.95, 0.98) if y < snow else mix((0.38, 0.44, 0.56), (0.5, 0.55, 0.62), (y - snow) * 6)
        sun = math.hypot(x - 0.2, y - 0.17)
        sky = mix((0.25, 0.5, 0.86), (0.86, 0.91, 0.96), y * 2)
        cloud = math.sin(x * 7 + 2 * math.sin(y * 9)) * math.sin(y * 26 + math.sin(x * 11))
        sky = mix(sky, (1, 1, 1), max(0.0, cloud - 0.25))
        return (1.0, 0.95, 0.72) if sun < 0.055 else mix((1.0, 0.93, 0.7), sky, (sun - 0.055) * 8)


def png(width, height, rows):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = b"".join(b"\0" + row for row in rows)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels, 9))
            + chunk(b"IEND", b""))


def main():
    path = sys.argv[1]
    width, height = (int(n) for n in sys.argv[2:4]) if len(sys.argv) > 3 else (200, 150)
    scene = Scene()
    rows = []
    for v in range(height):
        row = bytearray()
        for u in range(width):
            total = [0.0, 0.0, 0.0]
            for i in range(SAMPLES):
                for j in range(SAMPLES):
                    x = (u + (i + 0.5) / SAMPLES) / height
                    y = (v + (j + 0.5) / SAMPLES) / height
                    for c, value in enumerate(scene.colour(x, y)):
                        total[c] += value
            row += bytes(round(255 * clamp(t / SAMPLES ** 2)) for t in total)
        rows.append(bytes(row))
    with open(path, "wb") as file:
        file.write(png(width, height, rows))


if __name__ == "__main__":
    main()
