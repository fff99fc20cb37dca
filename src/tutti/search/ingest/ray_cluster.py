"""Indexing on many machines: Ray's workers decode and embed, and the one who asked for it writes.

A worker is a run (`indexing.Run`) whose store gathers rows instead of writing them, so that what is found is the same
as on one machine. Only the driver holds the tenant's lock and commits; a worker that is lost has written nothing, and
Ray gives its files to another. Files must lie on storage that every machine sees under the same path.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tutti.errors import InputError, MissingExtra, ProviderError, TuttiError
from tutti.interfaces import Embedder
from tutti.search.ingest.facets import Tools
from tutti.search.ingest.run import IndexReport, Run
from tutti.search.ingest.walk import ItemSource
from tutti.search.table.schema import Identity, Rows
from tutti.search.table.store import Known, Store

_GROUP = 64
"""Files that a worker is given at once; each such group is a commit."""
_AHEAD = 2
"""Groups that a worker has before it."""
_RETRIES = 3
"""How often a group is given to another worker after one was lost."""


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker needs: what embeds, what decoding may use, and which space the vectors are points of."""

    embedder: Embedder
    tools: Tools
    identity: Identity


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where the workers run.

    Args:
        make: Makes in a worker what it needs, which loads the model there; of an index a `WorkerSetup`. It is pickled.
        address: Of a running cluster; None takes that of RAY_ADDRESS, or starts one on this machine.
        workers: How many; None for one a processor of the cluster.
    """

    make: Callable[[], Any]
    address: str | None = None
    workers: int | None = None


@dataclass(kw_only=True)
class Gathered:
    """What a worker found in a group of files: a store for its run, which only remembers."""

    before: Mapping[str, Known]
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    """Of new items."""
    changed: list[Mapping[str, Any]] = field(default_factory=list)
    """Of items that the database knows."""
    replacing: list[str] = field(default_factory=list)
    touched: list[tuple[str, str]] = field(default_factory=list)
    """Items whose content is the old one, and their new stamp."""
    report: IndexReport = field(default_factory=IndexReport)

    def known(self) -> Mapping[str, Known]:
        """What the database holds of these files."""
        return self.before

    def add(self, rows: Rows, replacing: Sequence[str] = ()) -> None:
        """Remember rows."""
        (self.changed if replacing else self.rows).extend(rows)
        self.replacing.extend(replacing)

    def touch(self, item: str, stamp: str) -> None:
        """Remember an item's new stamp."""
        self.touched.append((item, stamp))

    def mark(self, items: Sequence[str], *, deleted: bool) -> None:
        """Only the driver knows what is gone."""

    def compact(self) -> None:
        """There is no table."""


class Worker:
    """What runs on each machine: it loads the model once, and gathers the rows of groups of files.

    Args:
        make: As for `Cluster`.
    """

    def __init__(self, make: Callable[[], WorkerSetup]) -> None:
        self._make = make
        self._setup: WorkerSetup | None = None

    def gather(self, sources: Sequence[ItemSource], known: Mapping[str, Known], identity: Identity) -> Gathered:
        """Read and embed files.

        Raises:
            InputError: The model of this machine is another one.
        """
        if self._setup is None:
            setup = self._make()
            if setup.identity != identity:
                raise InputError(
                    f"A worker loaded {setup.embedder.name} with other weights or another preprocessing than the "
                    "driver's; give every machine the same model and the same version of Tutti."
                )
            self._setup = setup
        gathered = Gathered(before=known)
        run = Run(gathered, self._setup.embedder, self._setup.tools, threads=2)
        gathered.report = run.bring_up_to_date(sources)
        return gathered


class SpreadRun(Run):
    """A run whose files are read and embedded by workers.

    Args:
        cluster: Where they are.
        setup: The driver's own.
        store: Where to write; the caller holds its lock.
        told: As for `Run`.
    """

    def __init__(
        self,
        cluster: Cluster,
        setup: WorkerSetup,
        store: Store,
        told: Callable[[IndexReport, list[str]], None] | None = None,
    ) -> None:
        super().__init__(store, setup.embedder, setup.tools, told)
        self._cluster, self._identity = cluster, store.identity

    def _bring(self, sources: Iterator[ItemSource]) -> None:
        for gathered in spread(self._cluster, Worker, self._groups(sources)):
            self._write(gathered)

    def _groups(self, sources: Iterator[ItemSource]) -> Iterator[tuple[Any, ...]]:
        while group := list(islice(sources, _GROUP)):
            known = {s.item: self._known[s.item] for s in group if s.item in self._known}
            yield group, known, self._identity

    def _write(self, gathered: Gathered) -> None:
        for item, stamp in gathered.touched:
            self.store.touch(item, stamp)
        self.store.add(gathered.rows)
        self.store.add(gathered.changed, gathered.replacing)
        for name in ("added", "replaced", "unchanged", "other", "rows", "bytes", "wordless"):
            setattr(self.report, name, getattr(self.report, name) + getattr(gathered.report, name))
        self.report.broken += gathered.report.broken
        written = list(dict.fromkeys(row["item"] for row in (*gathered.rows, *gathered.changed)))
        if written:
            self._safe(written)


def spread(cluster: Cluster, worker: type[Any], groups: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    """What workers gather of each group, as it comes; a few groups a worker are under way at a time.

    Args:
        cluster: Where the workers run, and what makes what they need.
        worker: Their class, called with `cluster.make`; its `gather` takes a group and may be called again with it.
        groups: Arguments of `gather`, drawn only as workers are free.

    Raises:
        MissingExtra: Ray is not installed.
        ProviderError: The cluster cannot be reached, or loses workers again and again.
    """
    with _connected(cluster.address) as ray:
        count = cluster.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        remote = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=_RETRIES)(worker)
        workers = [remote.remote(cluster.make) for _ in range(count)]
        free, waiting = workers * _AHEAD, iter(groups)
        running: dict[Any, Any] = {}
        while True:
            for one, group in zip(free, waiting, strict=False):
                running[one.gather.remote(*group)] = one
            if not running:
                return
            done, _ = ray.wait(list(running), num_returns=1)
            free = [running.pop(result) for result in done]
            yield ray.get(done[0])


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Ray, connected to a cluster, which is ended if it was started here.

    Raises:
        MissingExtra: Ray is not installed.
        ProviderError: The cluster cannot be reached, or loses workers again and again.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # otherwise Ray reports usage statistics
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # otherwise workers see no accelerator
    try:
        import ray
    except ImportError:
        raise MissingExtra("Work on a Ray cluster", "ray") from None
    own = not ray.is_initialized()
    try:
        if own:
            with warnings.catch_warnings():
                # Ray starts programs, which LanceDB mistakes for forks that share its threads.
                warnings.filterwarnings("ignore", "lancedb fork support", RuntimeWarning)
                ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        yield ray
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, TuttiError):
            raise error.cause from None
        raise
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise ProviderError(f"Ray failed: {str(error).splitlines()[0]}; look at the cluster with: ray status") from None
    finally:
        if own:
            ray.shutdown()
