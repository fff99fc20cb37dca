"""Cases on disk and models that cost nothing, for tests of radiology drafts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.radiology_cases import SyntheticCase
from tests.media.dicom_files import make_dicom
from tutti.apps.radiology import CaseFiles, Radiology


class Looks:
    """Says how bright the upper right corner is."""

    name = "looks"

    def classify(self, picture: Any, labels: Sequence[str]) -> dict[str, float]:
        height, width = picture.shape[:2]
        chance = 0.05 + 0.9 * float(picture[: height // 4, 3 * width // 4 :].mean()) / 255
        return {labels[0]: chance, labels[1]: 1 - chance}


def pixels(seed: int = 0, side: int = 64) -> np.ndarray[Any, Any]:
    made: np.ndarray[Any, Any] = np.random.default_rng(seed).integers(0, 200, (side, side), dtype=np.uint8)
    made[: side // 4, 3 * side // 4 :] = 255
    return made


def written(case: SyntheticCase, folder: Path, **header: Any) -> CaseFiles:
    """The files of a case, in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "history.txt").write_text(case.history)
    (folder / "prior.txt").write_text(case.prior)
    segments = [
        {"start_s": 2.0 * place, "end_s": 2.0 * place + 1.5, "text": said} for place, said in enumerate(case.note)
    ]
    (folder / "note.json").write_text(json.dumps({"segments": segments}))
    (folder / "scan.dcm").write_bytes(make_dicom(pixels(), Modality="DX", **{**case.header, **header}))
    return CaseFiles(
        images=[folder / "scan.dcm"], history=[folder / "history.txt"], notes=[folder / "note.json"],
        priors=[folder / "prior.txt"],
    )  # fmt: skip


def opened(folder: Path, **options: Any) -> Radiology:
    def deaf() -> Any:
        raise AssertionError("no recording was given")

    return Radiology(folder, Looks, deaf, **options)
