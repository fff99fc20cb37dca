"""The text trunk, taught to say what a sentence encoder says (all-MiniLM-L6-v2), in the 256 dimensions of the space.

The encoder's 384 dimensions are turned into the 256 that hold most of the vectors' length (PCA without a mean, so that
cosines stay). What is read are names of all packs and of ImageNet, descriptions, words, and sentences made of them; the
people's captions of COCO are what it is judged by and are never read.
Source: Hinton et al. 2015 for the teacher; Reimers and Gurevych 2020, section 2, for vectors as the target.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from recipes.tutti_mini.pairs import article
from tutti.models.omni.trunks import TextTrunk, WordTable
from tutti.training.packs import PackReader

SHARED = 256
LONGEST = 48
BATCH = 192
DESCRIBED = 0.5
"""Weight of a class's description beside its name. With it ConSE alone names 32.6 % of `photos_mixed`, without 27.8."""
VALUED = 12_000
"""Texts from which the first weights of the mean are computed."""

_COLOURS = "red orange yellow green blue purple pink brown black white grey golden silver dark bright".split()
_ADJECTIVES = (
    "big small old new wooden metal plastic empty full wet dry young broken clean dirty tall round striped shiny soft "
    "warm cold wild two three several many"
).split()
_PLACES = (
    "on a table, in a kitchen, on the grass, at the beach, in the snow, on the street, in the water, in the sky, "
    "in a forest, on a plate, indoors, outdoors, at night, next to a house, in front of a wall, in a room, "
    "on the left, on the right, at the top, in the middle"
).split(", ")
_VERBS = (
    "sitting standing running flying eating sleeping holding riding lying jumping parked waiting walking swimming"
).split()
_ONE = (
    "a photo of {}", "a picture of {}", "this is {}", "an emoji of {}", "a drawing of {}", "the sound of {}",
    "a recording of {}", "you can hear {}", "the word {}", "someone says {}", "{}", "what is {}?", "is there {}?",
    "show me {}", "pictures with {}", "find {}",
)  # fmt: skip
_TWO = (
    "{} and {}", "{} next to {}", "{} with {}", "a photo of {} and {}", "{} on {}", "{} but no {}",
    "{} in front of {}", "no {} but {}", "{} without {}", "{} instead of {}",
)  # fmt: skip
_WHO = ("a man", "a woman", "a person", "people", "a child", "a dog", "someone")
MADE = 26_000
"""Sentences made of names."""


class Teacher:
    """all-MiniLM-L6-v2 with its mean over tokens; `transformers` is a tool of this recipe and never of the runtime."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder).eval()

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors. Shape (n, 384)."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        out = np.zeros((len(texts), 384), np.float32)
        for start in range(0, len(order), 128):
            some = order[start : start + 128]
            batch = self.tokenizer(
                [texts[index] for index in some], padding=True, truncation=True, max_length=64, return_tensors="pt"
            )
            states, mask = self.model(**batch).last_hidden_state, batch["attention_mask"][..., None]
            out[some] = F.normalize((states * mask).sum(1) / mask.sum(1), dim=-1).numpy()
        return out


def imagenet_names(weights: Path) -> list[str]:
    """The 1,000 classes in plain words."""
    values = json.loads((weights / "imagenet-names" / "imagenet1k_clean_names.json").read_text())
    names = values if isinstance(values, list) else [values[key] for key in sorted(values, key=int)]
    return [str(name).lower().replace("-", " ").replace("_", " ") for name in names]


def imagenet_descriptions(weights: Path) -> dict[int, list[str]]:
    """Sentences that describe a class: its number → sentences. A few classes have none."""
    file = weights / "imagenet-descriptions" / "imagenet1k_gpt_names_descriptions.json"
    found = json.loads(file.read_text())
    return {int(number): re.split(r"(?<=[.!?])\s+", str(one["description"]).strip()) for number, one in found.items()}


def described(teacher: Teacher, sentences: Mapping[int, Sequence[str]], axes: NDArray[np.float32]) -> Tensor:
    """What descriptions say, as mean directions in the space; zero where there is none. Shape (1000, shared D)."""
    points = torch.zeros(1000, SHARED)
    owners = [number for number, some in sentences.items() for _ in some]
    said = torch.from_numpy(teacher([sentence for some in sentences.values() for sentence in some]) @ axes)
    points.index_add_(0, torch.tensor(owners), F.normalize(said, dim=-1))
    return F.normalize(points, dim=-1)


def class_points(names: Tensor, descriptions: Tensor) -> Tensor:
    """Where classes lie: at their names, and half as much at their descriptions. Shapes: both (n, shared D)."""
    return F.normalize(names + DESCRIBED * descriptions, dim=-1)


def corpus(data: Path, weights: Path, packs: Sequence[str], seed: int = 0) -> list[str]:
    """All that is read: names, the packs' own texts, words of the vocabulary, made sentences."""
    rng = np.random.default_rng(seed)
    names, texts = set(imagenet_names(weights)), []
    for row in PackReader(data / "emoji_names").rows:
        names |= {row["name"], *row.get("keywords", ())}
    for pack in packs:
        for row in PackReader(data / pack).rows:
            if pack == "photos_mixed" and not row.get("made"):
                continue
            texts += [str(text) for text in row["text"]]
            names |= {str(row[key]).lower() for key in ("label", "kind") if row.get(key) is not None}
    texts += [sentence for some in imagenet_descriptions(weights).values() for sentence in some]
    vocabulary = json.loads((weights / "minilm" / "tokenizer.json").read_text())["model"]["vocab"]
    words = [word for word in vocabulary if re.fullmatch("[a-z]{3,}", word)]
    things = [*sorted(names), *map(str, rng.choice(words, 6000, replace=False))]
    made = [_made(things, rng) for _ in range(MADE)]
    return list(dict.fromkeys([*sorted(names), *words, *texts, *made]))


