"""What a model says of the findings in a table: calibrated where its weights are known, or not assessable, and why."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.apps.radiology.intake import CaseImage, ClinicalCase
from tutti.errors import InputError, UnsupportedTask
from tutti.evaluate.calibration import PlattScale
from tutti.interfaces import Fingerprinted
from tutti.trust.clinical.occlusion import ScoredRegion, occluded

LEAST_SIDE, LEAST_CONTRAST = 48, 8.0
"""Below so many pixels, or so much standard deviation of grey levels, nothing is assessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFinding:
    """A finding that a model is asked about."""

    name: str
    present: str
    absent: str
    modalities: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """What came out for one finding over all images of a case."""

    finding: AskedFinding
    image: CaseImage
    """The one in which it is most probable; of what is not assessable, the first."""
    reason: str
    """Why it is not assessable; "" otherwise."""
    probability: float | None
    calibrated: bool
    region: ScoredRegion | None


def load_findings(path: str | Path | None = None) -> tuple[list[AskedFinding], list[dict[str, Any]]]:
    """The table of findings, and its calibrations.

    Raises:
        InputError: The file cannot be read or lacks something.
    """
    file = Path(path) if path is not None else Path(__file__).with_name("findings.toml")
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
        asked = [
            AskedFinding(
                name=each["name"], present=each["present"], absent=each["absent"],
                modalities=tuple(each["modalities"]), parts=tuple(each["parts"]),
            )
            for each in values["finding"]
        ]  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{file} is no table of findings ({error}); expected [[finding]] with name, present, absent, "
            "modalities and parts."
        ) from None
    return asked, values.get("calibration", [])


def weights_of(model: Any) -> str:
    """Digest of a model's weights; "unknown" where it has none."""
    provider = getattr(model, "provider", model)
    return provider.fingerprint()[0] if isinstance(provider, Fingerprinted) else "unknown"


def assess(
    case: ClinicalCase, model: Any, path: str | Path | None = None, told: Callable[[float], None] | None = None
) -> list[Assessed]:
    """Ask a model about all findings of a table.

    Args:
        case: Whose images are looked at.
        model: A `tutti.Model`, or whatever classifies as it does.
        path: The table; the shipped one when not given.
        told: Told how much is done, from 0 to 1; what it raises ends the work.

    Raises:
        InputError: The table is none.
    """
    if not case.images:
        return []
    asked, calibrations = load_findings(path)
    weights = weights_of(model)
    found = []
    for place, finding in enumerate(asked):
        if told is not None:
            told(place / len(asked))
        scales = [each for each in calibrations if each["finding"] == finding.name and each["weights"] == weights]
        scale = PlattScale(scales[0]["slope"], scales[0]["intercept"]) if scales else None
        found.append(_assess(case, model, finding, scale))
    return found


def _assess(case: ClinicalCase, model: Any, finding: AskedFinding, scale: PlattScale | None) -> Assessed:
    best: Assessed | None = None
    reasons = []
    for image in case.images:
        reason = _hindrance(image, finding, case)
        if reason:
            reasons.append((image, reason))
            continue

        def chance(picture: NDArray[np.uint8]) -> float:
            raw = model.classify(picture, [finding.present, finding.absent])[finding.present]
            return scale(log_odds(raw)) if scale is not None else float(raw)

        try:
            probability, region = occluded(image.picture, chance)
        except UnsupportedTask as error:
            reasons.append((image, f"the model cannot assess it: {error.found}"))
            continue
        if best is None or probability > (best.probability or 0.0):
            best = Assessed(finding=finding, image=image, reason="", probability=probability,
                            calibrated=scale is not None, region=region)  # fmt: skip
    if best is not None:
        return best
    image, reason = reasons[0]
    return Assessed(finding=finding, image=image, reason=reason, probability=None, calibrated=False, region=None)


def log_odds(chance: float) -> float:
    """Of a probability, kept finite."""
    kept = min(max(chance, 1e-6), 1 - 1e-6)
    return math.log(kept / (1 - kept))


def _hindrance(image: CaseImage, finding: AskedFinding, case: ClinicalCase) -> str:
    """Why a finding cannot be assessed in an image; "" where it can."""
    header = image.header
    modality = header.modality if header is not None else case.modality
    part = (header.body_part if header is not None else case.body_part).upper()
    if not modality:
        return "what made the image is not known: it has no header and no modality was given"
    if modality not in finding.modalities:
        return f"the image is of modality {modality[:16]}, and it is asked of {' and '.join(finding.modalities)}"
    if not part:
        return "the body part is not known"
    if part not in finding.parts:
        return f"the image shows {part[:32]}"
    height, width = image.picture.shape[:2]
    if min(height, width) < LEAST_SIDE:
        return f"quality too low: {width} × {height} pixels, and {LEAST_SIDE} a side are needed"
    contrast = float(image.picture.std())
    if contrast < LEAST_CONTRAST:
        return f"quality too low: contrast {contrast:.1f} of 255, and {LEAST_CONTRAST:g} are needed"
    return ""
