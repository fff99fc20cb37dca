"""Generation at speed: sequence, blocks, scheduler, runner, engine, sampling, caches of embeddings."""

from tutti.engine.embedding_cache import EmbeddingCache
from tutti.engine.embedding_shelf import DiskShelf
from tutti.engine.engine import Capacity, Engine
from tutti.engine.request import Request, TokenEvent
from tutti.engine.runner import Decoder

__all__ = ["Capacity", "Decoder", "DiskShelf", "EmbeddingCache", "Engine", "Request", "TokenEvent"]
