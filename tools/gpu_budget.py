#!/usr/bin/env python3
"""Counts what the CUDA kernels ask of a GPU, and holds the counts against bench/gpu_budget.json.

usage: gpu_budget.py BUILD [--record]

BUILD holds the simulator (BUILD/cudasim) and mend_gpu_counts; `make test-gpu-sim` builds both. Fails if a
count is worse than the budget by more than 0.5%, if the two do not have the same cases, or if any kernel
spills; --record writes the budget. Registers and spills are ptxas' own words on every kernel, for two chips.

  bank_conflicts      wavefronts of shared memory by the least possible number
  sector_efficiency   the least possible number of 32-byte sectors by those of global memory
  l2_ratio            bytes that pass L2 by x + weight + y
  x_reads             bytes of x that pass L2 by the bytes of x, where each block reads all weights and biases once
  dram_bytes          different bytes that a kernel of conv2d_pair, or the two of conv2d in its place, read and write
  tensor_waste        FLOPs of the tensor cores by those of the layer
  instructions        of warps, in PTX
  estimate_us, bound  the simulator's roofline for an H100, and what it is bound by
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUDGET = ROOT / "bench" / "gpu_budget.json"
SLACK = 0.005
HIGHER_IS_BETTER = {"sector_efficiency"}
ARCHITECTURES = ("sm_80", "sm_90")
SOURCES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "kernels").rglob("*.cu"))


def count(build: pathlib.Path, case: str) -> dict:
    """What the simulator counted in the case's kernel."""
    with tempfile.NamedTemporaryFile(suffix=".json") as stats:
        run = subprocess.run(
            [build / "bench" / "mend_gpu_counts", case], check=True, capture_output=True, text=True,
            env={**os.environ, "LD_LIBRARY_PATH": str(build / "cudasim"), "CUDASIM_STATS_JSON": stats.name,
                 "CUDASIM_PTXAS": "0"})  # it would compile all of the kernel's file; see machine_code_of
        problem = json.loads(run.stdout)
        kernels = json.load(open(stats.name))["kernels"]
    # Where a rung is one kernel, there is only the packing of its weights beside it.
    longest = max(kernels, key=lambda k: k["estimate_us"]["total"])
    if not problem["sums_kernels"]:
        kernels = [longest]
    total = lambda name: sum(k[name] for k in kernels)
    weights, x, y = problem["weight_bytes"], problem["x_bytes"], problem["y_bytes"]
    compulsory = x + weights + y
    counts = {
        "bank_conflicts": total("smem_wavefronts") / max(total("smem_wavefronts_ideal"), 1),
        "sector_efficiency": total("global_sectors_ideal") / total("global_sectors"),
        "l2_ratio": 32 * total("l2_sectors") / compulsory,
        "instructions": sum(sum(k["warp_instructions"].values()) for k in kernels),
        "estimate_us": sum(k["estimate_us"]["total"] for k in kernels),
    }
    flops = sum(sum(k["tensor_flops"].values()) for k in kernels)
    if flops:
        counts["tensor_waste"] = flops / problem["flops"]
    if case.startswith("conv2d_pair/"):
        counts["dram_bytes"] = total("dram_read_bytes_unique") + total("dram_write_bytes_unique")
    if "cuda_mma" in case:  # one tile a block, all weights in each
        outputs = int(case.split("/")[2].split("to")[1])
        if outputs <= 64:
            constants = weights + 4 * outputs  # of a block: with the biases
            counts["x_reads"] = (32 * longest["l2_sectors"] - longest["blocks"] * constants - y) / x
    counts = {name: round(value, 4) for name, value in counts.items()}
    counts["bound"] = longest["estimate_us"]["bound"]
    return counts


def machine_code_of(source: str) -> dict:
    """Registers, and bytes that ptxas spilled, of a source's kernels, on each chip from the PTX that all share."""
    nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    with tempfile.TemporaryDirectory() as folder:
        log = subprocess.run(
            [nvcc, "-std=c++20", "--expt-relaxed-constexpr", "-diag-suppress", "554", "-I", ROOT, "-fatbin",
             f"--generate-code=arch=compute_80,code=[{','.join(ARCHITECTURES)}]",
             "-Xptxas", "-v", ROOT / source, "-o", f"{folder}/fatbin"],
            check=True, capture_output=True, text=True).stderr
    log = subprocess.run(["c++filt"], input=log, check=True, capture_output=True, text=True).stdout
    found = {}
    for entry in log.split("Compiling entry function '")[1:]:
        name = re.sub(r"mend::|\(anonymous namespace\)::", "", entry.split("'", 1)[0]).removeprefix("void ")
        name = f"{source.removeprefix('kernels/')}: {name.split('(')[0]}"
        chip = re.search(r"' for '(sm_\d+)'", entry)[1]
        stack, stores = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores", entry).groups()
        found[f"{name} {chip}"] = {
            "registers": int(re.search(r"Used (\d+) registers", entry)[1]),
            "stack_bytes": int(stack), "spilled_bytes": int(stores)}
    return found


def as_lines(budget: dict) -> str:
    """JSON, a line for each case and each kernel."""
    parts = (f' "{part}": {{\n' + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(of.items())) + "\n }"
             for part, of in budget.items())
    return "{\n" + ",\n".join(parts) + "\n}\n"


def worse(name: str, before, after) -> bool:
    if isinstance(before, str):
        return False  # what bounds it is for the reader
    if name in HIGHER_IS_BETTER:
        return after < before * (1 - SLACK)
    return after > before * (1 + SLACK)


def compare(before: dict, after: dict) -> int:
    bad = 0
    for case in sorted(before.keys() | after.keys()):
        if case not in before or case not in after:
            print(f"{case}: {'not in the budget' if case not in before else 'no longer counted'}")
            bad += 1
            continue
        print(case)
        for name in before[case]:
            old, new = before[case][name], after[case].get(name)
            is_bad = new is None or worse(name, old, new)
            bad += is_bad
            print(f"  {name:<18} {new!s:>12}  budget {old!s:>12}{'  WORSE' if is_bad else ''}")
    return bad


def spills(code: dict) -> int:
    """Names the kernels that keep something on the stack; how many there are."""
    bad = [name for name, of_kernel in code.items() if of_kernel["spilled_bytes"] or of_kernel["stack_bytes"]]
    for name in bad:
        print(f"{name}: spills {code[name]['spilled_bytes']} bytes")
    return len(bad)


def main() -> int:
    build = pathlib.Path(sys.argv[1]).resolve()
    cases = subprocess.run([build / "bench" / "mend_gpu_counts"], check=True, capture_output=True, text=True,
                           env={**os.environ, "LD_LIBRARY_PATH": str(build / "cudasim")}).stdout.split()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        codes = pool.map(machine_code_of, SOURCES)
        counts = dict(zip(cases, pool.map(lambda case: count(build, case), cases)))
        code = {name: of_kernel for of_source in codes for name, of_kernel in of_source.items()}
    if spilling := spills(code):
        print(f"{spilling} kernels spill; no kernel may (launch bounds, fewer live values)")
        return 1
    if "--record" in sys.argv:
        BUDGET.write_text(as_lines({"counts": counts, "machine_code": code}))
        print(f"{len(counts)} cases recorded in {BUDGET.name}")
        return 0
    budget = json.loads(BUDGET.read_text())
    bad = compare(budget["counts"], counts) + compare(budget["machine_code"], code)
    if bad:
        print(f"{bad} counts are worse than bench/gpu_budget.json; if that is meant: make gpu-budget-record")
    return int(bad > 0)


sys.exit(main())
