"""The decoder learns to answer: questions on photographs and on scenes, on features that were extracted once.

It starts from a decoder that knows scenes (of the small model); new to it are the published network's places and the
names that a picture is near to.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from recipes.tutti_mini.evidence import EXCHANGED, SHARES, Asked, Shown
from recipes.tutti_mini.features import Trunks, look
from recipes.tutti_mini.instruct import MAKERS, OTHER_WORDS, Packed, PlainAttend, among, pack, prefix, present
from recipes.tutti_mini.pairs import normalize, warped
from recipes.tutti_mini.photos import ask_photo
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.questions import ask
from recipes.tutti_mini.scenes import Scene
from tutti.models.connectors.projections import merge_grid, merge_time
from tutti.models.omni.model import Omni
from tutti.models.omni.published import PublishedHead
from tutti.training.objectives import IGNORE, next_token

PHOTOS_AT_ONCE = 28
FILMS_AT_ONCE = 10
PHOTO_SHARE, FILM_SHARE, SOUND_TRACKS = 0.55, 0.25, 0.5
"""How often a step is on photographs rather than scenes, how often these are shown as films, and those with a sound."""
SCENES = {"picture": (24, 5), "sound": (12, 3), "pair": (12, 2), "clip": (8, 2)}
"""Kind of scene → how many a file, and files a round."""
LEARNED = (
    "decoder.", "embed_in", "embed_out", "special", "output_bias", "connectors.", "seen.", "frame_positions.", "names.",
)  # fmt: skip
NEW = ("seen.", "names.")
RATE = 6e-4
AVERAGED = 0.99
STILL = re.compile(r"\b(?:picture|image|photo)\b")
"""What a question calls a picture; of a film it says something else."""


@dataclass(frozen=True, eq=False)
class Pictured:
    """Pictures as the connectors take them."""

    own: Tensor
    """(…, 64, 192)."""
    places: Tensor
    """(…, places, 1280)."""
    names: Tensor
    """(B, shown) int64."""
    share: Tensor
    """(B, shown)."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Media of one kind with their questions."""

    kind: str
    questions: list[list[tuple[str, str]]]
    image: Pictured | None = None
    video: Pictured | None = None
    audio: Tensor | None = None


def keep_scenes(model: Omni, trunks: Trunks, pools: Pools, into: Path, rounds: int, seed: int = 7) -> None:
    """Compose scenes and keep what the standing trunks make of them; goes on where it was stopped."""
    into.mkdir(parents=True, exist_ok=True)
    plan = [kind for _ in range(rounds) for kind, (_, files) in SCENES.items() for _ in range(files)]
    for number, kind in enumerate(plan):
        file = into / f"{number:05d}.pickle"
        if file.exists():
            continue
        rng = np.random.default_rng((seed, number))
        scenes = [MAKERS[kind](rng, pools) for _ in range(SCENES[kind][0])]
        media = present(scenes)
        kept: dict[str, Any] = {}
        for modality in {"image", "video"} & set(media):
            kept[modality] = _seen(trunks, media[modality]["pixel_values"])
        for arrays in media.values():
            if "input_features" in arrays:
                mels = torch.from_numpy(np.stack([warped(mel, rng) for mel in arrays["input_features"].numpy()]))
                with torch.inference_mode():
                    kept["audio"] = model.encode("audio", {"input_features": mels}).half()
        part = file.with_suffix(".part")
        part.write_bytes(pickle.dumps((kind, kept, [scene.facts for scene in scenes])))
        part.rename(file)


