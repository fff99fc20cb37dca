"""Tiny random checkpoints of vision-language families, as `transformers` writes them, and pictures of odd kinds."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from tests.engine.toy_models import finish_all
from tutti.content import Image as ImagePart
from tutti.content import SamplingOptions
from tutti.engine import Capacity, Engine
from tutti.media import Limits, decode_image

TEXTS = ("What animal is this?", "naïve Straße 東京 🦊", "a  b\n c")


def tokenizer(special: Sequence[str], chat_template: str | None = None) -> PreTrainedTokenizerFast:
    """Single bytes and letters with a sign for the space, as Llama's, and special tokens behind them."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdefghijklmnopqrstuvwxyz"]
    words = Tokenizer(
        models.BPE({piece: index for index, piece in enumerate(pieces)}, [], byte_fallback=True, unk_token="<unk>")
    )
    words.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    words.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    marks = ("<unk>", "<s>", "</s>", *special)
    words.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in marks])
    words.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>",
        chat_template=chat_template,
    )  # fmt: skip


def draw(model: nn.Module, std: float = 0.2) -> None:
    """First values so large that every weight matters; the reference's own hardly do."""
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, mean=float("norm" in name and name.endswith("weight")), std=std)


def close(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A picture whose patches differ."""
    random = np.random.default_rng((seed, height, width))
    return random.integers(0, random.integers(20, 256, 3), (height, width, 3)).astype(np.uint8)


def odd_pictures() -> Iterator[tuple[str, NDArray[np.uint8], Image.Image]]:
    """Name, what our decoder makes of a file, and what the reference is given: Pillow's picture in RGB."""
    for height, width in ((1, 1), (3, 2000), (2000, 3), (30, 28), (97, 64), (28, 61)):
        yield f"{width} x {height}", noise(height, width), Image.fromarray(noise(height, width))
    rotated = Image.fromarray(noise(41, 70))
    exif = Image.Exif()
    exif[274] = 6
    # The reference's processors neither turn pictures nor blend alpha: that is for those who load them.
    white = Image.new("RGBA", (50, 40), "white")
    alpha = Image.fromarray(np.dstack([noise(40, 50), noise(40, 50, 1)[..., 0]]))
    palette = Image.fromarray(noise(45, 33)).quantize(16)
    yield "palette", _decoded(palette), palette.convert("RGB")
    yield "alpha", _decoded(alpha), Image.alpha_composite(white, alpha).convert("RGB")
    rotated.getexif().update(exif)
    yield "rotated", _decoded(rotated, exif=exif), ImageOps.exif_transpose(_reopened(rotated, exif))


def _decoded(picture: Image.Image, **options: Any) -> NDArray[np.uint8]:
    content = io.BytesIO()
    picture.save(content, "PNG", **options)
    return decode_image(ImagePart(content.getvalue()), Limits())


def _reopened(picture: Image.Image, exif: Image.Exif) -> Image.Image:
    content = io.BytesIO()
    picture.save(content, "PNG", exif=exif)
    return Image.open(content)


def greedy(model: Any, prompts: Sequence[Any], tokens: int = 64) -> list[list[int]]:
    """What our engine says, all prompts at once, long ones in chunks."""
    engine = Engine(model, eos_ids=(), detokenize=lambda ids: "", capacity=Capacity(step_tokens=40))
    requests = [engine.submit(prompt, SamplingOptions(max_tokens=tokens)) for prompt in prompts]
    return finish_all(engine, requests)


def their_greedy(model: Any, inputs: dict[str, Any], tokens: int = 64) -> list[int]:
    """What the reference says."""
    model.generation_config.eos_token_id = None
    said = model.generate(**inputs, max_new_tokens=tokens, do_sample=False, pad_token_id=0)
    return said[0, inputs["input_ids"].shape[1] :].tolist()


def messages(turns: Sequence[tuple[str, Sequence[Any]]]) -> list[dict[str, Any]]:
    """A conversation as their processors take it; what is no text is an image."""
    return [
        {
            "role": role,
            "content": [{"type": "text", "text": p} if isinstance(p, str) else {"type": "image"} for p in pieces],
        }
        for role, pieces in turns
    ]


def given(processor: Any, turns: Sequence[tuple[str, Sequence[Any]]], **options: Any) -> dict[str, Any]:
    """Their inputs for a conversation with pictures among its words."""
    # As Pillow's pictures: of small arrays the reference has to guess which axis is colour.
    arrays = (np.asarray(piece) for _, pieces in turns for piece in pieces if not isinstance(piece, str))
    pictures = [Image.fromarray(array) for array in arrays]
    text = processor.apply_chat_template(messages(turns), add_generation_prompt=True)
    options["add_special_tokens"] = not text.startswith("<s>")  # as `apply_chat_template` with `tokenize` does
    return dict(processor(text=text, images=pictures or None, return_tensors="pt", **options))


def prepared(processor: Any, turns: Sequence[tuple[str, Sequence[Any]]]) -> Any:
    """Our prompt for the same."""
    made = [
        (role, [piece if isinstance(piece, str) else processor.picture(np.asarray(piece)) for piece in pieces])
        for role, pieces in turns
    ]
    return processor.prompt(made)


def files_beside(folder: Path) -> dict[str, bytes]:
    """What a checkpoint holds besides weights and configuration."""
    return {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if file.name != "config.json" and "safetensors" not in file.name
    }
