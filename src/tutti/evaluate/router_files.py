"""A fitted router as numbers in a folder: `router.json` and `heads.safetensors`, which `--model route:FOLDER` reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from tutti.content import Text
from tutti.errors import writing
from tutti.evaluate.specialising import FittedTask
from tutti.interfaces import Embedder

PROBE = "tutti"
"""A text whose vector tells whether a model is the one that a router was fitted on."""


def save_router(
    folder: Path, tasks: Sequence[FittedTask], embedder: Embedder, *, label_as: str, media_modality: str
) -> None:
    """Write a router; one that was there is replaced, the table last.

    Args:
        folder: Made if it is missing.
        tasks: What was fitted.
        embedder: On whose embeddings.
        label_as: How a label becomes a text for the generalist.
        media_modality: Of the media.
    """
    arrays: dict[str, np.ndarray] = {"probe": np.asarray(embedder.embed([Text(PROBE)]).vectors[0], np.float32)}
    rows: list[dict[str, Any]] = []
    for place, one in enumerate(tasks):
        arrays[f"{place}.weight"], arrays[f"{place}.bias"] = one.head.weight, one.head.bias
        rows.append(
            {
                "question": one.task.question,
                "labels": list(one.head.labels),
                "temperature": one.head.temperature,
                "generalist_temperature": one.generalist_temperature,
                "generalist_point": one.generalist_point,
                "specialist_point": one.specialist_point,
                "test": {name: asdict(getattr(one, name)) for name in ("generalist", "specialist", "routed")},
                "to_person": one.to_person,
            }
        )
    table = {
        "format": "tutti router 1",
        "model": embedder.name,
        "label_as": label_as,
        "modality": media_modality,
        "tasks": rows,
    }
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        contents = {
            "heads.safetensors": save({name: np.ascontiguousarray(one) for name, one in arrays.items()}),
            "router.json": (json.dumps(table, indent=1) + "\n").encode(),
        }
        for name, content in contents.items():
            part = folder / f".{name}.part"
            part.write_bytes(content)
            part.replace(folder / name)