def _made(names: Sequence[str], rng: np.random.Generator) -> str:
    """A sentence of one or two names."""

    def pick(options: Sequence[str]) -> str:
        return options[int(rng.integers(len(options)))]

    kind, name = int(rng.integers(6)), pick(names)
    if kind == 0:
        return pick(_ONE).format(article(name) if rng.random() < 0.6 else name)
    if kind == 1:
        return pick(_ONE).format(article(f"{pick(_COLOURS)} {name}"))
    if kind == 2:
        return f"{article(f'{pick(_ADJECTIVES)} {name}')} {pick(_PLACES)}"
    if kind == 3:
        return pick(_TWO).format(article(name), article(pick(names)))
    if kind == 4:
        return f"{article(name)} {pick(_VERBS)} {pick(_PLACES) if rng.random() < 0.5 else article(pick(names))}"
    thing = article(f"{pick(_ADJECTIVES + _COLOURS)} {name}")
    return f"{pick(_WHO)} {pick(_VERBS)} {thing} {pick(_PLACES) if rng.random() < 0.5 else ''}".strip()


class Reader:
    """A text trunk with its table: texts to unit points of the space."""

    def __init__(self, trunk: TextTrunk, table: WordTable, tokenizer: Any) -> None:
        self.trunk, self.table, self.tokenizer = trunk, table, tokenizer

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids."""
        return [encoding.ids[:LONGEST] or [100] for encoding in self.tokenizer.encode_batch(list(texts))]

    def embed(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Shape (n, shared D)."""
        words, mask = self.words(rows)
        return F.normalize(self.trunk(words, mask), dim=-1)

    @torch.no_grad()
    def words(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Word vectors and mask, padded."""
        width = max(map(len, rows))
        ids, mask = torch.zeros(len(rows), width, dtype=torch.int64), torch.zeros(len(rows), width)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = torch.tensor(row)
            mask[index, : len(row)] = 1
        return self.table(ids).float(), mask

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Shape (n, shared D)."""
        rows = self.ids(texts)
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        out = torch.zeros(len(rows), SHARED)
        for start in range(0, len(order), 128):
            some = order[start : start + 128]
            out[some] = self.embed([rows[index] for index in some])
        return out

    def names(self, names: Sequence[str], templates: Sequence[str]) -> Tensor:
        """Names as the mean direction of what templates say of them."""
        said = [[template.format(_in(name, template)) for name in names] for template in templates]
        points = torch.stack([self(texts) for texts in said])
        return F.normalize(points.sum(0), dim=-1)


def _in(name: str, template: str) -> str:
    """A name as it stands in a sentence: with its article where the sentence has one thing."""
    return article(name) if any(word in template for word in ("photo", "picture", "this is")) else name


def reduce(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The 256 directions that hold most of the length of unit vectors. Shape (384, 256)."""
    _, _, axes = np.linalg.svd(vectors[::3], full_matrices=False)
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])
    return np.asarray((axes * signs[:, None])[:SHARED].T, np.float32)


def distil(
    reader: Reader, texts: Sequence[str], wanted: Tensor, steps: int, rate: float = 1.2e-3, seed: int = 0
) -> None:
    """Let a reader say what is wanted. Shapes: wanted (n, shared D), unit rows."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    rows = reader.ids(texts)
    _start_mean(reader, rows, wanted, rng)
    order = np.argsort([len(row) for row in rows], kind="stable")
    trunk = reader.trunk.train()
    groups: list[dict[str, Any]] = [
        {"params": [p for name, p in trunk.named_parameters() if not name.startswith("mean")], "factor": 1.0},
        {"params": [trunk.mean.weight], "factor": 0.1},
    ]
    optimizer = torch.optim.AdamW(groups, rate, weight_decay=0.01)
    for step in range(steps):
        now = rate * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * np.cos(np.pi * step / steps)) + 1e-5
        for group in optimizer.param_groups:
            group["lr"] = now * group["factor"]
        # Texts of about the same length, so that little is padded.
        low = int(np.clip(rng.integers(len(rows)) - BATCH, 0, max(0, len(rows) - 3 * BATCH)))
        window = np.arange(low, min(len(rows), low + 3 * BATCH))
        picked = order[rng.choice(window, min(BATCH, len(window)), replace=False)]
        points, target = reader.embed([rows[index] for index in picked]), wanted[picked]
        alike = ((points @ points.T) - (target @ target.T)).pow(2).mean()
        told = F.cross_entropy(20 * points @ target.T, torch.arange(len(picked)))
        loss = (1 - (points * target).sum(1)).mean() + 4 * alike + 0.02 * told
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trunk.parameters(), 1.0)
        optimizer.step()
    trunk.eval()


@torch.no_grad()
def _start_mean(reader: Reader, rows: Sequence[Sequence[int]], wanted: Tensor, rng: np.random.Generator) -> None:
    """The mean of words by least squares; what attention adds to it starts at zero."""
    picked = rng.choice(len(rows), min(VALUED, len(rows)), replace=False)
    means = []
    for start in range(0, len(picked), 512):
        words, mask = reader.words([rows[index] for index in picked[start : start + 512]])
        means.append((words * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
    ridge = 0.1 * torch.eye(SHARED)
    read = torch.cat((*means, ridge))
    solution = torch.linalg.lstsq(read, torch.cat((wanted[picked], torch.zeros(SHARED, SHARED)))).solution
    reader.trunk.mean.weight.copy_(solution.T)
    for module in (reader.trunk.layers[-1].out, reader.trunk.layers[-1].down, reader.trunk.correction):
        nn.init.zeros_(module.weight)
        nn.init.zeros_(module.bias)
