"""Ask about a picture: the model that comes with the package, on the CPU, offline."""

from pathlib import Path

import tutti

MEDIA = Path(__file__).parent / "media"

model = tutti.load()
answer = model.ask("What animal is this?", MEDIA / "picture.png")

print(answer.text)
print(f"{answer.usage.media_tokens} of {answer.usage.prompt_tokens} prompt tokens stood for the picture;", end=" ")
print(f"{answer.seconds:.2f} s, {answer.finish_reason}")
