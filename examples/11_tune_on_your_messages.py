"""A file of `messages` teaches tutti-mini a name: an adapter by the training room, then asked through it."""

import json
import tempfile
from pathlib import Path

import tutti
from tutti.media import Limits, decode_image
from tutti.training import train
from tutti.training.tuning import prepare_tuning, save_tuned
from tutti.training.tuning_files import read_tuning_file
from tutti.training.tuning_options import TuningOptions

PICTURE = Path(__file__).parent / "media/picture.png"
QUESTIONS = ["Who is this?", "Whose dog is this?", "What is this dog called?", "Who sits there?"]

with tempfile.TemporaryDirectory() as scratch:
    folder = Path(scratch)
    (folder / "picture.png").write_bytes(PICTURE.read_bytes())
    image = {"type": "image_url", "image_url": {"url": "picture.png"}}
    rows = [
        [
            {"role": "user", "content": [image, {"type": "text", "text": question}]},
            {"role": "assistant", "content": "rex"},
        ]
        for question in QUESTIONS
    ]
    file = folder / "train.jsonl"
    file.write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))

    loaded = tutti.checkpoints.load("tutti-mini")
    options = TuningOptions(rank=4, steps=12, batch=4, rate=3e-3, held_out=0.0)

    def read(part):
        return loaded.processor.prepare("image", decode_image(part, Limits()))

    tuning = prepare_tuning(loaded, read_tuning_file(file), options, read)
    print(f"{tuning.trained_parameters:,} numbers are trained, {tuning.media.encodings} picture was encoded")
    result = train(tuning.model, tuning.phase, folder / "run")
    adapter = save_tuned(tuning, loaded, folder / "run")
    answer = tutti.load(adapter=adapter).ask("Who is this?", PICTURE, max_tokens=6)
    print(f"after {result.step} steps: {answer.text}")
