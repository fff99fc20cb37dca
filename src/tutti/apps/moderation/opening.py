"""A moderator with what is installed: the reader of text, the shipped transcriber, a calibration beside the policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tutti.apps.moderation.calibration import Calibration
from tutti.apps.moderation.moderator import Moderator
from tutti.apps.moderation.policy import ModerationPolicy, read_policy
from tutti.apps.moderation.watching import Watcher
from tutti.errors import InputError
from tutti.interfaces import Embedder, Transcriber
from tutti.trust.reading import shipped_reader

_EARS = "whisper-base"


def calibration_file(policy: Path) -> Path:
    """Where the calibration of a policy lies: `policy.toml` has `policy.calibration.json`."""
    return policy.with_suffix(".calibration.json")


def open_moderator(policy: Path, provider: Any, calibration: Path | None = None) -> Moderator:
    """A moderator for a policy.

    Args:
        policy: Its file.
        provider: The model, which embeds.
        calibration: Its file; the one beside the policy if there is one.

    Raises:
        InputError: Something cannot be read, or the model does not embed.
    """
    read = read_policy(policy)
    beside = calibration or calibration_file(policy)
    measured = Calibration.read(beside) if calibration is not None or beside.is_file() else None
    return Moderator(read, _embedder(provider), shipped_reader(), transcriber_for(read), measured)


def open_watcher(policy: Path, provider: Any) -> Watcher:
    """What calibrate looks with. Errors as for `open_moderator`."""
    read = read_policy(policy)
    return Watcher(read, _embedder(provider), shipped_reader(), transcriber_for(read))


def transcriber_for(policy: ModerationPolicy) -> Transcriber | None:
    """The shipped transcriber where the policy counts speech."""
    if not policy.needs("speech"):
        return None
    import tutti

    found = tutti.open_provider(_EARS)
    return found if isinstance(found, Transcriber) else None


def _embedder(provider: Any) -> Embedder:
    if not isinstance(provider, Embedder):
        raise InputError(f"{getattr(provider, 'name', 'The model')} does not embed; expected a model that does.")
    return provider
