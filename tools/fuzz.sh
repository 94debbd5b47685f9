#!/bin/sh
# Builds the fuzz targets with clang and runs each for $1 seconds; a crash leaves its input behind.
set -eu
seconds=${1:-60}
command -v clang++ >/dev/null || {
  echo "mend: fuzzing needs clang: apt-get install clang libomp-dev" >&2
  exit 1
}
cmake --preset fuzz >/dev/null
cmake --build build-fuzz -j "$(nproc)"
for target in build-fuzz/tests/fuzz/*_fuzz; do
  name=$(basename "$target")
  mkdir -p "build-fuzz/corpus/$name"
  echo "== $name"
  "$target" -max_total_time="$seconds" -rss_limit_mb=2048 -print_final_stats=0 \
    -artifact_prefix="build-fuzz/$name-" "build-fuzz/corpus/$name"
done
