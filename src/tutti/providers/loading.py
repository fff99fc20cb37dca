"""From a name to a model on this machine that does what its family can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path

import torch

from tutti import checkpoints
from tutti.checkpoints.devices import within_memory
from tutti.engine import DiskShelf
from tutti.engine.passes import run_passes
from tutti.errors import UnsupportedTask
from tutti.interfaces import SealerOf
from tutti.media import InProcess, Limits, MediaDecoder
from tutti.providers.doubting import Doubts
from tutti.providers.listening import Listening
from tutti.providers.local import LocalEmbedder, LocalResponder
from tutti.providers.reading import Reading
from tutti.providers.speech import LocalTranscriber
from tutti.settings import Settings


class LocalModel(Listening, Reading, Doubts, LocalResponder, LocalEmbedder):
    """A checkpoint with a shared space and a decoder, ready for both; arguments as for `Local`.

    Speech is left to the Whisper of the package: `transcribe`, and questions about what is said. What is written in a
    picture is left to `reader`, if it is set.
    """


_KINDS: tuple[tuple[frozenset[str], type[LocalResponder | LocalEmbedder | LocalTranscriber]], ...] = (
    (frozenset({"ask", "embed"}), LocalModel),
    (frozenset({"ask"}), LocalResponder),
    (frozenset({"embed"}), LocalEmbedder),
    (frozenset({"transcribe"}), LocalTranscriber),
)
"""Tasks → what serves them; the first that fits."""


def load_local(
    name: str,
    settings: Settings,
    quantize: str | None = None,
    adapter: str | PathLike[str] | None = None,
    decoder: MediaDecoder | None = None,
    told: Callable[[int, int], None] | None = None,
    sealer_of: SealerOf | None = None,
    place: Mapping[str, str | None] | None = None,
) -> LocalResponder | LocalEmbedder | LocalTranscriber:
    """Load a checkpoint by built-in name, folder or hub id.

    Args:
        name: Which.
        settings: Of the environment.
        quantize: Weights of so many bits.
        adapter: A LoRA adapter in the PEFT layout.
        decoder: Decodes the media; in this process, within the limits of the settings, if None.
        told: Called with the bytes of weights that were read and of all.
        sealer_of: Encrypts embeddings that outlive the process.
        place: device and dtype: where it computes, as the settings say if None, and in which precision.

    Raises:
        InputError: There is no such device or precision.
        CapacityError: The GPU has not the memory for it.
        CheckpointError: There is none, or it is not what it claims to be.
        UnsupportedTask: Its family is read, but not yet served.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    device, dtype = ((place or {}).get(key) for key in ("device", "dtype"))
    device, dtype = device or settings.device, dtype or "auto"
    with within_memory():
        loaded = checkpoints.load(name, device=device, dtype=dtype, quantize=quantize, adapter=adapter, told=told)
        run_passes(loaded.model, settings.second_form_bytes)
        return served(name, loaded, settings, decoder, sealer_of)


def served(
    name: str,
    loaded: checkpoints.Loaded,
    settings: Settings,
    decoder: MediaDecoder | None = None,
    sealer_of: SealerOf | None = None,
) -> LocalResponder | LocalEmbedder | LocalTranscriber:
    """What serves a checkpoint that is loaded. Arguments and errors as for `load_local`."""
    for tasks, kind in _KINDS:
        if tasks <= set(loaded.info.tasks):
            return kind(name, loaded, decoder or InProcess(Limits.from_settings(settings)), _shelf(settings, sealer_of))
    raise UnsupportedTask(
        f"{name} is of family {loaded.info.family}, which is read but not yet served; use tutti-mini."
    )


def _shelf(settings: Settings, sealer_of: SealerOf | None) -> DiskShelf | None:
    if settings.embedding_bytes is None:
        return None
    return DiskShelf(Path(settings.cache_folder).expanduser() / "embeddings", settings.embedding_bytes, sealer_of)
