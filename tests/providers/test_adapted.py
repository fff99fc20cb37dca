"""Several adapters over one base: each answers as it does alone, and what none changes is there once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest
import torch

from tests.models.conftest import tiny_model, tiny_values
from tests.providers import every_family, test_local
from tests.serve.fake_models import Parrot
from tests.serve.fake_models import served as on_a_server
from tutti import checkpoints
from tutti.checkpoints.adapters import AdapterConfig, new_adapter, save_adapter
from tutti.checkpoints.families import FAMILIES
from tutti.cli.serve_adapters import adapters_of
from tutti.content import Message, SamplingOptions
from tutti.content.streams import answer_of_stream
from tutti.errors import CheckpointError, InputError
from tutti.interfaces import Responder
from tutti.model import load
from tutti.providers.adapted import load_adapted
from tutti.settings import read_settings
from tutti.training.tuning_parts import target_layers


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model, and adapters that change what it says."""
    place = tmp_path_factory.mktemp("adapted")
    checkpoints.save(tiny_model(), place / "base", tiny_values(), test_local.files())
    for seed, target in ((1, "v_proj"), (2, "down_proj"), (3, "embed_in")):
        model = checkpoints.load(place / "base").model
        config = AdapterConfig(r=2, lora_alpha=8, target_modules=(target,))
        torch.manual_seed(seed)
        for layer in new_adapter(model, config):
            torch.nn.init.normal_(model.get_submodule(layer).lora_B.weight, std=3.0)
        save_adapter(model, place / target, config, FAMILIES["tutti_omni"])
    return {name: place / name for name in ("base", "v_proj", "down_proj", "embed_in")}


def said(model: Responder) -> str:
    conversation = [Message.user("w9 w10 w11")]
    return answer_of_stream(model.stream(conversation, SamplingOptions(max_tokens=6)), model.name).text


@pytest.mark.parametrize("quantize", [None, "int8"])
def test_each_answers_as_it_does_alone_and_shares_the_rest(folders: dict[str, Path], quantize: str | None) -> None:
    names = ("v_proj", "embed_in", "down_proj")
    base, adapted = load_adapted(
        str(folders["base"]), {name: folders[name] for name in names}, read_settings(), quantize=quantize
    )
    expected = {name: said(load(folders["base"], adapter=folders[name], quantize=quantize).provider) for name in names}
    assert {name: said(one) for name, one in adapted.items()} == expected
    plain = said(base)
    assert plain == said(load(folders["base"], quantize=quantize).provider)
    assert len({plain, *expected.values()}) == 4
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(said, adapted.values())) == [*expected.values()]
    assert adapted["v_proj"].engine is adapted["down_proj"].engine is base.engine
    one = adapted["embed_in"]  # whose rows are others than those of a step
    assert one.engine is not base.engine
    own = {id(parameter) for parameter in base.model.parameters()}
    others = [name for name, parameter in one.model.named_parameters() if id(parameter) not in own]
    assert others and all(".lora_" in name for name in others)


@pytest.mark.parametrize("family", ["mllama", "idefics", "llava", "idefics3"])
def test_text_that_looks_at_pictures_looks_through_its_own_adapter(family: str, tmp_path: Path) -> None:
    name = every_family.save(family, tmp_path / "base")
    for seed in (1, 2):
        loaded = checkpoints.load(name)
        one = FAMILIES[loaded.info.family]
        layers = target_layers(loaded.model, loaded.info.family, one, ("k_proj", "v_proj", "down_proj"))
        torch.manual_seed(seed)
        for layer in new_adapter(loaded.model, AdapterConfig(r=3, lora_alpha=6, target_modules=layers)):
            torch.nn.init.normal_(loaded.model.get_submodule(layer).lora_B.weight, std=2.0)
        theirs = tuple(one.name_elsewhere(f"{layer}.weight").removesuffix(".weight") for layer in layers)
        save_adapter(loaded.model, tmp_path / f"{seed}", AdapterConfig(r=3, lora_alpha=6, target_modules=theirs), one)
    chosen = {f"{seed}": tmp_path / f"{seed}" for seed in (1, 2)}
    base, adapted = load_adapted(name, chosen, read_settings())
    everyone = [base, *adapted.values()]
    assert len({id(one.engine) for one in everyone}) == 1

    def seen(model: Responder) -> str:
        conversation = [Message.user(every_family.picture(), "What is this?")]
        return answer_of_stream(model.stream(conversation, SamplingOptions(max_tokens=6)), model.name).text

    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(seen, everyone))
    alone = [seen(load(name, adapter=adapter, reader=False).provider) for adapter in (None, *chosen.values())]
    assert found == alone
    assert len(set(found)) == 3


def test_what_would_reach_the_rows_of_others_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    model = checkpoints.load(folders["base"], adapter=folders["v_proj"]).model
    config = AdapterConfig(r=2, lora_alpha=8, target_modules=("v_proj",))
    model.decoder.layers[0].self_attn.v_proj.lora_B.weight[0, 0] = torch.inf
    save_adapter(model, tmp_path / "broken", config, FAMILIES["tutti_omni"])
    with pytest.raises(CheckpointError, match=r"holds weights of decoder\..*v_proj that are not finite"):
        load_adapted(str(folders["base"]), {"broken": tmp_path / "broken"}, read_settings())


def test_clients_choose_by_name() -> None:
    with on_a_server(Parrot()) as server:
        server.service.adapted["loud"] = Parrot("loud")
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            assert [model.id for model in client.models.list()] == server.service.names
            asked = {"messages": [{"role": "user", "content": "hello"}]}
            assert client.chat.completions.create(model="loud", **asked).model == "loud"
            with pytest.raises(openai.NotFoundError, match=r"There is no model 'quiet' here; this server has .*'loud'"):
                client.chat.completions.create(model="quiet", **asked)


def test_names_of_adapters() -> None:
    assert adapters_of(["a=run", "b=./x=y"]) == (None, {"a": "run", "b": "./x=y"})
    assert adapters_of(["./rank=8,rate=1"]) == ("./rank=8,rate=1", {})
    assert adapters_of(None) == (None, {})
    for wrong in (["a=run", "a=other"], ["run", "other"], ["run", "a=other"]):
        with pytest.raises(InputError):
            adapters_of(wrong)
