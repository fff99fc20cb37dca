"""Indexes a folder on a local Ray cluster, whose first worker dies on the way; run by `test_ray_cluster.py`.

python -m tests.search.clustered FOLDER DB MARK: prints items added, broken, and unchanged in a second run.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from tests.search.synthetic_media import Space
from tutti.content import Embeddings
from tutti.search import Index
from tutti.search.ingest.ray_cluster import Cluster, WorkerSetup


class Mortal(Space):
    """A space whose process dies in its third batch, unless one has died before."""

    mark = ""

    def embed(self, parts: list) -> Embeddings:
        if self.mark and len(self.calls) == 2 and not Path(self.mark).exists():
            Path(self.mark).touch()
            os.kill(os.getpid(), 9)
        return super().embed(parts)


def opened(database: str, mark: str = "") -> Index:
    space = Mortal()
    space.mark = mark
    return Index(database, space)


def setup(database: str, mark: str) -> WorkerSetup:
    return opened(database, mark).worker_setup()


def main() -> None:
    folder, database, mark = sys.argv[1:]
    cluster = Cluster(make=partial(setup, database, mark), workers=2)
    first = opened(database).add(folder, cluster=cluster)
    second = opened(database).add(folder, cluster=cluster)
    print(first.added, len(first.broken), second.unchanged)


if __name__ == "__main__":
    main()
