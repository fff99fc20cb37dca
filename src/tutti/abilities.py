"""Which models do what: where a message about a model that cannot looks up one that can."""

from collections.abc import Mapping
from typing import Literal

Task = Literal["ask", "embed", "classify", "transcribe"]
"""What models are asked to do."""

_DOES: Mapping[Task, str] = {
    "ask": "answers questions about",
    "embed": "embeds",
    "classify": "classifies",
    "transcribe": "transcribes",
}
_MINI, _SENSES = "tutti-mini", "ImageBind (imagebind_huge, through `tutti convert`)"
_SEEN_AND_HEARD = dict.fromkeys(("image", "audio", "video"), _MINI)
_FELT = dict.fromkeys(("depth", "thermal", "motion"), _SENSES)
_ABLE: Mapping[Task, Mapping[str, str]] = {
    "ask": {"text": _MINI, "document": _MINI} | _SEEN_AND_HEARD,
    "embed": {"text": _MINI} | _SEEN_AND_HEARD | _FELT,
    "classify": _SEEN_AND_HEARD | _FELT,
    "transcribe": dict.fromkeys(("audio", "video"), "whisper-base"),
}
"""Task → modality → a model that does it: the built-in one where it can."""


def one_that_can(task: Task, modality: str | None = None) -> str:
    """The end of a sentence about what a model cannot do: which one can.

    Args:
        task: What was asked.
        modality: What it was asked about; None if the model does not do the task at all.
    """
    if modality is None:
        return f"{next(iter(_ABLE[task].values()))} does."
    if modality in _ABLE[task]:
        return f"{_ABLE[task][modality]} {_DOES[task]} {modality}."
    other = next((other for other in _ABLE if modality in _ABLE[other]), None)
    instead = f", but {_ABLE[other][modality]} {_DOES[other]} it" if other else ""
    return f"no model here {_DOES[task]} {modality}{instead}."
