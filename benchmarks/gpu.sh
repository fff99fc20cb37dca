#!/bin/sh
# What Tutti does on one large GPU, in at most ten minutes: see benchmarks/gpu.py. Run it from a checkout with the
# extra `dev` installed and torch's build for CUDA:
#
#     sh benchmarks/gpu.sh                          # all of it; a table on stdout, also in gpu-results.md
#     sh benchmarks/gpu.sh --shapes 7b              # on a card of 24 GB
#     sh benchmarks/gpu.sh --tiny --device cpu      # proves the script itself, without a GPU
set -eu
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD/src:$PWD:$PWD/benchmarks${PYTHONPATH:+:$PYTHONPATH}"
exec "${PYTHON:-python}" benchmarks/gpu.py --write gpu-results.md "$@"
