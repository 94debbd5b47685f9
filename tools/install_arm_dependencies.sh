#!/bin/sh
# Installs what `make test-arm` needs on a Debian machine of another architecture: the cross compiler,
# qemu-user, and the libraries for 64-bit ARM. Needs root.
set -eu
dpkg --add-architecture arm64
apt-get update -q
apt-get install -y --no-install-recommends g++-aarch64-linux-gnu qemu-user libhwy-dev:arm64 \
  libpng-dev:arm64 libjpeg62-turbo-dev:arm64 libzip-dev:arm64 libfmt-dev:arm64 libgomp1:arm64
