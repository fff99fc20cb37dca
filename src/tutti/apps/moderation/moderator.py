"""Decide on media by a policy: signs at moments, findings, an action; films end early where the policy says so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from tutti.apps.moderation.calibration import Calibration
from tutti.apps.moderation.decisions import ModerationDecision, ModerationSign, findings_of, strictest
from tutti.apps.moderation.policy import ACTIONS, ModerationPolicy
from tutti.apps.moderation.watching import MomentPair, Watcher
from tutti.content import Audio, Part, Video
from tutti.errors import CapacityError, InputError, MissingExtra
from tutti.interfaces import Embedder, TextReader, Transcriber

_LEAST_KEPT = 0.02
"""Signs below are not kept: a long film has one a frame."""


class Moderator:
    """Decides by a policy. Not for several threads at once.

    Args:
        policy: What is not wanted.
        embedder: For likeness and the joint head.
        reader: Reads text in pictures.
        transcriber: Writes down speech.
        calibration: Thresholds and heads that were measured; those of the policy, and none, without it.

    Raises:
        InputError: The calibration is another policy's, or was made with another model.
    """

    def __init__(
        self,
        policy: ModerationPolicy,
        embedder: Embedder,
        reader: TextReader | None = None,
        transcriber: Transcriber | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        if calibration is not None:
            calibration.check(policy, embedder.name)
        self.policy, self.calibration = policy, calibration
        self.watcher = Watcher(policy, embedder, reader, transcriber)
        self._missing: list[str] = []
        if policy.needs("words") and reader is None:
            self._missing.append("words in pictures were not read: there is no reader of text (extra ocr)")
        if policy.needs("speech") and transcriber is None:
            self._missing.append("speech was not written down: there is no transcriber")
        if policy.needs("joint") and not (calibration and calibration.heads):
            self._missing.append("picture and words were not judged together: calibrate the policy first")

    @property
    def version(self) -> str:
        """Of what decides: the policy's, and the calibration's behind a `+`."""
        return self.policy.version + (f"+{self.calibration.version}" if self.calibration is not None else "")

    def decide(
        self, part: Part, file: str, caption: str = "", told: Callable[[float], None] | None = None
    ) -> ModerationDecision:
        """The decision on one medium. One that cannot be read is decided by the policy's `unreadable`.

        Args:
            part: The medium, or a text.
            file: What it is called in the decision.
            caption: What was written beside it.
            told: Told how many seconds of it were looked at; what it raises ends the work, unless it is an InputError.

        Raises:
            MissingExtra: Reading it needs what is not installed.
        """
        key = medium_key(part, caption)
        notes = list(self._missing)
        signs: list[ModerationSign] = []
        seen_s: float | None = None
        thresholds = self.calibration.thresholds if self.calibration is not None else {}
        try:
            for sign in self.signs(part, caption, notes, told):
                if sign.end_s is not None:
                    seen_s = max(seen_s or 0.0, sign.end_s)
                if sign.score < _LEAST_KEPT:
                    continue
                signs.append(sign)
                if isinstance(part, (Audio, Video)) and self._is_enough(sign, thresholds):
                    at = f" at {sign.start_s:.1f} s" if sign.start_s is not None else ""
                    notes.append(f"not looked at any further once the policy's {self.policy.stop_at} was reached{at}")
                    break
        except MissingExtra:
            raise
        except (InputError, CapacityError) as error:
            return self._made(key, file, notes=(f"it cannot be judged: {error}",), action=self.policy.unreadable)
        findings = findings_of(self.policy, signs, thresholds)
        action = strictest(finding.action for finding in findings)
        return ModerationDecision(
            id=self._id(key), file=file, action=action, policy=self.policy.name, version=self.version,
            findings=findings, notes=tuple(notes), seen_s=seen_s,
        )  # fmt: skip

    def signs(
        self, part: Part, caption: str, notes: list[str], told: Callable[[float], None] | None = None
    ) -> Iterator[ModerationSign]:
        """Signs in the order of their moments, those of the joint heads among them."""
        for found in self.watcher.watch(part, caption, notes, told):
            if isinstance(found, MomentPair):
                yield from self._joint(found)
            else:
                yield found

    def _joint(self, pair: MomentPair) -> Iterator[ModerationSign]:
        for name, head in (self.calibration.heads if self.calibration is not None else {}).items():
            score = float(head.score(pair.picture[None], pair.words[None])[0])
            yield ModerationSign(
                category=name, signal="joint", score=score, start_s=pair.start_s, end_s=pair.end_s,
                reason=f"picture and words together ({score:.2f})",
            )  # fmt: skip

    def _is_enough(self, sign: ModerationSign, thresholds: dict[str, float]) -> bool:
        if self.policy.stop_at is None:
            return False
        found = findings_of(self.policy, [sign], thresholds)
        return bool(found) and ACTIONS.index(found[0].action) >= ACTIONS.index(self.policy.stop_at)

    def _made(self, key: str, file: str, **values: object) -> ModerationDecision:
        return ModerationDecision(
            id=self._id(key), file=file, policy=self.policy.name, version=self.version, **values,  # type: ignore[arg-type]
        )  # fmt: skip

    def _id(self, key: str) -> str:
        return decision_id(key, self.version)


def medium_key(part: Part, caption: str) -> str:
    """What stands for a medium and its caption, whoever decides on it: 32 hexadecimal digits.

    Raises:
        InputError: The medium cannot be read.
    """
    return hashlib.sha256(f"{part.digest}\0{caption}".encode(errors="surrogatepass")).hexdigest()[:32]


def decision_id(key: str, version: str) -> str:
    """What a decision is called: the same medium under the same policy is one decision. 24 hexadecimal digits."""
    return hashlib.sha256(f"{key}\0{version}".encode()).hexdigest()[:24]
