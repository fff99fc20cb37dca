"""A recording, then a video with its sound; the answer to the second arrives piece by piece."""

from pathlib import Path

import tutti
from tutti.content import Finished, TextDelta

MEDIA = Path(__file__).parent / "media"

model = tutti.load()
print("recording:", model.ask("What do you hear?", MEDIA / "recording.ogg"))

print("video: ", end="")
for event in model.stream("What can be heard?", MEDIA / "video.mp4"):
    match event:
        case TextDelta(text):
            print(text, end="", flush=True)
        case Finished(answer):
            print(f"   ({answer.usage.completion_tokens} tokens)")
