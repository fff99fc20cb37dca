from __future__ import annotations

import threading

import torch

from tutti.engine.embedding_cache import EmbeddingCache, embedding_key


def key(name: str) -> bytes:
    return embedding_key("", "image", name, "")


def test_what_was_put_is_found_and_counted() -> None:
    cache = EmbeddingCache()
    assert cache.get(key("a")) is None
    cache.put(key("a"), torch.ones(2, 3))
    found = cache.get(key("a"))
    assert found is not None
    assert torch.equal(found, torch.ones(2, 3))
    assert (cache.hits, cache.misses, cache.held_bytes, len(cache)) == (1, 1, 24, 1)


def test_the_least_recently_used_goes_first() -> None:
    cache = EmbeddingCache(max_bytes=24)
    for name in "abc":
        cache.put(key(name), torch.ones(2))
    cache.get(key("a"))
    cache.put(key("d"), torch.ones(2))
    assert [cache.get(key(name)) is not None for name in "abcd"] == [True, False, True, True]
    assert cache.held_bytes == 24


def test_what_is_too_large_is_not_kept_and_drops_nothing() -> None:
    cache = EmbeddingCache(max_bytes=16)
    cache.put(key("small"), torch.ones(2))
    cache.put(key("large"), torch.ones(5))
    assert (len(cache), cache.held_bytes) == (1, 8)


def test_putting_again_does_not_count_twice() -> None:
    cache = EmbeddingCache()
    cache.put(key("a"), torch.ones(2))
    cache.put(key("a"), torch.ones(3))
    assert (len(cache), cache.held_bytes) == (1, 12)


def test_a_view_does_not_keep_its_whole_alive() -> None:
    cache = EmbeddingCache()
    cache.put(key("a"), torch.ones(1000, 4)[:2])
    found = cache.get(key("a"))
    assert found is not None
    assert found.untyped_storage().nbytes() == 32


def test_every_part_of_the_key_counts_and_parts_do_not_run_together() -> None:
    keys = {
        embedding_key("t", "image", "d", "w"),
        embedding_key("u", "image", "d", "w"),
        embedding_key("t", "audio", "d", "w"),
        embedding_key("t", "image", "e", "w"),
        embedding_key("t", "image", "d", "x"),
        embedding_key("ti", "mage", "d", "w"),
    }
    assert len(keys) == 6
    assert {len(one) for one in keys} == {32}


def test_threads_leave_the_account_right() -> None:
    cache = EmbeddingCache(max_bytes=40)

    def work(start: int) -> None:
        for index in range(200):
            cache.put(key(str((start + index) % 17)), torch.ones(1 + index % 3))
            cache.get(key(str(index % 17)))

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.held_bytes == sum(entry.numel() * 4 for entry in cache._entries.values()) <= 40
    assert cache.hits + cache.misses == 800
