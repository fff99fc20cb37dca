"""What stands in, while the guides are run, for what a test has not: models of the hub, hosted models.

A tiny folder of random weights lies where the hub's name is looked for first, so that the guide's command is run as it
stands; the client of a hosted model reaches a server on this machine. Each guide says where that is so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch

from tests.checkpoints.test_convert_gguf import reference, written
from tests.providers.loopback import loopback, openai_stream
from tests.providers.test_local_speech import save_whisper
from tests.providers.tool_models import made
from tutti import checkpoints
from tutti.checkpoints.adapters import AdapterConfig, new_adapter, save_adapter
from tutti.checkpoints.families import FAMILIES
from tutti.models.llava.config import LlavaConfig
from tutti.models.llava.model import LlavaForConditionalGeneration

EXAMPLE = Path(__file__).parents[2] / "examples/07_a_llava_of_your_own.py"
HOSTED = "https://api.openai.com"


@contextmanager
def whisper(folder: Path) -> Iterator[None]:
    """A tiny Whisper in the place of openai/whisper-base."""
    save_whisper(folder / "openai/whisper-base")
    yield


@contextmanager
def llava(folder: Path) -> Iterator[None]:
    """The LLaVA of an example in the place of llava-hf/llava-1.5-7b-hf."""
    made: dict[str, Any] = {"__file__": str(EXAMPLE)}
    exec(EXAMPLE.read_text(encoding="utf-8").partition("torch.manual_seed")[0], made)
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(LlavaConfig.from_hf(made["config"]))
    checkpoints.save(model, folder / "llava-hf/llava-1.5-7b-hf", made["config"], made["files"])
    yield


@contextmanager
def adapter(folder: Path) -> Iterator[None]:
    """A LoRA adapter of tutti-mini that changes nothing yet."""
    model = checkpoints.load("tutti-mini").model
    config = AdapterConfig(r=4, lora_alpha=8, target_modules=("v_proj",), base_model="tutti-mini")
    new_adapter(model, config)
    save_adapter(model, folder / "my-adapter", config, FAMILIES["tutti_omni"])
    yield


@contextmanager
def openai(folder: Path) -> Iterator[None]:
    """A server on this machine that answers "a dog" in OpenAI's dialect, where its client looks for OpenAI."""
    import openai as client

    del folder
    plain = client.OpenAI.__init__
    with loopback() as server:
        server.replies += [openai_stream("a ", "dog") for _ in range(20)]

        def redirected(self: client.OpenAI, **options: Any) -> None:
            if str(options.get("base_url", "")).startswith(HOSTED):
                options["base_url"] = str(options["base_url"]).replace(HOSTED, server.url)
            plain(self, **options)

        client.OpenAI.__init__ = redirected  # type: ignore[method-assign]
        os.environ["OPENAI_API_KEY"] = "a key of the test"
        try:
            yield
        finally:
            client.OpenAI.__init__ = plain  # type: ignore[method-assign]
            del os.environ["OPENAI_API_KEY"]


@contextmanager
def qwen(folder: Path) -> Iterator[None]:
    """A tiny Qwen2.5 in the place of Qwen/Qwen2.5-0.5B-Instruct."""
    made(folder / "Qwen/Qwen2.5-0.5B-Instruct", "qwen2")
    yield


@contextmanager
def gguf(folder: Path) -> Iterator[None]:
    """A tiny GGUF file of random weights in the place of a published one."""
    written(folder / "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", reference("qwen2"))
    yield


STAND_INS: dict[str, Callable[[Path], AbstractContextManager[None]]] = {
    "whisper": whisper,
    "llava": llava,
    "adapter": adapter,
    "openai": openai,
    "qwen": qwen,
    "gguf": gguf,
}
