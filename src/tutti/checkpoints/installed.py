"""The checkpoints that are on this machine already: those of the package, and what the hub's client has kept."""

from __future__ import annotations

from pathlib import Path

from tutti.checkpoints.inspection import CheckpointInfo, inspect
from tutti.checkpoints.model_paths import BUILT_IN
from tutti.errors import TuttiError


def installed(cache: Path | None = None) -> dict[str, tuple[Path | None, CheckpointInfo]]:
    """Name → its folder (None of what lies in the package) and what is known of it, of families that are known.

    Headers alone are read, and nothing is asked of the network.

    Args:
        cache: Of the hub's client; where it keeps it if not given.
    """
    found: dict[str, tuple[Path | None, CheckpointInfo]] = {name: (None, inspect(name)) for name in BUILT_IN}
    for folder in _snapshots(cache or _cache()):
        try:
            info = inspect(folder)
        except TuttiError:  # of another library, or half downloaded
            continue
        if info.supported:
            _, organization, name = folder.parents[1].name.split("--", 2)
            found[f"{organization}/{name}"] = (folder, info)
    return found


def _cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _snapshots(cache: Path) -> list[Path]:
    """The folder of each model's newest version, by the reference that the client keeps."""
    folders = []
    for repository in sorted(cache.glob("models--*--*")):
        try:
            commit = (repository / "refs" / "main").read_text().strip()
        except OSError:
            continue
        folder = repository / "snapshots" / commit
        if commit and (folder / "config.json").is_file():
            folders.append(folder)
    return folders
