"""What a model cannot do is an error that names one that can, and the one that is named can."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.models import bind
from tests.parity import test_llava_parity
from tests.providers.test_local_imagebind import media
from tests.providers.test_local_speech import save_whisper
from tutti.abilities import Task, one_that_can
from tutti.content import Document, Media, Modality, Text, Video
from tutti.errors import UnsupportedTask
from tutti.model import Model, load

CLIP = Path(__file__).parents[2] / "examples" / "media" / "video.mp4"
LEASE = CLIP.parents[1] / "documents" / "lease.pdf"
PAIRS = [
    (task, modality)
    for task in get_args(Task)
    for modality in get_args(Modality)
    if modality != "text" or task in ("ask", "embed")
]
ITEMS: dict[str, Any] = {part.modality: part for part in (*media(1), Video(CLIP), Text("a dog"), Document(LEASE))}
ACTS: dict[Task, Callable[[Model, Any], object]] = {
    "ask": lambda model, item: model.ask("What is this?", *_only_media(item), max_tokens=2),
    "embed": lambda model, item: model.embed([item]),
    "classify": lambda model, item: model.classify(item, ["a dog", "a car"]),
    "transcribe": lambda model, item: model.transcribe(item),
}


def _only_media(item: Any) -> list[Media]:
    return [item] if isinstance(item, Media) else []


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    folder = tmp_path_factory.mktemp("models")
    test_llava_parity.save_theirs(folder / "llava", {})
    return {
        "tutti-mini": load("tutti-mini"),
        "ImageBind": load(bind.save(folder / "imagebind")),
        "whisper-base": load(save_whisper(folder / "whisper")),
        "LLaVA": load(folder / "llava"),
    }


@pytest.mark.parametrize(("task", "modality"), PAIRS)
def test_the_one_that_is_named_can(models: dict[str, Model], task: Task, modality: Modality) -> None:
    named = one_that_can(task, modality)
    able = next((model for name, model in models.items() if named.startswith(name)), None)
    if able is not None:
        assert ACTS[task](able, ITEMS[modality]) is not None
        return
    assert named.startswith("no model here ")
    for model in models.values():
        with pytest.raises(UnsupportedTask):
            ACTS[task](model, ITEMS[modality])
    instead = next(other for other, _ in PAIRS if not one_that_can(other, modality).startswith("no model"))
    assert one_that_can(instead, modality).removesuffix(f" {modality}.") in named


@pytest.mark.parametrize(
    ("name", "task", "modality", "said"),
    [
        ("LLaVA", "ask", "audio", "takes text and image, and was given audio; tutti-mini answers questions about"),
        ("LLaVA", "ask", "depth", "was given depth; no model here answers questions about depth, but ImageBind"),
        ("LLaVA", "embed", "image", "does not embed; tutti-mini does."),
        ("LLaVA", "classify", "image", "does not classify; tutti-mini does."),
        ("LLaVA", "transcribe", "audio", "does not transcribe; whisper-base does."),
        ("tutti-mini", "ask", "thermal", "but ImageBind (imagebind_huge, through `tutti convert`) embeds it."),
        ("tutti-mini", "embed", "motion", "ImageBind (imagebind_huge, through `tutti convert`) embeds motion."),
        ("tutti-mini", "classify", "depth", "ImageBind (imagebind_huge, through `tutti convert`) classifies depth."),
        ("ImageBind", "ask", "image", "does not answer questions; tutti-mini does."),
        ("whisper-base", "ask", "audio", "does not answer questions; tutti-mini does."),
        ("whisper-base", "classify", "audio", "does not classify; tutti-mini does."),
        (
            "whisper-base",
            "transcribe",
            "image",
            "no model here transcribes image, but tutti-mini answers questions about it.",
        ),
    ],
)
def test_every_verb_names_one_that_can(
    models: dict[str, Model], name: str, task: Task, modality: Modality, said: str
) -> None:
    with pytest.raises(UnsupportedTask, match=re.escape(said)):
        ACTS[task](models[name], ITEMS[modality])
    if task == "ask":
        with pytest.raises(UnsupportedTask, match=re.escape(said)):
            list(models[name].stream("What is this?", ITEMS[modality]))
