"""What encryption of an index costs: the same rows into a plain database and an encrypted one, side by side in one run.

    python benchmarks/sealed_index.py --rows 20000 --json out.json

Rows are as pictures have them: a vector of 256 numbers, a path, words in half of them, a thumbnail of 3 kB. A process
for each measurement, so that memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tutti.search.table.schema import COLUMNS, Identity
from tutti.search.table.sealed_store import SealedStore
from tutti.search.table.store import Store
from tutti.trust.vault import Vault

WIDTH, COMMIT = 256, 256
IDENTITY = Identity("model", "w" * 64, "p", WIDTH)


def rows(count: int) -> Iterator[dict[str, Any]]:
    random = np.random.default_rng(0)
    for number in range(count):
        vector = random.normal(size=WIDTH).astype(np.float32)
        yield {
            **dict.fromkeys(COLUMNS),
            "id": f"{number:032x}",
            "item": f"/photos/2026/album/{number}.jpg",
            "path": f"/photos/2026/album/{number}.jpg",
            "modality": "image",
            "kind": "picture",
            "words": None if number % 2 else f"a sentence of words, number {number}, read in a picture",
            "colours": ["red", "blue"],
            "palette": [0.5, 50, 10, 10, 0.5, 30, 5, 5],
            "thumbnail": random.bytes(3000),
            "digest": f"{number:064x}",
            "stamp": "5 1700000000",
            "bytes": 5,
            "indexed": "2026-11-30T00:00:00+00:00",
            "deleted": False,
            "vector": vector / np.linalg.norm(vector),
        }


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measured(how: str, place: Path, count: int) -> dict[str, float]:
    """One of `plain write`, `plain open`, `sealed write`, `sealed open`, in this process."""
    kind, step = how.split()
    vault = Vault.open(place / "vault", f"file:{place / 'root.key'}")
    sealer, database = vault.sealer("anna"), place / kind
    made = list(rows(count)) if step == "write" else []
    before, begun = resident_bytes(), time.perf_counter()
    store: Store
    if step == "write":
        store = (
            Store.create(database, "anna", IDENTITY)
            if kind == "plain"
            else SealedStore.create_sealed(database, "anna", IDENTITY, sealer)
        )
        for start in range(0, count, COMMIT):
            store.add(made[start : start + COMMIT])
    else:
        store = Store.open(database, "anna") if kind == "plain" else SealedStore.open_sealed(database, "anna", sealer)
        store.table.search(made or np.ones(WIDTH, np.float32)).limit(5).to_arrow()
    seconds = time.perf_counter() - begun
    held = sum(file.stat().st_size for file in database.rglob("*") if file.is_file())
    return {"seconds": seconds, "bytes": resident_bytes() - before, "disk_bytes": held}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step is not None:
        print(json.dumps(measured(arguments.step[0], Path(arguments.step[1]), arguments.rows)))
        return
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        Vault.init(Path(folder) / "vault", f"file:{Path(folder) / 'root.key'}").sealer("anna")
        for how in ("plain write", "sealed write", "plain open", "sealed open"):
            command = [sys.executable, __file__, "--rows", str(arguments.rows), "--step", how, folder]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            found[how] = one = json.loads(done.stdout)
            rate = arguments.rows / one["seconds"]
            print(f"{how:12} {one['seconds']:6.2f} s {rate:9,.0f} rows/s {one['bytes'] / 1e6:6.0f} MB more memory, "
                  f"{one['disk_bytes'] / arguments.rows:6,.0f} bytes a row on the disk")  # fmt: skip
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
