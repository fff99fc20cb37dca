"""The guard before models elsewhere: what identifies is refused or covered, and nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trust.privacy.doubles import FACE, RedFaces, tools
from tutti.content import Depth, Image, Text
from tutti.errors import InputError
from tutti.interfaces import Guard
from tutti.media import Limits, decode_image
from tutti.trust.privacy import RedactionSteps, Redactor
from tutti.trust.privacy.guard import PrivacyGuard

PLAIN = np.full((40, 40, 3), 90, np.uint8)


def with_face() -> np.ndarray:
    pixels = PLAIN.copy()
    pixels[10:20, 10:20] = FACE
    return pixels


def guard(action: str) -> PrivacyGuard:
    redactor = Redactor(RedactionSteps(names=("Jane Doe",)), tools(RedFaces()))
    return PrivacyGuard(redactor, action)  # type: ignore[arg-type]


def test_what_identifies_is_refused_before_it_goes_on() -> None:
    assert isinstance(guard("refuse"), Guard)
    with pytest.raises(InputError, match=r"shows or says what identifies \(face\); redact it first"):
        guard("refuse").admit([Text("who is it?"), Image(with_face())])
    with pytest.raises(InputError, match=r"The question shows or says what identifies \(email, name\)"):
        guard("refuse").admit([Text("mail jane@example.org to Doe")])
    parts = [Text("what is it?"), Image(PLAIN)]
    assert list(guard("refuse").admit(parts)) == parts


def test_or_it_is_covered() -> None:
    text, image = guard("redact").admit([Text("is this Jane?"), Image(with_face())])
    assert isinstance(text, Text) and text.text == "is this [name]?"
    assert isinstance(image, Image)
    pixels = decode_image(image, Limits())
    assert RedFaces().faces(pixels) == []
    assert (pixels[30:] == 90).all()


def test_what_is_not_looked_into_is_refused() -> None:
    with pytest.raises(InputError, match="Readings of depth are not looked into"):
        guard("redact").admit([Depth(np.ones((4, 4), np.float32))])
