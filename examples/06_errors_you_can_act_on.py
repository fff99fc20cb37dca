"""Every error says what was found, what was expected and what to do."""

from pathlib import Path

import tutti
from tutti.errors import CapacityError, InputError

MEDIA = Path(__file__).parent / "media"

model = tutti.load()
attempts = [
    ("What is this?", "no-such-file.jpg"),
    ("What is this?", __file__),  # text, whatever its name says
    ("", MEDIA / "picture.png"),
]
for question, medium in attempts:
    try:
        model.ask(question, medium)
    except InputError as error:
        print("you can fix it:", error)
    except CapacityError as error:
        print("over a limit:", error)
