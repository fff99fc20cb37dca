"""tutti-mini from published weights to the folder that ships, in one command.

python -m recipes.weights --into WEIGHTS
python -m recipes.tutti_mini.published --data DIR --weights WEIGHTS --out RUNS [--into FOLDER] [--budget B]

It starts from EfficientNet-Lite0 (ImageNet), all-MiniLM-L6-v2, and the small trunks and decoder of `--small`: by
default those of the tutti-mini in the package. `--small` may name a folder that the phases of `recipe` made from random
weights (`tutti train all --recipe recipes/tutti_mini`, then `recipes.tutti_mini.export`). What stands still is run once
per picture and kept in RUNS, and a phase that is finished is not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn

from recipes.tutti_mini import answering, evidence, features, heard, knowing, space, texts
from recipes.tutti_mini.build import CONFIG
from recipes.tutti_mini.export import preprocessor_config
from recipes.tutti_mini.features import Seen
from recipes.tutti_mini.packs import EMOJI, PHOTOS, SOUNDS
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.space import Names
from tutti import checkpoints
from tutti.models.omni.config import OmniConfig
from tutti.models.omni.model import Head, Omni
from tutti.models.omni.parts import TrunkConfig
from tutti.models.omni.published import PublishedHead

STEPS = {"texts": 2500, "space": 1000, "fold": 500, "sounds": 1500, "answers": 3000}
"""Optimizer steps at `--budget 1`."""
PHASES = ("features", "texts", "space", "sounds", "scenes", "answers", "export")
TRAINED_ON = (*features.REAL, "clothing", "grocery", "hand_digits", "cxr", "cifar10", *EMOJI)
VIEWS = 2
"""Views of each picture that are learned from: as it is, and one with a margin, cut or on another ground."""
SOUND_BATCHES, SCENE_ROUNDS = 150, 40


class Run:
    """Where a run is, and what its phases leave behind."""

    def __init__(self, data: Path, weights: Path, out: Path, small: str, budget: float, seed: int) -> None:
        self.data, self.weights, self.out, self.budget, self.seed = data, weights, out, budget, seed
        self.small_folder = checkpoints.inspect(small).path
        self.out.mkdir(parents=True, exist_ok=True)

    def steps(self, phase: str) -> int:
        """Steps of a phase in this budget."""
        return max(20, round(STEPS[phase] * self.budget))

    @cached_property
    def small(self) -> Omni:
        """The model whose small trunks and decoder are the start."""
        return cast("Omni", checkpoints.load(self.small_folder).model)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Of the words."""
        tokenizer = Tokenizer.from_file(str(Path(self.small_folder) / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def network_file(self) -> Path:
        """The published trunk."""
        return self.weights / "efficientnet-lite0" / "efficientnet-lite0-57934424.pth"

    @cached_property
    def classifier(self) -> nn.Linear:
        """The published classifier."""
        state = torch.load(self.network_file, weights_only=True)
        fc = nn.Linear(*reversed(state["_fc.weight"].shape))
        fc.load_state_dict({"weight": state["_fc.weight"], "bias": state["_fc.bias"]})
        return fc.requires_grad_(False)

    def reader(self) -> texts.Reader:
        """A text trunk, as `texts` left it where that is finished."""
        trunk = Omni(CONFIG).text
        if (self.out / "texts.pt").exists():
            trunk.load_state_dict(torch.load(self.out / "texts.pt", weights_only=True))
        return texts.Reader(trunk.eval(), self.small.words, self.tokenizer)

    @cached_property
    def seen(self) -> list[Seen]:
        """All packs as the trunks see them."""
        return [features.load_seen(self.data, self.out / "features", name) for name in TRAINED_ON]

    @cached_property
    def centred(self) -> list[str]:
        """Classes by which is told what is familiar."""
        return knowing.centred(self.seen)

    @cached_property
    def trunk(self) -> TrunkConfig:
        """The trunk of pictures and its head."""
        return knowing.config_of(CONFIG.trunks["image"], self.centred)

    def pool(self, name: str, view: int, head: PublishedHead, fold: int | None = None) -> space.Pooled:
        """A pack's pooled features; what its query makes of the grids, which no phase learns, is kept."""
        seen = features.load_seen(self.data, self.out / "features", name, view)
        kept = self.out / "pooled" / f"{name}.{view}.pt"
        if not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            part = kept.with_suffix(".part")
            torch.save(space.pool_own(seen, head), part)
            part.rename(kept)
        return space.pool(seen, head, self.classifier, fold, own=torch.load(kept, weights_only=True))

    def pooled(self, head: PublishedHead, fold: int | None = None) -> list[space.Pooled]:
        """All packs' pooled features, with the other views."""
        return [
            space.join(self.pool(name, 0, head, fold), [self.pool(name, view, head, fold) for view in range(1, VIEWS)])
            for name in TRAINED_ON
        ]

    def head(self, name: str = "") -> PublishedHead:
        """A head, as `space` left it where a name is given."""
        head = PublishedHead(self.trunk, CONFIG.shared_width)
        if name:
            head.load_state_dict(torch.load(self.out / f"{name}.pt", weights_only=True)["head"])
        else:
            query = cast("Any", self.small.heads["image"]).pool.query
            head.pool.query.data.copy_(query)
            head.pool.query.requires_grad_(False)
        return head.eval()

    def features(self) -> None:
        """Run the trunks over all pictures."""
        trunks = features.Trunks(self.network_file, Path(self.small_folder))
        for name in TRAINED_ON:
            for view in range(VIEWS):
                features.extract(trunks, self.data, self.out / "features", name, view)

    def texts(self) -> None:
        """Teach the text trunk."""
        reader = self.reader()
        packs = [*features.REAL, *PHOTOS, *EMOJI, *(name for name in SOUNDS if (self.data / name).is_dir())]
        read = texts.corpus(self.data, self.weights, packs, self.seed)
        teacher = texts.Teacher(self.weights / "minilm")
        vectors = teacher(read)
        axes = texts.reduce(vectors)
        described = texts.described(teacher, texts.imagenet_descriptions(self.weights), axes)
        torch.save(described, self.out / "described.pt")
        wanted = torch.from_numpy(vectors @ axes)
        wanted = nn.functional.normalize(wanted, dim=-1)
        texts.distil(reader, read, wanted, self.steps("texts"), seed=self.seed)
        torch.save(reader.trunk.state_dict(), self.out / "texts.pt")

    def space(self) -> None:
        """Teach the head of pictures: the whole, and one on every second row; those that are there already stay."""
        reader = self.reader()
        imagenet = texts.imagenet_names(self.weights)
        names = None
        for name, fold in (("space", None), ("fold0", 0), ("fold1", 1)):
            if (self.out / f"{name}.pt").exists():
                continue
            torch.manual_seed(self.seed)
            head = self.head()
            packs = self.pooled(head, fold)
            names = names or self._with_descriptions(space.name_sets(packs, reader, imagenet))
            head.classes.copy_(names["imagenet"].points)
            knowing.set_usual(head, packs)
            steps = self.steps("space" if fold is None else "fold")
            scale = space.align(head, packs, names, self.classifier, steps, self.seed)
            knowing.familiarize(head, packs, self.centred)
            print(name, space.check(packs, head, names["photos"]), flush=True)
            space.save(self.out / f"{name}.pt", head, scale)

    def _with_descriptions(self, names: dict[str, Names]) -> dict[str, Names]:
        """The same names, the classes where their descriptions say, too."""
        described = torch.load(self.out / "described.pt", weights_only=True)
        classes = names["imagenet"]
        return {**names, "imagenet": Names(classes.names, texts.class_points(classes.points, described))}

    def scale(self) -> float:
        """The inverse temperature of the space."""
        return float(torch.load(self.out / "space.pt", weights_only=True)["scale"])

    def sounds(self) -> None:
        """Teach the projection of sounds."""
        project = cast("Head", self.small.heads["audio"]).project
        known = heard.hear(self.small, self.data, self.out / "cache", SOUND_BATCHES, self.seed)
        heard.bind(project, known, self.reader(), self.scale(), self.steps("sounds"), self.seed)
        torch.save(project.state_dict(), self.out / "sounds.pt")

    def scenes(self) -> None:
        """Compose scenes and keep their features."""
        trunks = features.Trunks(self.network_file, Path(self.small_folder))
        pools = Pools.load(self.data, self.out / "cache", held_out=False)
        answering.keep_scenes(self.small, trunks, pools, self.out / "scenes", SCENE_ROUNDS)

    def assemble(self) -> tuple[Omni, evidence.Asked, list[evidence.Shown]]:
        """The model before it has learned to answer, the names, and the photographs."""
        reader = self.reader()
        whole, folds = self.head("space"), [self.head("fold0"), self.head("fold1")]
        pooled = [self.pool(name, 0, whole) for name in TRAINED_ON]
        names = space.name_sets(pooled, reader, texts.imagenet_names(self.weights))
        known = evidence.bank(names, reader)
        model = Omni(self.config(len(known.names)))
        state = model.state_dict()
        for name, value in self.small.state_dict().items():
            if name in state and state[name].shape == value.shape:
                state[name] = value
        network = torch.load(self.network_file, weights_only=True)
        state |= {f"trunks.image.published.{name}": value for name, value in network.items()}
        state |= {f"text.{name}": value for name, value in reader.trunk.state_dict().items()}
        state |= {f"heads.image.{name}": value for name, value in whole.state_dict().items()}
        sounds = torch.load(self.out / "sounds.pt", weights_only=True)
        state |= {f"heads.audio.project.{name}": value for name, value in sounds.items()}
        state["logit_scale"] = torch.tensor(self.scale()).log()
        state["names.points"] = known.points
        state["names.ids"] = evidence.token_ids(known.names, self.tokenizer, state["names.ids"].shape[1])
        model.load_state_dict(state)
        shown = [
            evidence.show(
                features.load_seen(self.data, self.out / "features", name, view),
                self.pool(name, view, whole),
                folds,
                whole,
                known,
            )
            for name in evidence.SHARES
            for view in range(VIEWS)
        ]
        pool = [name for name in known.names if name in names["all"].index]
        return model.eval(), evidence.Asked(known, pool, self.scale()), shown

    def answers(self) -> None:
        """Teach the decoder."""
        model, asked, shown = self.assemble()
        questions = answering.Questions(model, shown, asked, self.out / "scenes")
        answering.teach(model, questions, self.tokenizer, self.steps("answers"), self.seed)
        torch.save(model.state_dict(), self.out / "answers.pt")

    def config(self, names: int) -> OmniConfig:
        """The configuration, with as many names and centres as there are."""
        trunks = {**CONFIG.trunks, "image": self.trunk}
        return replace(CONFIG, trunks=trunks, names=replace(cast("Any", CONFIG.names), count=names))

    def export(self, into: Path) -> None:
        """Write the folder; a model card that is there already stays."""
        state = torch.load(self.out / "answers.pt", weights_only=True)
        config = self.config(len(state["names.ids"]))
        model = Omni(config).eval()
        model.load_state_dict(state)
        settings = preprocessor_config()
        settings["image"]["size"] = {"longest_edge": config.trunks["image"].pixels}
        small = Path(self.small_folder)
        card = (into if (into / "README.md").exists() else small) / "README.md"
        files = {
            "preprocessor_config.json": json.dumps(settings, indent=1) + "\n",
            "tokenizer.json": (small / "tokenizer.json").read_text(),
            "README.md": card.read_text(),
        }
        checkpoints.save(model, into, {"architectures": ["Omni"], **asdict(config)}, files, dtype="packed")


DONE = {"texts": "texts.pt", "space": "fold1.pt", "sounds": "sounds.pt", "answers": "answers.pt"}
"""Phase → what it leaves last."""


def main() -> None:
    """Run what is not finished."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the packs")
    parser.add_argument("--weights", type=Path, required=True, help="folder that `recipes.weights` filled")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--into", type=Path, help="folder for the model; OUT/tutti-mini by default")
    parser.add_argument("--small", default="tutti-mini", help="model whose small trunks and decoder are the start")
    parser.add_argument("--budget", type=float, default=1.0, help="factor of the steps")
    parser.add_argument("--until", choices=PHASES, default=PHASES[-1], help="last phase to run")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    run = Run(arguments.data, arguments.weights, arguments.out, arguments.small, arguments.budget, arguments.seed)
    print(f"Starting from published weights in {arguments.weights} and the small trunks of {run.small_folder}.")
    for phase in PHASES[: PHASES.index(arguments.until) + 1]:
        if phase in DONE and (run.out / DONE[phase]).exists():
            continue
        begun = time.monotonic()
        torch.manual_seed(run.seed)
        if phase == "export":
            run.export(arguments.into or arguments.out / "tutti-mini")
        else:
            getattr(run, phase)()
        print(f"{phase}: {(time.monotonic() - begun) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
