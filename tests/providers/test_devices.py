"""Models on one device or another: nothing is made beside the model, and a GPU gives what the CPU gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

import tutti
from tests.providers.every_family import FAMILIES, differences, picture, said, save
from tutti import checkpoints
from tutti.engine.passes import _whole
from tutti.errors import CapacityError, InputError
from tutti.models.layers.device_kernels import DeviceKernel
from tutti.models.layers.dispatch import int8_sums
from tutti.models.layers.linear import QuantizedLinear


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("families")
    return {family: save(family, root / family) for family in FAMILIES}


@pytest.fixture(scope="module")
def expected(names: dict[str, str]) -> dict[str, dict[str, Any]]:
    """What each says in float32 on the CPU."""
    return {family: said(name, device="cpu") for family, name in names.items()}


@contextmanager
def strangers_elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever names no device is made on `meta`, where nothing meets the tensors of a model on the CPU."""
    before = tutti.Model.ask, tutti.Model.embed, tutti.Model.transcribe
    for method in before:

        def away(*arguments: Any, _method: Any = method, **options: Any) -> Any:
            with torch.device("meta"):
                return _method(*arguments, **options)

        monkeypatch.setattr(tutti.Model, method.__name__, away)
    yield
    monkeypatch.undo()


@pytest.mark.parametrize("family", FAMILIES)
def test_no_tensor_is_made_beside_the_model(
    family: str, names: dict[str, str], expected: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert expected[family]
    with strangers_elsewhere(monkeypatch):
        found = said(names[family], device="cpu")
    assert differences(found, expected[family], most=0.0) == []


def test_what_names_no_device_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tutti.load(device="cpu")
    plain = model.provider.model.embed_tokens  # type: ignore[attr-defined]
    monkeypatch.setattr(model.provider.model, "embed_tokens", lambda ids: plain(ids) + torch.zeros(1))  # type: ignore[attr-defined]
    with strangers_elsewhere(monkeypatch), pytest.raises((RuntimeError, NotImplementedError)):
        model.ask("What is this?", picture(), max_tokens=2)


@pytest.mark.parametrize("quantize", [None, "int8", "int4+trunks"])
@pytest.mark.parametrize("family", ["llava", "mllama", "tutti_omni"])
def test_all_weights_go_to_the_device(
    family: str, quantize: str | None, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # `meta` stands for a GPU: weights that stay behind would be on the CPU.
    monkeypatch.setattr("tutti.checkpoints.loading.find_device", lambda _: torch.device("meta"))
    monkeypatch.setattr("tutti.checkpoints.loading._check_filled", lambda _: None)
    loaded = checkpoints.load(names[family], quantize=quantize, device="cuda")
    tensors = [*loaded.model.named_parameters(), *loaded.model.named_buffers()]
    codes = [
        (name, layer.kernel.scale) for name, layer in loaded.model.named_modules() if isinstance(layer, QuantizedLinear)
    ]
    assert bool(codes) == (quantize is not None)
    assert [name for name, tensor in [*tensors, *codes] if not tensor.is_meta] == []


@pytest.mark.parametrize("family", ["llava", "mllama", "tutti_omni"])
@pytest.mark.parametrize("quantize", ["int8+trunks", "int4"])
def test_a_whole_model_on_the_kernels_of_a_gpu(
    family: str, quantize: str, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Compiled steps sum in another order, and a change of one in ten million can turn a code of eight bits over.
    monkeypatch.setattr("tutti.engine.passes._compile_steps", lambda model: None)
    monkeypatch.setattr("tutti.engine.passes._compile_blocks", lambda model: None)
    usual = said(names[family], device="cpu", quantize=quantize)
    monkeypatch.setattr("tutti.models.layers.linear.kernel_for", DeviceKernel)
    model = tutti.load(names[family], device="cpu", quantize=quantize)
    layers = [one for one in model.provider.model.modules() if isinstance(one, QuantizedLinear)]  # type: ignore[attr-defined]
    assert {type(_whole(one.kernel)) for one in layers} == {DeviceKernel}
    assert any(one.joined is not None for one in layers)
    found = said(names[family], device="cpu", quantize=quantize)
    assert found.keys() == usual.keys()
    if quantize != "int4" and int8_sums().levels == 127:  # as many levels, and no int4 kernel that rounds otherwise
        assert differences(found, usual, most=1e-3) == []


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_sixteen_bits_are_enough_to_answer(
    family: str, dtype: str, names: dict[str, str], expected: dict[str, dict[str, Any]]
) -> None:
    found = said(names[family], device="cpu", dtype=dtype)
    assert found.keys() == expected[family].keys()
    if "vectors" in found:
        np.testing.assert_allclose(found["vectors"], expected[family]["vectors"], atol=0.1)
        np.testing.assert_allclose(np.linalg.norm(found["vectors"], axis=1), 1.0, atol=1e-6)


def test_an_embedding_is_kept_on_the_cpu_and_found_again() -> None:
    model = tutti.load(device="cpu", dtype="bfloat16")
    first = model.ask("What is this?", picture(), max_tokens=4)
    again = model.ask("What is this?", picture(), max_tokens=4)
    assert again.text == first.text
    assert again.usage.cached_tokens > 0


def test_memory_that_is_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has …")

    model = tutti.load(device="cpu")
    monkeypatch.setattr(model.provider.model, "decode", full)  # type: ignore[attr-defined]
    with pytest.raises(CapacityError, match=r"no memory left for 2.50 GiB more; quantize .* or use --device cpu"):
        model.ask("Why?", max_tokens=2)
    monkeypatch.setattr("tutti.providers.loading.checkpoints.load", full)
    with pytest.raises(CapacityError, match="no memory left"):
        tutti.load(device="cpu")


def test_a_device_for_a_model_elsewhere_is_refused() -> None:
    with pytest.raises(InputError, match="cuda was given for openai:gpt-4o, which computes elsewhere"):
        tutti.load("openai:gpt-4o", device="cuda")


def test_the_environment_names_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTTI_DEVICE", "gpu")
    with pytest.raises(InputError, match="device is 'gpu'; expected auto, cpu, cuda or cuda:N"):
        tutti.load()
    assert tutti.load(device="cpu").name == "tutti-mini"


@pytest.mark.gpu
@pytest.mark.parametrize("quantize", [None, "int8", "int4"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_gpu_gives_what_the_cpu_gives(family: str, quantize: str | None, names: dict[str, str]) -> None:
    if quantize and family in ("clip", "imagebind", "wav2vec2"):
        return  # they have no decoder
    options: dict[str, Any] = {"quantize": quantize} if quantize else {"dtype": "float32"}
    expected, found = (said(names[family], device=device, **options) for device in ("cpu", "cuda"))
    assert found.keys() == expected.keys()
    if quantize is None:
        assert differences(found, expected, most=2e-3) == []
