#!/bin/sh
# Measures all networks, where the fixtures are at hand, and writes the tables of networks:
# models/measured.json, docs/networks.md, and README's.
set -eu
build=${1:-build}
if [ -d "${MEND_SHARED:-../shared}/goldens" ]; then
  cmake -S . -B "$build" -DMEND_TESTS=ON > /dev/null
  cmake --build "$build" -j "$(nproc)" --target mend_measure_networks > /dev/null
  "$build/tests/mend_measure_networks" models/measured.json
  cmake --build "$build" -j "$(nproc)" --target mend > /dev/null
else
  echo "The fixtures are not here: models/measured.json stays as it is."
fi
"$build/mend" models --markdown > docs/networks.md
tools/update_readme.sh "$build/mend"
