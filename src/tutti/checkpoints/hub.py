"""The only file that downloads: checkpoints from the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from tutti.errors import CheckpointError

WANTED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "README.md", "LICENSE*")
"""Files that are fetched: never code, never a pickle."""


def download(hub_id: str) -> Path:
    """The folder of a checkpoint of the hub, from its cache or downloaded. `HF_HUB_OFFLINE=1` keeps to the cache.

    Raises:
        CheckpointError: It cannot be had.
    """
    import huggingface_hub

    try:
        return Path(huggingface_hub.snapshot_download(hub_id, allow_patterns=list(WANTED)))
    except Exception as error:  # noqa: BLE001 – the client lets through errors of several HTTP libraries
        raise CheckpointError(
            f"There is no folder {hub_id}, and the hub's checkpoint of that name cannot be had "
            f"({type(error).__name__}); check the name and the connection, or give a folder."
        ) from None
