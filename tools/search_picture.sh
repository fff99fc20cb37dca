#!/usr/bin/env bash
# Make docs/images/search.png: what `tutti search` writes about examples/media, as a browser shows it.
# Usage: tools/search_picture.sh            needs chromium; looks at local files only
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
bin=${BIN:-$root/.venv/bin}
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
export PYTHONPATH=$root/src OMP_NUM_THREADS=1

cp -r examples/media "$room/media"
(
  cd "$room"
  "$bin/python" -m tutti index media --into media.db
  "$bin/python" -m tutti search "a dog barking" --in media.db --top 3 --html page.html
  chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --user-data-dir="$room/profile" --hide-scrollbars --window-size=880,410 \
    --screenshot="$room/page.png" "file://$room/page.html"
) > /dev/null 2>&1
"$bin/python" - "$room/page.png" docs/images/search.png <<'SMALL'
import sys
from PIL import Image
Image.open(sys.argv[1]).convert("RGB").quantize(64).save(sys.argv[2], optimize=True)
SMALL
ls -l docs/images/search.png
