#!/usr/bin/env python3
"""Checks and times the CUDA kernels on a real GPU: `make gpu-verify`.

usage: gpu_verify.py BUILD REPORT [--no-sanitizer]

Runs the tests of the GPU, then again under compute-sanitizer's four tools where it is installed, times the kernels beside
cuDNN's (as conv2d/cudnn where libcudnn.so.9 is found, and through PyTorch where that is installed), and writes REPORT.md and
REPORT.json. Ends with 1 if a test or a tool
found something.
"""
import json
import shutil
import subprocess
import sys

# Dense tensor-core peaks of f16, and of TF32, in TFLOP/s, and GB/s of DRAM, from NVIDIA's data sheets.
PEAKS = {"H100 80GB HBM3": (989.4, 494.7, 3350), "H200": (989.4, 494.7, 4800), "A100": (312, 156, 1555)}
SANITIZER_SECONDS = 900


def output_of(command, seconds=None):
    """Status and output; status None if it took too long."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        return None, (late.stdout or b"").decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""


def gpu_name():
    status, text = output_of(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]) if shutil.which("nvidia-smi") else (1, "")
    return text.splitlines()[0].strip() if status == 0 and text.strip() else None


def times_of(command):
    status, text = output_of(command)
    if status != 0:
        print(text, file=sys.stderr)
        return {}
    rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {row["case"]: row for row in rows}


def apart(times):
    """Our own kernels' times, and those of conv2d/cudnn, which ran in the same program."""
    by_cudnn = {case: row for case, row in times.items() if case.split("/")[1] == "cudnn"}
    return {case: row for case, row in times.items() if case not in by_cudnn}, by_cudnn


def table(ours, cudnn, peaks):
    lines = ["| case | us | TFLOP/s | of the tensor peak | GB/s | cuDNN us | ours : cuDNN |", "|---|---|---|---|---|---|---|"]
    for case, row in ours.items():
        op, rung, *rest = case.split("/")
        peer = cudnn.get("/".join([op, "cudnn", *rest]))
        half = rest[-1] == "f16"
        peak = f"{row['tflops'] / peaks[0 if half else 1]:.1%}" if peaks else ""
        ratio = f"{peer['us'] / row['us']:.2f}" if peer else ""
        lines.append(f"| {case} | {row['us']:.1f} | {row['tflops']:.1f} | {peak} | {row['gb_per_s']:.0f} | "
                     f"{peer['us'] if peer else ''} | {ratio} |")
    return lines


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    build, report = sys.argv[1:3]
    name = gpu_name()
    if name is None:
        sys.exit("mend: nvidia-smi finds no GPU; `make test-gpu-sim` needs none")
    tests = f"{build}/tests/mend_tests_gpu"
    failed = False
    lines = [f"# {name}", ""]
    status, text = output_of([tests])
    failed |= status != 0
    lines += ["Tests: " + (text.strip().splitlines() or ["nothing was printed"])[-1], ""]
    if status != 0:
        print(text, file=sys.stderr)
    if "--no-sanitizer" not in sys.argv and shutil.which("compute-sanitizer"):
        for tool in ("memcheck", "racecheck", "initcheck", "synccheck"):
            status, text = output_of(["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", tests], SANITIZER_SECONDS)
            found = f"not done after {SANITIZER_SECONDS} s" if status is None else text.strip().splitlines()[-1]
            failed |= status not in (0, None)
            lines.append(f"{tool}: {found}")
            print(lines[-1])
        lines.append("")
    ours, by_cudnn = apart(times_of([f"{build}/bench/mend_gpu_times"]))
    has_torch = output_of([sys.executable, "-c", "import torch; assert torch.cuda.is_available()"])[0] == 0
    cudnn = {**(times_of([sys.executable, "bench/gpu/cudnn_times.py"]) if has_torch else {}), **by_cudnn}
    peaks = next((peaks for known, peaks in PEAKS.items() if known in name), None)
    lines += table(ours, cudnn, peaks)
    with open(report + ".md", "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")
    with open(report + ".json", "w", encoding="utf-8") as out:
        json.dump({"gpu": name, "ours": list(ours.values()), "cudnn": list(cudnn.values())}, out, indent=1)
    print("\n".join(lines))
    sys.exit(1 if failed or not ours else 0)


if __name__ == "__main__":
    main()
