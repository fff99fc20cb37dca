"""Defects on surfaces: is a specialist worth it, what does it miss, and what would a claim of 99.9 % take?

Surfaces are rendered: brushed metal with light from one side; half of them have a scratch, a dent or a stain.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

import tutti
from tutti.evaluate.labelled import labelled_tasks
from tutti.evaluate.specialise_report import as_text
from tutti.evaluate.specialising import fit_task, router_worth
from tutti.evaluate.suite import read_suite

rng = np.random.default_rng(0)
CASES = 120


def surface() -> Image.Image:
    grain = rng.normal(0, 9, (96, 1)) + rng.normal(0, 3, (96, 96))
    light = np.linspace(-1, 1, 96)[None] * rng.uniform(-30, 30)
    return Image.fromarray(np.clip(rng.uniform(110, 170) + grain + light, 0, 255).astype(np.uint8)).convert("RGB")


def damaged(picture: Image.Image) -> Image.Image:
    mark = Image.new("L", picture.size, 0)
    x, y = (int(value) for value in rng.integers(15, 70, 2))
    kind, draw = rng.integers(3), ImageDraw.Draw(mark)
    if kind == 0:
        draw.line([(x, y), (x + int(rng.integers(-14, 15)), y + int(rng.integers(5, 12)))], fill=130, width=1)
    else:
        draw.ellipse([x, y, x + int(rng.integers(3, 8)), y + int(rng.integers(3, 8))], fill=70 if kind == 1 else 110)
    tone = [(235, 235, 235), (60, 60, 60), (120, 70, 30)][kind]
    picture.paste(Image.new("RGB", picture.size, tone), mask=mark.filter(ImageFilter.GaussianBlur(0.8)))
    return picture


with tempfile.TemporaryDirectory() as folder:
    rows = []
    for number in range(CASES):
        label = ("a defect", "a good part")[number % 2]
        picture = damaged(surface()) if number % 2 == 0 else surface()
        picture.save(Path(folder, f"{number}.png"))
        rows.append({"media": [f"{number}.png"], "question": "Is there a defect?", "expected": [label]})
    suite = Path(folder, "suite.jsonl")
    suite.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (task,) = labelled_tasks(read_suite(suite), tutti.load().embedder())
    fitted = fit_task(task, positive="a defect")
    print(as_text([fitted], router_worth([fitted])))
