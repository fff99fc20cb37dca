"""Indexes a folder and prints each item once it is safe; run by `test_safety.py`, which kills it.

python -m tests.search.killed FOLDER DB [BYTES]: with BYTES, no file can grow beyond so many, as on a full disk.
"""

from __future__ import annotations

import resource
import sys

from tests.search.synthetic_media import Space
from tutti.errors import CapacityError
from tutti.search import Index
from tutti.search.ingest import run

run._COMMIT_ITEMS = 8
run.BATCH = 8


def main() -> None:
    folder, database, *most = sys.argv[1:]
    if most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(most[0]), int(most[0])))
    try:
        Index(database, Space()).add(folder, told=lambda _, items: print("\n".join(items), flush=True))
    except CapacityError as error:
        print(error, file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
