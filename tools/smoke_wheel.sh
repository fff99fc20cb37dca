#!/usr/bin/env bash
# Build the wheel, install it alone into a fresh environment, and use it: declared dependencies suffice, nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${BIN:-.venv/bin}
here=$PWD
room=.wheel
rm -rf "$room"
trap 'rm -rf "$here/$room"' EXIT

"$bin/python" -m build --wheel --outdir "$room" . > /dev/null
wheel=$(ls "$room"/*.whl)
echo "built $(basename "$wheel"), $(($(stat -c %s "$wheel") / 1024)) KiB"
"$bin/python" - "$wheel" <<'CHECK'
import sys, zipfile
names = zipfile.ZipFile(sys.argv[1]).namelist()
strange = [name for name in names if not name.startswith("tutti/") and ".dist-info/" not in name or "__pycache__" in name]
missing = {"tutti/py.typed", "tutti/assets/tutti-mini/model.safetensors", "tutti/assets/tutti-mini/config.json", "tutti/assets/whisper-base/model.safetensors"} - {*names}
if strange or missing:
    raise SystemExit(f"the wheel holds what it should not: {strange}; lacks what it should hold: {sorted(missing)}")
CHECK

"$bin/python" -m venv "$room/venv"
"$room/venv/bin/python" -m pip install --quiet "$wheel"
export PATH="$here/$room/venv/bin:$PATH"
picture=$here/examples/media/picture.png
cd "$room"  # away from src, so that only the installed package can be found
python -c 'import tutti, sys; assert "site-packages" in tutti.__file__, tutti.__file__'
tutti --help > /dev/null
tutti models
tutti inspect tutti-mini
tutti ask "What animal is this?" "$picture" --json
tutti transcribe "$here/examples/media/speech.ogg" --text --language en | grep -q "what your country can do for you"
