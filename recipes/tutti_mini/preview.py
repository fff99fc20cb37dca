"""A contact sheet of scenes with their questions, to be looked at.

`python -m recipes.tutti_mini.preview --data DIR --out FILE.png`
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from recipes.tutti_mini.clips import make_clip_scene, make_pair_scene
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.questions import QA, ask
from recipes.tutti_mini.scenes import Scene, make_picture_scene
from recipes.tutti_mini.sound_scenes import make_sound_scene

MAKERS = {"picture": make_picture_scene, "sound": make_sound_scene, "clip": make_clip_scene, "pair": make_pair_scene}
CELL = 480, 210
COLUMNS = 4


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the packs")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="folder of the decoded packs")
    parser.add_argument("--out", type=Path, required=True, help="the PNG to write")
    parser.add_argument("--kind", choices=MAKERS, default="picture")
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--held-out", action="store_true")
    arguments = parser.parse_args()
    pools = Pools.load(arguments.data, arguments.cache, arguments.held_out)
    rng = np.random.default_rng(arguments.seed)
    rows = -(-arguments.scenes // COLUMNS)
    sheet = Image.new("RGB", (CELL[0] * COLUMNS, CELL[1] * rows), "white")
    for number in range(arguments.scenes):
        scene = MAKERS[arguments.kind](rng, pools)
        corner = number % COLUMNS * CELL[0], number // COLUMNS * CELL[1]
        _draw(sheet, corner, scene, ask(scene, rng, "val" if arguments.held_out else "train"))
    sheet.save(arguments.out)


def _draw(sheet: Image.Image, corner: tuple[int, int], scene: Scene, questions: list[QA]) -> None:
    left, top = corner
    pen = ImageDraw.Draw(sheet)
    shown = scene.picture
    if scene.frames is not None:
        shown = np.concatenate(
            [np.concatenate(scene.frames[row : row + 2], 1) for row in range(0, len(scene.frames), 2)]
        )
    if shown is not None:
        scale = min(190 / shown.shape[0], 190 / shown.shape[1])
        size = round(shown.shape[1] * scale), round(shown.shape[0] * scale)
        sheet.paste(Image.fromarray(shown).resize(size, Image.Resampling.BICUBIC), (left + 4, top + 4))
    elif scene.sound is not None:
        points = [
            (left + 4 + 190 * i / 400, top + 90 - 80 * float(v))
            for i, v in enumerate(scene.sound[:: len(scene.sound) // 400])
        ]
        pen.line(points, fill="black")
    lines = [line for qa in questions for line in textwrap.wrap(f"{qa.question} -> {qa.answer}", 48)]
    heard = ", ".join(one.name for one in scene.facts.heard)
    pen.multiline_text(
        (left + 200, top + 4), "\n".join([*([f"[{heard}]"] if heard else []), *lines][:17]), fill="black"
    )


if __name__ == "__main__":
    main()
