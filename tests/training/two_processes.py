"""Started by torchrun from `test_distributed.py`: trains the tiny phase into the folder that it is given."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.training.tiny import make_linear, make_phase
from tutti.training.loop import train

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    phase = make_phase(micro_batches=4, ema_decay=0.9, steps=6)
    train(make_linear(), phase, folder, stop_after=3, log_every=2)
    train(make_linear(), phase, folder, log_every=2, validate=lambda model: {"one": 1.0})
