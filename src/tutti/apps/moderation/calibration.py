"""Thresholds for a stated rate of false positives, and joint heads, from labelled media; kept in a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tutti.apps.moderation.decisions import ModerationSign, score_of
from tutti.apps.moderation.labels import Labelled
from tutti.apps.moderation.policy import ModerationPolicy, PolicyCategory
from tutti.apps.moderation.watching import MomentPair, Watcher
from tutti.errors import InputError
from tutti.trust.forensics.joint_head import JointHead, fit_head
from tutti.trust.forensics.thresholds import Threshold, threshold_for


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What was measured for one policy with one model."""

    policy: str
    """The version of the policy."""
    model: str
    rate: float
    """Of false positives, as asked for."""
    measured: Mapping[str, Mapping[str, Any]]
    """Category → threshold, intervals of false positives and recall, examples."""
    heads: Mapping[str, JointHead]

    @property
    def thresholds(self) -> dict[str, float]:
        """Category → score from which on it is met."""
        return {name: float(values["value"]) for name, values in self.measured.items()}

    @property
    def version(self) -> str:
        """Digest: 8 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:8]

    def check(self, policy: ModerationPolicy, model: str) -> None:
        """Refuse to be used for what was not measured.

        Raises:
            InputError: It is another policy's, or another model's.
        """
        if self.policy != policy.version:
            raise InputError(
                f"The calibration belongs to version {self.policy} of a policy, and this one is {policy.version}; "
                "calibrate again with: tutti moderate calibrate LABELS --policy POLICY"
            )
        if self.model != model:
            raise InputError(f"The calibration was made with {self.model}, and {model} was loaded; calibrate again.")

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        heads = {name: head.to_dict() for name, head in self.heads.items()}
        return {
            "format": 1, "policy": self.policy, "model": self.model, "rate": self.rate,
            "measured": dict(self.measured), "heads": heads,
        }  # fmt: skip

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """A calibration that was written.

        Raises:
            InputError: It is none.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            heads = {name: JointHead.from_dict(head) for name, head in values["heads"].items()}
            made = cls(
                policy=values["policy"], model=values["model"], rate=values["rate"], measured=values["measured"],
                heads=heads,
            )  # fmt: skip
            _ = made.thresholds
        except OSError as error:
            raise InputError(f"The calibration {path} cannot be read: {error.strerror or error}.") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is no calibration ({error}); make one with tutti moderate calibrate.") from None
        return made


@dataclass(eq=False)
class _Seen:
    """A labelled medium, looked at once."""

    label: str
    signs: list[ModerationSign]
    pairs: list[MomentPair]
    first_half: bool


def calibrate(watcher: Watcher, examples: Sequence[Labelled], rate: float, told: Any = None) -> Calibration:
    """Measure thresholds, and fit heads where the policy counts picture and words together.

    A head is fitted on one half of the examples, drawn by their digests, and the thresholds of its category are
    measured on the other.

    Args:
        watcher: Of the policy.
        examples: Media with the name of their category, or "" for those that break no rule.
        rate: Of false positives, in each category.
        told: Called with how many are done, and of how many.

    Raises:
        InputError: There are too few examples, or a label is none of the policy's.
    """
    names = {category.name for category in watcher.policy.categories}
    for example in examples:
        if example.label and example.label not in names:
            raise InputError(
                f"{example.file} is labelled {example.label!r}; expected one of {', '.join(sorted(names))}."
            )
    seen = []
    for number, example in enumerate(examples, 1):
        seen.append(_looked_at(watcher, example))
        if told is not None:
            told(number, len(examples))
    measured: dict[str, dict[str, Any]] = {}
    heads: dict[str, JointHead] = {}
    for category in watcher.policy.categories:
        if category.signals.get("joint"):
            heads[category.name] = _head(category, seen, watcher.embedder.name)
        threshold = _threshold(category, seen, heads.get(category.name), rate)
        measured[category.name] = asdict(threshold)
    return Calibration(
        policy=watcher.policy.version, model=watcher.embedder.name, rate=rate, measured=measured, heads=heads
    )


def _looked_at(watcher: Watcher, example: Labelled) -> _Seen:
    signs: list[ModerationSign] = []
    pairs: list[MomentPair] = []
    for found in watcher.watch(example.part, example.caption, []):
        if isinstance(found, MomentPair):
            pairs.append(found)
        else:
            signs.append(found)
    digest = hashlib.sha256(f"{example.part.digest}\0{example.caption}".encode(errors="surrogatepass")).digest()
    return _Seen(example.label, signs, pairs, digest[0] % 2 == 0)


def _head(category: PolicyCategory, seen: Sequence[_Seen], model: str) -> JointHead:
    rows = [(pair, each.label == category.name) for each in seen if each.first_half for pair in each.pairs]
    if not rows:
        raise InputError(
            f"The category {category.name!r} counts joint, and no example has a picture with words beside or in it."
        )
    pictures = np.stack([pair.picture for pair, _ in rows])
    words = np.stack([pair.words for pair, _ in rows])
    return fit_head(pictures, words, [breaking for _, breaking in rows], model=model)


def _threshold(category: PolicyCategory, seen: Sequence[_Seen], head: JointHead | None, rate: float) -> Threshold:
    used = [each for each in seen if head is None or not each.first_half]
    scores = [(_score(category, each, head), each.label) for each in used]
    benign = [score for score, label in scores if label != category.name]
    return threshold_for(benign, [score for score, label in scores if label == category.name], rate)


def _score(category: PolicyCategory, seen: _Seen, head: JointHead | None) -> float:
    score = score_of(category, seen.signs)
    if head is not None and seen.pairs:
        pictures = np.stack([pair.picture for pair in seen.pairs])
        words = np.stack([pair.words for pair in seen.pairs])
        score = max(score, category.signals["joint"] * float(head.score(pictures, words).max()))
    return score
