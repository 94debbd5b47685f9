#!/bin/sh
# Spoils the sample picture, restores it with the program's own weights, and says how much came back.
#   tools/demo.sh MEND            the sample
#   tools/demo.sh MEND PICTURE    restores a picture of yours instead
set -eu
mend=$1
picture=${2:-}
mkdir -p out
if [ -n "$picture" ]; then
  "$mend" restore "$picture" -o out/after.png
  "$mend" compare "$picture" out/after.png --picture out/before_after.png >/dev/null
  echo "out/before_after.png: your picture, the restored one, their difference"
  exit 0
fi
original=docs/images/sample.jpg
"$mend" degrade "$original" -o out/noisy.png -q --steps '[{"do": "blur", "shape": "gaussian", "deviation": 0.8},
  {"do": "gaussian_noise", "sigma": 15}, {"do": "jpeg", "quality": 60, "grid": "corner"}]'
"$mend" restore out/noisy.png -o out/restored.png
"$mend" degrade "$original" -o out/small.png -q --steps '[{"do": "resize", "scale": 0.5, "filter": "matlab"}]'
"$mend" degrade out/small.png -o out/bicubic.png -q --steps '[{"do": "resize", "scale": 2, "filter": "matlab"}]'
"$mend" upscale out/small.png -o out/large.png
for result in noisy restored bicubic large; do
  echo "$result.png"
  "$mend" compare "out/$result.png" "$original" --metric psnr,ssim
done
"$mend" compare out/noisy.png out/restored.png --picture out/before_after.png >/dev/null
echo "out/before_after.png: before, after, and their difference"
