"""What the shipped model says of chest x-rays, and what drafts of synthetic cases list.

python -m benchmarks.radiology --data PACKS          AUROC with interval, calibration, contradictions
python -m benchmarks.radiology --data PACKS --fit    the same, and a row for apps/radiology/findings.toml
python -m benchmarks.radiology --cases 2000          contradictions alone

The pack is `cxr` (NIH ChestX-ray8: data.zip and index.jsonl); labels are text-mined. tutti-mini was trained on its part
`train`, so everything is measured on `val`, whose patients are others; calibration is fitted on four fifths of those
patients and measured on the fifth.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pillow

from benchmarks.radiology_cases import SyntheticCase, cases
from tutti.evaluate.calibration import auroc_interval, expected_calibration_error, platt
from tutti.training.packs import PackReader
from tutti.trust.clinical.contradictions import Stated, contradictions
from tutti.trust.clinical.identity import StatedIdentity, identities, normal
from tutti.trust.clinical.statements import Statement, statements

FOLDS, BATCH = 5, 20
LABELS = ("chest x-ray showing pneumonia", "normal chest x-ray")
HEADER = (("patient id", "PatientID"), ("name", "PatientName"), ("birth date", "PatientBirthDate"),
          ("study date", "StudyDate"))  # fmt: skip


def scores(pack: Path, model: Any) -> tuple[list[float], list[bool], list[str]]:
    """Log odds of the first label, truth and patient of each picture of `val`."""
    import tutti

    reader = PackReader(pack)
    rows = [row for row in reader.rows if row["split"] == "val"]
    words = model.embed(list(LABELS))
    sharpness = model.embedder().sharpness("image")
    odds: list[float] = []
    for start in range(0, len(rows), BATCH):
        pictures = [
            tutti.Image(np.asarray(pillow.open(io.BytesIO(reader.content(row["file"]))).convert("RGB")))
            for row in rows[start : start + BATCH]
        ]
        cosines = sharpness * (model.embed(pictures) @ words.T)
        odds += (cosines[:, 0] - cosines[:, 1]).tolist()
    return odds, [row["label"] == "pneumonia" for row in rows], [row["patient"] for row in rows]


def calibration(odds: list[float], truths: list[bool], patients: list[str]) -> dict[str, float]:
    """Expected calibration error and Brier score, as the model says it and after a scale fitted on other patients."""
    names = sorted(set(patients))
    fold = {name: place % FOLDS for place, name in enumerate(names)}
    scaled = [0.0] * len(odds)
    for one in range(FOLDS):
        rest = [place for place, name in enumerate(patients) if fold[name] != one]
        scale = platt([odds[place] for place in rest], [truths[place] for place in rest])
        for place, name in enumerate(patients):
            if fold[name] == one:
                scaled[place] = scale(odds[place])
    plain = (1 / (1 + np.exp(-np.asarray(odds)))).tolist()
    truth = np.asarray(truths, float)
    return {
        "error_plain": expected_calibration_error(plain, truths),
        "error_scaled": expected_calibration_error(scaled, truths),
        "brier_plain": float(((np.asarray(plain) - truth) ** 2).mean()),
        "brier_scaled": float(((np.asarray(scaled) - truth) ** 2).mean()),
        "brier_base_rate": float(truth.var()),
    }


def stated(case: SyntheticCase) -> list[Stated]:
    """What the sources of a synthetic case state."""
    told = []
    for kind, field in HEADER:
        said = case.header[field].replace("^", " ")
        told.append(StatedIdentity(kind=kind, value=normal(kind, said), written=said, start=0, end=0))
    side = {"L": "left", "R": "right"}[case.header["ImageLaterality"]]
    part = Statement(subject=case.header["BodyPartExamined"].lower(), is_part=True, polarity="present", side=side,
                     size_mm=None, tense="now", start=0, end=0)  # fmt: skip
    found = [Stated("scan", "header", (part,), told)]
    for kind, text in (("history", case.history), ("prior", case.prior), ("note", " ".join(case.note))):
        found.append(
            Stated(kind, kind, statements(text, tense="before" if kind == "prior" else "now"), identities(text))
        )
    return found


def planted(count: int, seed: int) -> dict[str, int]:
    """How many planted contradictions are listed, and how many others."""
    sums = {"cases": count, "planted": 0, "listed": 0, "false": 0, "clean": 0, "clean_with_false": 0}
    for case in cases(count, seed):
        found = {(one.kind, one.subject) for one in contradictions(stated(case))}
        wanted = set(case.planted)
        sums["planted"] += len(wanted)
        sums["listed"] += len(found & wanted)
        sums["false"] += len(found - wanted)
        sums["clean"] += not wanted
        sums["clean_with_false"] += not wanted and bool(found)
    return sums


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the packs")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    print("contradictions:", json.dumps(planted(arguments.cases, arguments.seed)))
    if arguments.data is None:
        return
    import tutti

    model = tutti.load("tutti-mini")
    odds, truths, patients = scores(arguments.data / "cxr", model)
    area = auroc_interval(odds, truths, patients)
    print(f"pneumonia, {area.cases} pictures of {area.clusters} patients")
    print(f"AUROC {area.mean:.3f} ({area.low:.3f} to {area.high:.3f})")
    print("calibration:", {name: round(value, 3) for name, value in calibration(odds, truths, patients).items()})
    if arguments.fit:
        scale = platt(odds, truths)
        print(f'[[calibration]]\nfinding = "pneumonia"\nweights = "{model.embedder().fingerprint()[0]}"')
        print(f"slope = {scale.slope:.4f}\nintercept = {scale.intercept:.4f}")


if __name__ == "__main__":
    main()
