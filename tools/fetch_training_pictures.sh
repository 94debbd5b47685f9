#!/usr/bin/env bash
# Fetches the photographs that the default weights are trained on: pictures of Debian's wallpaper
# packages, chosen by hand (no drawings), with their licences in weights/embedded/DATA.md.
#   tools/fetch_training_pictures.sh FOLDER     -> FOLDER/photos, FOLDER/held-out
set -euo pipefail
folder=${1:?say where: tools/fetch_training_pictures.sh FOLDER}
root=$(cd "$(dirname "$0")/.." && pwd)
list="$root/weights/embedded/pictures.txt"

if ! command -v apt-get > /dev/null || ! command -v dpkg-deb > /dev/null; then
  echo "mend: this needs apt-get and dpkg-deb (Debian, Ubuntu); $list names the pictures" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$folder/photos" "$folder/held-out"

for package in $(awk '!/^#/ && NF {print $2}' "$list" | sort -u); do
  echo "mend: $package"
  (cd "$work" && apt-get download -q -o APT::Sandbox::User=root "$package" > /dev/null)
  dpkg-deb -x "$work/${package}"_*.deb "$work/$package"
done
# use, package, path inside of it, name here
awk '!/^#/ && NF' "$list" | while read -r use package path name; do
  cp "$work/$package/$path" "$folder/$use/$name"
done
echo "mend: $(ls "$folder/photos" | wc -l) photographs in $folder/photos, $(ls "$folder/held-out" | wc -l) in $folder/held-out"
