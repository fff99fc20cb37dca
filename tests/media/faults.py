"""A fault that a worker process can import."""

from __future__ import annotations

import numpy as np


def missing_key(frame: np.ndarray) -> np.ndarray:
    raise KeyError("a fault of ours")
