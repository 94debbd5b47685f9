#!/bin/sh
# Restores a picture with a checkpoint, and puts before and after side by side.
#   tools/demo.sh MEND CHECKPOINT [PICTURE]
set -eu
mend=$1
weights=$2
picture=${3:-docs/images/sample.png}
if [ -z "$weights" ]; then
  echo "mend: the program brings no weights of its own yet; name a checkpoint:" >&2
  echo "  make demo WEIGHTS=realesr-general-x4v3.pth [PHOTO=photo.jpg]" >&2
  echo "mend models lists published ones, mend pull NAME fetches one." >&2
  exit 2
fi
mkdir -p out
"$mend" run "$weights" "$picture" -o out/after.png
"$mend" compare "$picture" out/after.png --enlarge --picture out/before_after.png >/dev/null
echo "out/after.png is the result; out/before_after.png shows before, after and their difference"
