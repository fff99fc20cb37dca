"""Moderation on many machines: Ray's workers decide, and the one who asked for it keeps the decisions.

A worker that is lost has decided nothing, and Ray gives its files to another. Files must lie on storage that every
machine sees under the same path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tutti.apps.moderation.journal import DecisionJournal
from tutti.apps.moderation.labels import caption_of, part_of
from tutti.apps.moderation.moderator import Moderator, decision_id, medium_key
from tutti.apps.moderation.running import Decided, judged, noted, unreadable
from tutti.errors import CapacityError, InputError, MissingExtra
from tutti.search.ingest.ray_cluster import Cluster, spread

_GROUP = 8
"""Files that a worker is given at once."""


class ModerationWorker:
    """What runs on each machine: it loads the models once, and decides on groups of files.

    Args:
        make: Makes the moderator.
    """

    def __init__(self, make: Callable[[], Moderator]) -> None:
        self._make = make
        self._moderator: Moderator | None = None

    def gather(self, files: Sequence[tuple[str, str]], version: str) -> list[tuple[str, dict[str, Any]]]:
        """Decide on files; each decision with the key of its medium.

        Args:
            files: Path and caption of each.
            version: Of what is to decide.

        Raises:
            InputError: This machine has another policy or calibration.
        """
        if self._moderator is None:
            made = self._make()
            if made.version != version:
                raise InputError(
                    f"A worker has version {made.version} of the policy and its calibration, and {version} was asked "
                    "for; let every machine see the same files."
                )
            self._moderator = made
        found = []
        for path, caption in files:
            part = part_of(Path(path))
            decision = self._moderator.decide(part, path, caption)
            found.append((medium_key(part, caption), decision.to_dict()))
        return found


def run_spread(
    moderator: Moderator, files: Iterable[Path], journal: DecisionJournal, cluster: Cluster, caption: str | None = None
) -> Iterator[tuple[dict[str, Any], bool]]:
    """As `run_over`, with the work done by a cluster; decisions come in the order in which they are made.

    Args:
        moderator: Tells which decisions are known; it decides on nothing itself.
        files: Paths, drawn only as workers are free.
        journal: Where decisions are kept.
        cluster: Where the workers run.
        caption: For all of them; None reads it beside each file.

    Raises:
        MissingExtra: Ray is not installed.
        ProviderError: The cluster cannot be reached, or loses workers again and again.
    """
    journal.purge(moderator.policy.retention_days)
    queue = _Queue(moderator, journal, caption)
    for gathered in spread(cluster, ModerationWorker, queue.groups(files)):
        yield from queue.take()
        for key, decision in gathered:
            yield from queue.keep(key, decision)
    yield from queue.take()


class _Queue:
    """Files that wait for a worker, and decisions that need none."""

    def __init__(self, moderator: Moderator, journal: DecisionJournal, caption: str | None) -> None:
        self._moderator, self._journal, self._caption = moderator, journal, caption
        self._decided, self._verdicts = journal.state()
        self._under_way: dict[str, list[str]] = {}
        self._ready: list[Decided] = []

    def groups(self, files: Iterable[Path]) -> Iterator[tuple[list[tuple[str, str]], str]]:
        """What is not decided, in groups; a medium that is there twice is decided once."""
        group: list[tuple[str, str]] = []
        for file in files:
            words = self._waits(file)
            if words is not None:
                group.append((str(file), words))
            if len(group) == _GROUP:
                yield group, self._moderator.version
                group = []
        if group:
            yield group, self._moderator.version

    def _waits(self, file: Path) -> str | None:
        """The caption of a file on which a worker has to decide."""
        try:
            part = part_of(file)
            words = caption_of(file) if self._caption is None else self._caption
            key = medium_key(part, words)
        except MissingExtra:
            raise
        except (InputError, CapacityError) as error:
            self._ready.append((unreadable(self._moderator, self._journal, file, str(error)), True))
            return None
        name = decision_id(key, self._moderator.version)
        if name in self._decided:
            values = {**self._decided[name], "file": str(file)}
            self._ready.append((judged(values, self._verdicts.get(key)), False))
        elif name in self._under_way:
            self._under_way[name].append(str(file))
        else:
            self._under_way[name] = []
            return words
        return None

    def take(self) -> list[Decided]:
        """What needed no worker since the last time."""
        ready, self._ready = self._ready, []
        return ready

    def keep(self, key: str, decision: dict[str, Any]) -> list[Decided]:
        """A worker's decision, on the disk when this returns, and the same for other files of the medium."""
        values = noted(self._journal, decision, key)
        self._decided[values["id"]] = values
        verdict = self._verdicts.get(key)
        twice = self._under_way.pop(values["id"], [])
        return [
            (judged(values, verdict), True),
            *((judged({**values, "file": file}, verdict), False) for file in twice),
        ]