def _seen(trunks: Trunks, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Own grid, quarters and mean of pictures of scenes. Shapes: (…, 3, 64, 64) uint8 → (…, 64, 192) and so on."""
    from PIL import Image

    flat = pixels.flatten(0, -4)
    own, quarters, means = [], [], []
    with torch.inference_mode():
        for picture in flat:
            shown = look(Image.fromarray(picture.permute(1, 2, 0).numpy()), None, may_flip=False)
            pooled, places, _ = trunks(shown)
            own.append(trunks.own(normalize(picture[None]))[0].half())
            quarters.append(F.avg_pool2d(places.T.unflatten(1, (4, 4)), 2).flatten(1).T.half())
            means.append(pooled.half())
    lead = pixels.shape[:-3]
    return tuple(torch.stack(part).view(*lead, *part[0].shape).clone() for part in (own, quarters, means))  # type: ignore[return-value]


class Questions:
    """Draws batches."""

    def __init__(self, model: Omni, shown: Sequence[Shown], asked: Asked, scenes: Path) -> None:
        self.model, self.shown, self.asked = model, shown, asked
        self.files = sorted(scenes.glob("*.pickle"))
        shares = np.array([SHARES[one.seen.name] for one in shown])
        self.shares = shares / shares.sum()
        self.count = cast("Any", model.config.names).shown
        self.frames = len(model.frame_positions["video"])

    def draw(self, rng: np.random.Generator) -> Batch:
        """Photographs, or scenes of one kind."""
        if not self.files or rng.random() < PHOTO_SHARE:
            if rng.random() < FILM_SHARE:
                return self.films(rng, FILMS_AT_ONCE)
            return self.photos(rng, PHOTOS_AT_ONCE)
        return self.scenes(rng, self.files[int(rng.integers(len(self.files)))])

    def photos(self, rng: np.random.Generator, count: int, phrasing: str = "train", check: bool = False) -> Batch:
        """Photographs with four questions each; `check`: of the validation part."""
        drawn = self._rows(rng, count, check)
        asked = [self._ask(one, index, one.points[index], rng, phrasing, check) for one, index in drawn]
        own = np.stack([one.seen.own[index] for one, index in drawn])
        grid = torch.from_numpy(np.stack([one.seen.grid[index] for one, index in drawn])).float()
        quarters = F.avg_pool2d(grid.transpose(1, 2).unflatten(2, (4, 4)), 2).flatten(2).transpose(1, 2)
        pictured = Pictured(torch.from_numpy(own).float(), quarters, *self._names(asked))
        return Batch("photo", [questions for *_, questions in asked], pictured)

    def films(self, rng: np.random.Generator, count: int, phrasing: str = "train") -> Batch:
        """Photographs as films of two shots: one view of them, and from some frame on another."""
        own, means, asked = [], [], []
        for one, index in self._rows(rng, count):
            views = [other for other in self.shown if other.seen.name == one.seen.name]
            other, cut = views[int(rng.integers(len(views)))], int(rng.integers(1, self.frames + 1))
            shots = [one] * cut + [other] * (self.frames - cut)
            own.append(np.stack([shot.seen.own[index] for shot in shots]))
            means.append(np.stack([shot.seen.pooled[index] for shot in shots]))
            point = F.normalize(torch.stack([shot.points[index] for shot in shots]).mean(0), dim=0)
            asked.append(self._ask(one, index, point, rng, phrasing, check=False))
        word = ("clip", "video", "film")[int(rng.integers(3))]
        questions = [
            [(STILL.sub(word, q), a.replace("a photo of", "a clip of")) for q, a in some] for *_, some in asked
        ]
        frames = torch.from_numpy(np.stack(means)).float()[:, :, None]
        video = Pictured(torch.from_numpy(np.stack(own)).float(), frames, *self._names(asked))
        audio = self._sounds(rng, count) if self.files and rng.random() < SOUND_TRACKS else None
        return Batch("film", questions, video=video, audio=audio)

    def _rows(self, rng: np.random.Generator, count: int, check: bool = False) -> list[tuple[Shown, int]]:
        """So many rows of the packs, by their shares."""
        drawn = []
        for one, number in zip(self.shown, rng.multinomial(count, self.shares), strict=True):
            rows = rng.choice(one.check, number) if check else rng.choice(one.train, number, p=one.chance)
            drawn += [(one, int(index)) for index in rows]
        return drawn

    def _ask(
        self, one: Shown, index: int, point: Tensor, rng: np.random.Generator, phrasing: str, check: bool
    ) -> tuple[Tensor, NDArray[np.bool_], list[tuple[str, str]]]:
        """A photograph's point, the names that are withheld, and questions with their answers."""
        row, label = one.seen.rows[index], one.labels[index]
        if not check and rng.random() < EXCHANGED:
            label, point = self.asked.exchanged(label, point, rng)
            row = row if label == one.labels[index] else {}
        photo, wrong, hidden = self.asked.photo(row, label, point, rng, may_hide=not check)
        return point, hidden, [(qa.question, qa.answer) for qa in ask_photo(photo, rng, wrong, phrasing)]

    def _names(self, asked: Sequence[tuple[Tensor, NDArray[np.bool_], Any]]) -> tuple[Tensor, Tensor]:
        """The names that the decoder is given, and their shares."""
        hidden = torch.from_numpy(np.stack([one[1] for one in asked]))
        return self.asked.nearest(torch.stack([one[0] for one in asked]), hidden, self.count)

    def _sounds(self, rng: np.random.Generator, count: int) -> Tensor:
        """Sounds of scenes that nothing is asked about."""
        while True:
            kind, kept, _ = pickle.loads(self.files[int(rng.integers(len(self.files)))].read_bytes())
            if kind == "sound":
                return cast("Tensor", kept["audio"][:count].float())

    @torch.no_grad()
    def scenes(self, rng: np.random.Generator, file: Path, phrasing: str = "train") -> Batch:
        """Scenes that were kept, asked anew."""
        kind, kept, facts = pickle.loads(file.read_bytes())
        asked = [ask(Scene(kind=kind, facts=one), rng, phrasing) for one in facts]
        questions = [[(qa.question, qa.answer) for qa in some] for some in asked]
        pictured = {name: self._pictured(*kept[name]) for name in {"image", "video"} & set(kept)}
        audio = kept["audio"].float() if "audio" in kept else None
        return Batch(kind, questions, audio=audio, **pictured)

    def _pictured(self, own: Tensor, quarters: Tensor, means: Tensor) -> Pictured:
        own, quarters, means = own.float(), quarters.float(), means.float()
        head = cast("PublishedHead", self.model.heads["image"])
        network = cast("Any", self.model.trunks["image"]).published
        flat = means.flatten(0, -2)
        points = F.normalize(head.point(head.pool(own.flatten(0, -3)), flat, network.classify(flat)), dim=-1)
        clip = means.dim() == 3
        if clip:
            points = F.normalize(points.view(*means.shape[:2], -1).mean(1), dim=-1)
        hidden = torch.zeros(len(points), len(self.asked.known.names), dtype=torch.bool)
        return Pictured(own, means[:, :, None] if clip else quarters, *self.asked.nearest(points, hidden, self.count))


def media_tokens(model: Omni, batch: Batch) -> dict[str, Tensor]:
    """What the decoder is given, from features: as `Omni.connect` makes it from media."""
    out: dict[str, Tensor] = {}
    merge = model.config.connectors["audio"].merge
    heard = None if batch.audio is None else model.connectors["audio"](merge_time(batch.audio, merge))
    for modality, seen in (("image", batch.image), ("video", batch.video)):
        if seen is None:
            continue
        connector, side = model.config.connectors[modality], model.config.trunks["image"].side
        own, places = seen.own.flatten(0, -3), seen.places.flatten(0, -3)
        x = model.connectors[modality](merge_grid(own, side, connector.merge))
        x = torch.cat((x, model.see(modality, places)), dim=1)
        if modality == "video":
            count = seen.own.shape[1]
            x = (x.view(-1, count, *x.shape[1:]) + model.frame_positions["video"][:count, None]).flatten(1, 2)
        bank = cast("Any", model.names)
        x = torch.cat((x, bank.tokens(model.embed_tokens(bank.ids[seen.names].long()), seen.share)), dim=1)
        out[modality] = torch.cat((x, heard), dim=1) if modality == "video" and heard is not None else x
    if heard is not None and batch.video is None:
        out["audio"] = heard
    return out


def loss_of(model: Omni, batch: Batch, tokenizer: Tokenizer) -> dict[str, Tensor]:
    """Cross entropy of the answers, as in `instruct.Instruct`."""
    media = media_tokens(model, batch)
    start = prefix(*((name, tokens.shape[1]) for name, tokens in media.items()))
    packed = Packed(**pack(tokenizer, [start] * len(batch.questions), batch.questions))
    hidden = model.decode(model.place(packed.input_ids, media), packed.positions, PlainAttend(packed.mask()))
    wanted = packed.labels[packed.labels != IGNORE]
    candidates = torch.cat((wanted, torch.randint(model.config.words.vocabulary, (OTHER_WORDS,)))).unique()
    labels = packed.labels.clone()
    labels[packed.labels != IGNORE] = torch.searchsorted(candidates, wanted)
    return next_token(hidden, labels, lambda states: among(model, states, candidates))


def teach(model: Omni, questions: Questions, tokenizer: Tokenizer, steps: int, seed: int = 0) -> None:
    """Train the decoder and what leads into it; the model ends with the average of the last weights."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    learned: Mapping[str, nn.Parameter] = {
        name: parameter for name, parameter in model.named_parameters() if name.startswith(LEARNED)
    }
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in learned)
    groups: list[dict[str, Any]] = [
        {"params": [p for name, p in learned.items() if name.startswith(NEW) == new], "factor": 1.0 + new}
        for new in (False, True)
    ]
    optimizer = torch.optim.AdamW(groups, RATE, betas=(0.9, 0.98), weight_decay=0.01)
    average = {name: parameter.detach().clone() for name, parameter in learned.items()}
    for step in range(steps):
        rate = RATE * min(1.0, (step + 1) / 40) * (0.02 + 0.49 * (1 + np.cos(np.pi * step / steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        loss = loss_of(model, questions.draw(rng), tokenizer)["loss"]
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(list(learned.values()), 1.0)
        optimizer.step()
        decay = min(AVERAGED, (1 + step) / (10 + step))
        for name, parameter in learned.items():
            average[name].lerp_(parameter.detach(), 1 - decay)
        if step % 50 == 49:
            print(f"answering: step {step + 1} of {steps}, loss {float(loss.detach()):.3f}", flush=True)
    model.load_state_dict(average, strict=False)
