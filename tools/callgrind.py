#!/usr/bin/env python3
"""Counts the instructions of the main kernels under valgrind and holds them against a baseline.

usage: callgrind.py PROGRAM [--record] [--must-match]

PROGRAM is mend_callgrind. Fails if a count has grown by more than 3% over bench/baseline.json, or if
the two do not have the same cases. Counts depend on the compiler: where it is not the one of the
baseline, nothing is compared and a line says so; with --must-match that is a failure too.
--record writes the baseline.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

BASELINE = pathlib.Path(__file__).resolve().parent.parent / "bench" / "baseline.json"
MOST_GROWTH = 0.03


def count(program: str) -> dict[str, int]:
    """Instructions of each case, by name."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no",
             f"--callgrind-out-file={folder}/out", program],
            check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        counts = {}
        for dump in pathlib.Path(folder).iterdir():
            name, total = None, None
            with dump.open() as lines:
                for line in lines:
                    if line.startswith("desc: Trigger: Client Request: "):
                        name = line.split(": ", 3)[3].strip()
                    elif line.startswith(("totals:", "summary:")):
                        total = int(line.split()[1])
            if name is not None:
                counts[name] = total
        return counts


def record(compiler: str, counts: dict[str, int]) -> None:
    document = {"compiler": compiler, "instruction_set": "AVX2",
                "instructions": dict(sorted(counts.items()))}
    BASELINE.write_text(json.dumps(document, indent=1) + "\n")
    print(f"{len(counts)} counts recorded in {BASELINE.name}")


def compare(before: dict[str, int], after: dict[str, int]) -> int:
    """Prints all cases; returns how many have grown or are on one side alone."""
    bad = 0
    print(f"{'instructions':<40} {'baseline':>12} {'now':>12} {'now/baseline':>13}")
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            side = "not in the baseline" if old is None else "no longer counted"
            print(f"{name:<40} {old or '':>12} {new or '':>12} {side}")
            bad += 1
            continue
        grown = new > old * (1 + MOST_GROWTH)
        bad += grown
        less = new < old * (1 - MOST_GROWTH)
        print(f"{name:<40} {old:>12} {new:>12} {new / old:>13.4f}"
              f"{'  GROWN' if grown else '  less' if less else ''}")
    return bad


def main(arguments: list[str]) -> int:
    options = {one for one in arguments if one.startswith("--")}
    programs = [one for one in arguments if not one.startswith("--")]
    if len(programs) != 1 or options - {"--record", "--must-match"}:
        print(__doc__, file=sys.stderr)
        return 2
    skip = 1 if "--must-match" in options or "--record" in options else 0
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is missing (make deps installs it)")
        return skip
    program = programs[0]
    if not os.path.exists(program):
        print(f"skipped: {program} was not built; it needs valgrind's headers (make deps)")
        return skip
    if "avx2" not in pathlib.Path("/proc/cpuinfo").read_text():
        print("skipped: this processor has no AVX2")
        return skip
    compiler = subprocess.run([program, "--compiler"], check=True, capture_output=True,
                              text=True).stdout.strip()
    if "--record" in options:
        record(compiler, count(program))
        return 0
    baseline = json.loads(BASELINE.read_text())
    if baseline["compiler"] != compiler:
        print(f"skipped: the baseline is of {baseline['compiler']}, this is {compiler}")
        return skip
    bad = compare(baseline["instructions"], count(program))
    if bad:
        print(f"{bad} counts have grown by more than {MOST_GROWTH:.0%} or have no counterpart; if "
              "that is meant, `make callgrind-record` records them")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
