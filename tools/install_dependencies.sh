#!/bin/sh
# Installs what the build, the tests and the benches need from the Debian or Ubuntu archive.
# Without root or sudo it prints the line to run instead, and fails.
set -eu
required="g++ cmake make pkg-config libhwy-dev libstb-dev libcli11-dev nlohmann-json3-dev libzip-dev
  libfmt-dev libpng-dev libjpeg-dev"
optional="libcurl4-openssl-dev doctest-dev libbenchmark-dev libdnnl-dev libopenmpi-dev openmpi-bin
  valgrind clang-format"
wanted=""
for package in $required $optional; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || wanted="$wanted $package"
done
if [ -z "$wanted" ]; then
  echo "mend: all packages are installed"
  exit 0
fi
install="apt-get install -y --no-install-recommends$wanted"
if ! command -v apt-get >/dev/null; then
  echo "mend: this system has no apt-get; install the equivalents of:$wanted" >&2
  exit 1
elif [ "$(id -u)" = 0 ]; then
  apt-get update -q && $install
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  sudo apt-get update -q && sudo $install
else
  echo "mend: packages are missing and installing needs root; run:" >&2
  echo "  sudo apt-get update && sudo $install" >&2
  exit 1
fi
