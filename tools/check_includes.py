#!/usr/bin/env python3
"""Fails if an include points up between the floors of the house, or a source is over 400 lines.

    apps -> restore, train -> models -> layers -> kernels, weights -> engine
"""
import pathlib
import re
import subprocess
import sys

MAY_INCLUDE = {
    "engine": {"engine"},
    "kernels": {"engine", "kernels"},
    "weights": {"engine", "weights"},
    "layers": {"engine", "kernels", "weights", "layers"},
    "models": {"engine", "kernels", "weights", "layers", "models"},
    "restore": {"engine", "kernels", "weights", "layers", "models", "restore"},
    "train": {"engine", "kernels", "weights", "layers", "models", "restore", "train"},
    "apps": {"engine", "kernels", "weights", "layers", "models", "restore", "train", "apps"},
}
MAX_LINES = 400

root = pathlib.Path(__file__).resolve().parent.parent
sources = subprocess.run(["git", "ls-files", "*.h", "*.cpp", "*.cu", "*.cuh"], cwd=root, check=True,
                         capture_output=True, text=True).stdout.split()
faults = []
for name in sources:
    lines = (root / name).read_text().splitlines()
    if len(lines) > MAX_LINES:
        faults.append(f"{name}: {len(lines)} lines; split it (at most {MAX_LINES})")
    floor = name.split("/")[0]
    for number, line in enumerate(lines, 1):
        include = re.match(r'#include "([a-z_]+)/', line)
        if floor in MAY_INCLUDE and include and include[1] in MAY_INCLUDE \
                and include[1] not in MAY_INCLUDE[floor]:
            faults.append(f"{name}:{number}: {floor}/ may not include {include[1]}/")
print("\n".join(faults) if faults else f"{len(sources)} sources keep to the floors")
sys.exit(bool(faults))
