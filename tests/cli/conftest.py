"""A model that costs nothing in the place of the real one, and a picture to show it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import tutti
from tests.cli.fake_model import FakeModel


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    """What `tutti.load` gives, whatever name it is asked for."""
    fake = FakeModel()
    monkeypatch.setattr(tutti, "load", lambda name=None, **_: fake, raising=False)
    monkeypatch.setattr(tutti, "open_provider", lambda name=None, **_: fake, raising=False)
    return fake


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A small picture on disk."""
    path = tmp_path / "picture.png"
    Image.new("RGB", (8, 6), (200, 40, 40)).save(path)
    return path
