#!/bin/sh
# usage: test_gpu_sim.sh PRESET BUILD JOBS [ONLY]
# Builds the GPU tests in BUILD and the simulator in BUILD/cudasim, and runs the tests on it with every
# check on; then holds the counts of the kernels against bench/gpu_budget.json.
# The simulator is in the folder cudasim of MEND_SHARED (default ../shared).
set -eu
preset=$1 build=$2 jobs=$3 only=${4:-}
shared=${MEND_SHARED:-../shared}
if [ ! -d "$shared/cudasim" ]; then
  echo "mend: there is no $shared/cudasim; MEND_SHARED names the folder that it lies in" >&2
  exit 1
fi
simulator=$(mkdir -p "$build/cudasim" && cd "$build/cudasim" && pwd)
make -s -C "$shared/cudasim" -j "$jobs" BUILD="$simulator" > "$build/cudasim.log" 2>&1 || {
  cat "$build/cudasim.log"
  exit 1
}
cmake --preset "$preset" -DMEND_CUDA=ON -DMEND_TESTS=ON -DMEND_BENCH=ON > /dev/null
cmake --build "$build" -j "$jobs" --target mend_tests_gpu mend_gpu_counts

# The second run has cp.async write at once, and not at the wait: it finds buffers that are written while
# they are still read.
# 2 GB: a test fills the GPU's memory, and initcheck keeps a shadow of it.
export CUDASIM_MEM_GB=2
# Networks by the dozen run the second time alone: each of their kernels has its own case in both.
LD_LIBRARY_PATH=$simulator CUDASIM_RACECHECK=1 CUDASIM_INITCHECK=1 \
  "$build/tests/mend_tests_gpu" ${only:+"--test-case=*$only*"} --test-case-exclude="*networks give*"
LD_LIBRARY_PATH=$simulator CUDASIM_CPASYNC_EARLY=1 \
  "$build/tests/mend_tests_gpu" ${only:+"--test-case=*$only*"}
[ -n "$only" ] || tools/gpu_budget.py "$build"
