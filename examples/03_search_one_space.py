"""Words, pictures and sounds in one space: which medium is nearest to each of the words?"""

from pathlib import Path

import tutti

MEDIA = Path(__file__).parent / "media"
WORDS = ["a dog", "a dog barking", "a rooster crowing"]
FILES = ["picture.png", "recording.ogg", "video.mp4"]

model = tutti.load()
media = [tutti.Image(MEDIA / FILES[0]), tutti.Audio(MEDIA / FILES[1]), tutti.Video(MEDIA / FILES[2])]
vectors = model.embed([*WORDS, *media])  # (6, D) float32, unit rows: a product is a cosine

similarities = vectors[: len(WORDS)] @ vectors[len(WORDS) :].T
for word, row in zip(WORDS, similarities, strict=True):
    print(f"{word:<20}", *(f"{file} {value:.2f}  " for file, value in zip(FILES, row, strict=True)))
