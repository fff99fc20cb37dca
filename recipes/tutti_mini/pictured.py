"""The photographs of the card's ten answers, as one picture, with whose they are.

python -m recipes.tutti_mini.pictured --data DIR --into PICTURE.webp [--count N]

They are the first by the hash of their files' names among validation photographs, so that nobody chose them; left to
right, then down, in the order of the card's table.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps

from recipes.tutti_mini import measure_photos
from recipes.tutti_mini.packs import open_picture
from recipes.tutti_mini.voices import Row
from tutti.training.packs import PackReader

SIDE, COLUMNS, GAP = 144, 5, 6


def first(data: Path, count: int) -> list[tuple[str, Row]]:
    """Packs and rows of the photographs that are asked about first."""
    photos = measure_photos.list_photos(data)
    return [photos.rows[index] for index in measure_photos.chosen(photos, count)]


def sheet(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures whole, each on a white square, in rows of five."""
    rows = -(-len(pictures) // COLUMNS)
    step = SIDE + GAP
    made = Image.new("RGB", (COLUMNS * step - GAP, rows * step - GAP), "white")
    for number, picture in enumerate(pictures):
        shown = ImageOps.pad(picture.convert("RGB"), (SIDE, SIDE), color="white")
        made.paste(shown, (number % COLUMNS * step, number // COLUMNS * step))
    return made


def credit(row: Row) -> str:
    """Whose a photograph is, as its licence asks."""
    who = str(row.get("author") or str(row["source"]).split(" via ")[0])
    return f"{who}, {row['licence']}" + (f" ([page]({row['url']}))" if row.get("url") else "")


def main() -> None:
    """Write the picture, and print whose the photographs are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the packs")
    parser.add_argument("--into", type=Path, required=True, help="the picture")
    parser.add_argument("--count", type=int, default=10)
    arguments = parser.parse_args()
    pictures = []
    for pack, row in first(arguments.data, arguments.count):
        pictures.append(open_picture(PackReader(arguments.data / pack), row))
        print(f"{row['file']}: {credit(row)}")
    sheet(pictures).save(arguments.into, quality=72, method=6)


if __name__ == "__main__":
    main()
