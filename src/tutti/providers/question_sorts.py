"""What a question is about: what is written, said, seen or heard, or what a thing is; by the examples it is nearest to.

Examples stand for all questions that mean much the same in the shared space of the model, whatever their words are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tutti.content import Embeddings, Part, Text
from tutti.errors import TuttiError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    class _Embedding:
        """What the class that this is mixed into has."""

        def embed(self, parts: Sequence[Part], tenant: str | None = None) -> Embeddings: ...
        def shortened(self, text: str) -> str: ...
else:
    _Embedding = object

Sort = Literal["written", "said", "seen", "heard", "open"]
"""Of questions: about what is written, about words that are spoken, about what is to be seen, about sounds, what a
thing is."""

EXAMPLES: dict[Sort, tuple[str, ...]] = {
    "written": (
        "What does it say?", "What is written here?", "Read the text.", "Read this out loud.",
        "What does the sign say?", "Which word is shown?", "What text is in the picture?",
        "What number is printed on it?", "What is the total?", "How much does it cost?", "What is the price?",
        "How much is a ticket?", "When was it bought?", "What is the date?", "Which shop is it from?",
        "What is the name of the restaurant?", "What is the address?", "What is the telephone number?",
        "Which brand is this?", "Who made it?", "What is the title?", "What does the label say?",
        "What is on the receipt?", "Which street is this?", "What does the screen show as text?",
        "Transcribe what is written.", "What is the number on the plate?", "What language is the text in?",
        "Which station is this?", "What does the heading say?", "Who sent it?", "What is the web site?",
        "Quote the words.", "How much was paid?", "What letters do you see?", "What is on the sign?",
        "What do you read?", "Which number do you see?", "What is the number?", "Which way does the sign point?",
        "On which day was it made out?", "What is the bill?", "What number is in the picture?", "Who is it for?",
    ),
    "seen": (
        "Is there a dog?", "Do you see a car?", "Is this a flower?", "What colour is it?", "What color is the shirt?",
        "How many are there?", "How many birds do you see?", "Where is the cat?", "In which part of the picture is it?",
        "Is it on the left or on the right?", "What is on the left?", "What is at the top?",
        "What can be found in the corner?", "Which thing is in the bottom right?", "What lies below the cup?",
        "What is to the left of the house?", "What is next to the table?", "Which is bigger, the cup or the ball?",
        "Which of them is the tallest?", "Is it big or small?", "Which of the two is it?", "Is it day or night?",
        "Is he smiling?", "Are they moving?", "What is the person doing?", "What is she holding?",
        "What is he wearing?", "Who is this?", "Who is in the picture?", "Where was this taken?",
        "Who took the photo?", "What is the weather like?", "Which number do the fingers show?",
        "What does the hand sign mean?", "What is the position of the ball?", "What does the x-ray show?",
        "How light or deep is the shade?", "How many people are there?", "What is in the background?",
        "How does he feel?", "What does he want?", "What will happen next?", "How old is she?",
    ),
    "open": (
        "What is this?", "What is it?", "What is there?", "What could this be?", "What do you see?",
        "What am I looking at?", "What does it look like?", "What is visible?",
        "Describe the picture.", "Describe it in a sentence.", "Give a short description.", "What is in the picture?",
        "What does the picture show?", "What is shown here?", "What was photographed?", "What has been drawn?",
        "Name the thing in the photo.", "What is this thing called?", "What is the name of the object?",
        "What kind of thing is this?", "What animal is this?", "Write a caption.", "Which object is this?",
        "Tell me what you see.", "What is happening here?", "List everything that you see.", "Which food is this?",
        "What plant is this?", "Which piece of clothing is this?", "What product is this?", "What vehicle is it?",
    ),
    "said": (
        "What does she say?", "What is being said?", "Which words are spoken?", "What does the voice say?",
        "What are they talking about?", "What is the talk about?", "What do they discuss?", "What did he ask for?",
        "What did she want to know?", "What does the speaker tell us?", "Which digit is spoken?",
        "Which numbers are said?", "Transcribe the recording.", "Write down what is said.", "Repeat what you heard.",
        "Translate what he says.", "When is the meeting mentioned?", "When does he bring it up?",
        "What is the message?", "Which language is spoken?", "What was her answer?", "What did they order?",
        "What is the last sentence?", "What is the news about?", "Summarize the conversation.",
        "Which word do you hear?", "What number can be heard?", "Which number is it?", "What is the word?",
    ),
    "heard": (
        "What do you hear?", "What is that sound?", "What makes this noise?", "Which instrument is playing?",
        "What can be heard?", "What song is this?", "What is playing?", "Which animal makes this sound?",
        "Is it loud?", "How loud is it?", "Is there music?", "What sound comes first?", "What is heard at the end?",
        "What does it start with?", "Describe the sound.", "Whose voice is this?", "Who is speaking?",
        "Is it a man or a woman?", "How does the voice sound?", "Where was this recorded?", "What is it?",
        "What is this?", "Name the sound.", "What is making the noise?", "Which of them is louder?",
        "What kind of noise is it?", "Describe the recording.", "What does the speaker look like?",
    ),
}  # fmt: skip
"""Questions of each sort, which others are compared with."""
_SHARPNESS = 20.0
_KEPT = 256
"""Questions whose nearness is kept: people ask the same of many pictures."""


class QuestionSorts(_Embedding):
    """Goes before a class that embeds."""

    def nearness_of(self, question: str) -> dict[Sort, float] | None:
        """How near a question is to the examples of each sort; None if the model knows none of its words.

        Of a question that is an example itself the sorts are known, and nothing is computed.
        """
        if own := [sort for sort, examples in EXAMPLES.items() if question in examples]:
            return {sort: float(sort in own) for sort in EXAMPLES}
        known = self._known
        if question not in known:
            if len(known) >= _KEPT:
                known.clear()
            known[question] = self._measured(question)
        return known[question]

    def _measured(self, question: str) -> dict[Sort, float] | None:
        try:
            (vector,) = self._points([question])
            return {sort: _soft_maximum(points @ vector) for sort, points in self._examples.items()}
        except TuttiError:
            return None

    @cached_property
    def _known(self) -> dict[str, dict[Sort, float] | None]:
        return {}

    @cached_property
    def _examples(self) -> dict[Sort, NDArray[np.float32]]:
        return {sort: self._points(questions) for sort, questions in EXAMPLES.items()}

    def _points(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.embed([Text(self.shortened(text)) for text in texts]).vectors


def _soft_maximum(cosines: NDArray[np.float32]) -> float:
    """The mean of cosines, in which the highest count most."""
    return math.log(sum(math.exp(_SHARPNESS * float(cosine)) for cosine in cosines) / len(cosines)) / _SHARPNESS
