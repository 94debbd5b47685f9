#!/bin/sh
# Writes the table of networks into README.md between its two markers.
set -eu
mend=${1:-build/mend}
table=$(mktemp)
"$mend" models --markdown=short > "$table"
sed -i -e '/<!-- networks:/,/<!-- end -->/{/<!-- networks:/{p;r '"$table"'
};/<!-- end -->/p;d}' README.md
rm -f "$table"
