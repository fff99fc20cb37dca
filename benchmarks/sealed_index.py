"""What encryption of an index costs: the same rows into a plain database and an encrypted one, side by side in one run.

    python benchmarks/sealed_index.py --rows 20000 --json out.json
    python benchmarks/sealed_index.py --rows 1000 10000 100000 --sealed

Rows are as pictures have them: a vector of 256 numbers, a path, words in half of them, a thumbnail of 3 kB. A process
for each measurement, so that memory is its own. Seconds are of the clock and, in brackets, of the processor: only the
latter mean something on a busy machine. After opening, a query by vector, one by words and one by a condition are
timed, then a commit of 256 rows more, a fresh key of the tenant, another root key, and the tenant's erasure.
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
from tutti.trust.vault.root_keys import KeySource
from tutti.trust.vault.rotation import rotate
from tutti.trust.vault.shredding import shred

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


class Clock:
    """Seconds since it was made or asked: of the clock, and of the processor."""

    def __init__(self) -> None:
        self.begun, self.spent = time.perf_counter(), time.process_time()

    def lap(self) -> tuple[float, float]:
        found = time.perf_counter() - self.begun, time.process_time() - self.spent
        self.__init__()
        return found


def measured(how: str, place: Path, count: int) -> dict[str, Any]:
    """One of `plain write`, `plain open`, `sealed write`, `sealed open`, `sealed keys`, in this process."""
    kind, step = how.split()
    if step == "keys":
        return keys_measured(place)
    vault = Vault.open(place / "vault", f"file:{place / 'root.key'}")
    sealer, database = vault.sealer("anna"), place / kind
    made = list(rows(count)) if step == "write" else []
    before, clock, laps = resident_bytes(), Clock(), {}
    store: Store
    if step == "write":
        store = (
            Store.create(database, "anna", IDENTITY)
            if kind == "plain"
            else SealedStore.create_sealed(database, "anna", IDENTITY, sealer)
        )
        for start in range(0, count, COMMIT):
            store.add(made[start : start + COMMIT])
        laps["written"] = clock.lap()
    else:
        store = Store.open(database, "anna") if kind == "plain" else SealedStore.open_sealed(database, "anna", sealer)
        laps["opened"] = clock.lap()
        store.table.search(np.ones(WIDTH, np.float32)).limit(5).to_arrow()
        laps["by vector"] = clock.lap()
        if kind == "sealed":  # it has its index of words already, which a plain database makes when it is tuned
            store.table.search("sentence", query_type="fts").limit(5).to_arrow()
            laps["by words"] = clock.lap()
        store.table.search().where("path LIKE '%/77.jpg'").limit(5).to_arrow()
        laps["by condition"] = clock.lap()
    memory = resident_bytes() - before
    if step == "open":
        fresh = [{**row, "id": f"f{row['id'][1:]}", "item": f"{row['item']}.new"} for row in rows(COMMIT)]
        held, _ = disk_bytes(database), clock.lap()
        store.add(fresh)
        laps[f"{COMMIT} rows more ({(disk_bytes(database) - held) / 1e6:.1f} MB)"] = clock.lap()
    return {"laps": laps, "seconds": sum(lap[0] for lap in laps.values()), "bytes": memory,
            "disk_bytes": disk_bytes(database)}  # fmt: skip


def keys_measured(place: Path) -> dict[str, Any]:
    """A fresh key, another root key, and an erasure."""
    old, new = (f"file:{place / name}" for name in ("root.key", "next.key"))
    clock, laps = Clock(), {}
    Vault.open(place / "vault", old).renew("anna")
    laps["fresh key"] = clock.lap()
    rotate(place / "vault", KeySource.parse(old), KeySource.parse(new))
    laps["another root key"] = clock.lap()
    done = shred(place / "vault", "anna", [str(place / "sealed")])
    laps[f"erased, {done.databases} database"] = clock.lap()
    return {"laps": laps, "seconds": sum(lap[0] for lap in laps.values()), "bytes": 0,
            "disk_bytes": disk_bytes(place / "sealed")}  # fmt: skip


def disk_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.exists() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000])
    parser.add_argument("--sealed", action="store_true", help="leave the plain database out")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step is not None:
        print(json.dumps(measured(arguments.step[0], Path(arguments.step[1]), arguments.rows[0])))
        return
    found = {}
    steps = ["plain write", "sealed write", "plain open", "sealed open", "sealed keys"]
    for count in arguments.rows:
        with tempfile.TemporaryDirectory() as folder:
            Vault.init(Path(folder) / "vault", f"file:{Path(folder) / 'root.key'}").sealer("anna")
            for how in [one for one in steps if not (arguments.sealed and one.startswith("plain"))]:
                command = [sys.executable, __file__, "--rows", str(count), "--step", how, folder]
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
                found[f"{count} {how}"] = one = json.loads(done.stdout)
                laps = ", ".join(f"{what} {wall:.2f} ({cpu:.2f}) s" for what, (wall, cpu) in one["laps"].items())
                print(f"{count:7,} rows, {how:12} {laps}; {one['bytes'] / 1e6:.0f} MB more memory, "
                      f"{one['disk_bytes'] / count:,.0f} bytes a row on the disk", flush=True)  # fmt: skip
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
