"""Nearest neighbours of clustered vectors: our table beside usearch, faiss and qdrant's local mode, in one run.

    python benchmarks/vectors.py --n 100000
    python benchmarks/vectors.py --n 1000000 --cap 900      # qdrant's local mode is a scan: it may stop at the cap
    python benchmarks/vectors.py --n 1000000 --only tutti --probed 24,16,12     # of one index, so many cells a query

Recall is against an exact scan; times are of one query at a time. Each runs in a process of its own, whose memory is
told with the vectors themselves (4 bytes x 256 x n) in it. What is not built after the cap is stopped there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import commit, processor, versions

D, QUERIES, K = 256, 200, 10
CORES = len(os.sched_getaffinity(0))
Search = Callable[[np.ndarray], list[int]]


def clustered(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around a thousand centres, and queries of the same kind."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(1000, D)).astype(np.float32)
    place = rng.integers(0, len(centres), n + QUERIES)
    rows = np.empty((n + QUERIES, D), np.float32)
    for start in range(0, len(rows), 100_000):
        some = place[start : start + 100_000]
        block = centres[some] + 0.7 * rng.normal(size=(len(some), D)).astype(np.float32)
        rows[start : start + len(some)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return rows[:n], rows[n:]


def exact(rows: np.ndarray, queries: np.ndarray) -> list[set[int]]:
    best = np.zeros((len(queries), 0))
    ids = np.zeros((len(queries), 0), np.int64)
    for start in range(0, len(rows), 100_000):
        scores = queries @ rows[start : start + 100_000].T
        near = np.argpartition(-scores, K, axis=1)[:, :K]
        best = np.hstack([best, np.take_along_axis(scores, near, 1)])
        ids = np.hstack([ids, near + start])
    order = np.argsort(-best, axis=1)[:, :K]
    return [set(row.tolist()) for row in np.take_along_axis(ids, order, 1)]


def of_tutti(rows: np.ndarray, folder: Path) -> tuple[Search, str]:
    import lancedb
    import pyarrow as pa

    from tutti.search.table.indexes import nearest, tune
    from tutti.search.table.schema import Identity
    from tutti.search.table.store import Store

    store = Store.create(folder, "bench", Identity("bench", "w", "p", D))
    for start in range(0, len(rows), 50_000):
        some = rows[start : start + 50_000]
        ids = [str(start + place) for place in range(len(some))]
        columns = {"id": pa.array(ids), "item": pa.array(ids), "kind": pa.array(["picture"] * len(some))}
        columns |= {"deleted": pa.array([False] * len(some))}
        columns |= {"vector": pa.FixedSizeListArray.from_arrays(pa.array(some.ravel()), D)}
        table = store.table.schema.empty_table()
        arrays = [columns.get(f.name, pa.nulls(len(some), f.type)).cast(f.type) for f in table.schema]
        store.table.add(pa.Table.from_arrays(arrays, schema=table.schema))
    tune(store)
    kinds = [index.index_type for index in store.table.list_indices() if index.columns == ["vector"]]

    def search(query: np.ndarray) -> list[int]:
        found = nearest(store, query).where("kind = 'picture' AND NOT deleted", prefilter=True)
        return [int(key) for key in found.limit(K).select(["id", "_distance"]).to_arrow()["id"].to_pylist()]

    return search, f"lancedb {lancedb.__version__}, {kinds[0] if kinds else 'exact'}"


def of_usearch(rows: np.ndarray, folder: Path) -> tuple[Search, str]:
    from usearch.index import Index

    index = Index(ndim=D, metric="ip", dtype="f32", connectivity=16, expansion_add=128, expansion_search=128)
    index.add(np.arange(len(rows)), rows, threads=CORES)
    index.save(str(folder / "index.usearch"))
    return lambda query: index.search(query, K).keys.tolist(), "HNSW M 16, ef 128"


def of_faiss(rows: np.ndarray, folder: Path) -> tuple[Search, str]:
    import faiss

    index = faiss.IndexHNSWFlat(D, 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 128, 128
    faiss.omp_set_num_threads(CORES)
    index.add(rows)
    faiss.write_index(index, str(folder / "index.faiss"))
    return lambda query: index.search(query[None], K)[1][0].tolist(), "HNSW M 16, ef 128"


def of_qdrant(rows: np.ndarray, _: Path) -> tuple[Search, str]:
    from qdrant_client import QdrantClient, models

    client = QdrantClient(":memory:")
    client.create_collection("c", vectors_config=models.VectorParams(size=D, distance=models.Distance.DOT))
    for start in range(0, len(rows), 10_000):
        some = rows[start : start + 10_000]
        client.upsert("c", models.Batch(ids=list(range(start, start + len(some))), vectors=some.tolist()))
    return lambda query: [hit.id for hit in client.query_points("c", query.tolist(), limit=K).points], "local, a scan"


WAYS = {"tutti": of_tutti, "usearch": of_usearch, "faiss": of_faiss, "qdrant": of_qdrant}


def capped(cap_s: float, name: str, *given: Any) -> dict[str, object]:
    """`measure` in a process of its own, which is ended after so many seconds."""
    context = multiprocessing.get_context("fork")
    said = context.SimpleQueue()
    process = context.Process(target=lambda: said.put(measure(name, *given)))
    process.start()
    process.join(cap_s)
    if process.is_alive():
        process.kill()
        process.join()
    return {"name": name, "what": f"stopped after {cap_s:.0f} s"} if said.empty() else said.get()


def timed(search: Search, queries: np.ndarray, truth: list[set[int]]) -> dict[str, float]:
    """Recall, and the time of one query at a time."""
    search(queries[0])
    times, right = [], 0
    for query, near in zip(queries, truth, strict=True):
        begun = time.perf_counter()
        found = search(query)
        times.append((time.perf_counter() - begun) * 1000)
        right += len(near & set(found))
    return {
        "recall@10": round(right / K / len(queries), 4),
        "p50 ms": round(float(np.percentile(times, 50)), 2),
        "p95 ms": round(float(np.percentile(times, 95)), 2),
    }


def by_cells(search: Search, probed: list[int], queries: np.ndarray, truth: list[set[int]]) -> dict[int, Any]:
    """The same for other numbers of cells that a query of ours looks into."""
    from tutti.search.table import indexes

    found = {}
    for cells in probed:
        indexes._PROBED = cells  # noqa: SLF001
        found[cells] = timed(search, queries, truth)
    return found


def measure(
    name: str, rows: np.ndarray, queries: np.ndarray, truth: list[set[int]], probed: list[int]
) -> dict[str, object]:
    folder = Path(tempfile.mkdtemp())
    begun = time.perf_counter()
    search, what = WAYS[name](rows, folder)
    build_s = time.perf_counter() - begun
    result: dict[str, object] = {"name": name, "what": what, **timed(search, queries, truth)}
    if name == "tutti" and probed:
        result["by cells probed"] = by_cells(search, probed, queries, truth)
    disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20
    shutil.rmtree(folder)
    return result | {
        "build s": round(build_s, 1),
        "disk MB": round(disk),
        "peak memory MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--only", default=",".join(WAYS))
    parser.add_argument("--cap", type=float, default=3600, metavar="S", help="most seconds for each")
    parser.add_argument("--probed", default="", metavar="N,N", help="numbers of cells to try with our index, too")
    arguments = parser.parse_args()
    probed = [int(cells) for cells in arguments.probed.split(",") if cells]
    rows, queries = clustered(arguments.n)
    truth = exact(rows, queries)
    print(
        json.dumps(
            {
                "n": arguments.n,
                "d": D,
                "hardware": f"{processor()}, {CORES} threads",
                "commit": commit(),
                "versions": versions("lancedb", "usearch", "faiss-cpu", "qdrant-client"),
            }
        )
    )
    for name in arguments.only.split(","):
        print(json.dumps(capped(arguments.cap, name, rows, queries, truth, probed)), flush=True)


if __name__ == "__main__":
    main()
