"""Classify with labels that nobody trained on, from a path and from an array in memory."""

from pathlib import Path

import numpy as np
from PIL import Image

import tutti

MEDIA = Path(__file__).parent / "media"
LABELS = ["a dog", "a car", "an apple"]

model = tutti.load()
for label, score in model.classify(MEDIA / "picture.png", LABELS).items():
    print(f"{score:6.1%}  {label}")

pixels = np.asarray(Image.open(MEDIA / "picture.png").convert("RGB"))
assert model.classify(pixels, LABELS) == model.classify(MEDIA / "picture.png", LABELS)
print("The array and the file agree.")
