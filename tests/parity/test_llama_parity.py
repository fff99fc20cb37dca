"""LLaMA, Mistral and Qwen2 against `transformers`, on the same tiny random weights: logits, and greedy answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig as HFConfig
from transformers import LlamaForCausalLM as HFModel
from transformers import MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM

from tests.engine.toy_models import Prompt, finish_all
from tutti.content import SamplingOptions
from tutti.engine import Capacity, Engine
from tutti.models.llama.config import LlamaConfig
from tutti.models.llama.model import LlamaForCausalLM

SIZES: dict[str, Any] = {
    "vocab_size": 199,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "max_position_embeddings": 256,
    # Large enough that what was read matters; with the usual 0.02 a random model hardly looks back.
    "initializer_range": 0.2,
    "bos_token_id": None,
    "eos_token_id": None,
}
MISTRAL = {"model_type": "mistral", "num_key_value_heads": 2, "head_dim": 16, "rope_theta": 1e6}
QWEN = {"model_type": "qwen2", "num_key_value_heads": 2, "rope_theta": 1e6, "rms_norm_eps": 1e-6}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "grouped heads": {"num_key_value_heads": 2},
    "one shared head": {"num_key_value_heads": 1},
    "tied": {"tie_word_embeddings": True},
    "biased": {"attention_bias": True, "mlp_bias": True},
    "wide heads": {"head_dim": 16, "num_key_value_heads": 3},
    "large base": {"rope_theta": 5e5},
    "linear": {"rope_scaling": {"rope_type": "linear", "factor": 4.0}},
    "llama3": {
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    },
    "mistralai/Mistral-7B-v0.1, a window": {**MISTRAL, "sliding_window": 30},
    "mistralai/Mistral-7B-Instruct-v0.2, none": {**MISTRAL, "sliding_window": None},
    "Qwen/Qwen2.5-0.5B-Instruct, tied": {**QWEN, "tie_word_embeddings": True},
    "Qwen/Qwen2.5-7B-Instruct": {**QWEN, "sliding_window": 30},
    "Qwen2 with windows behind the first block": {
        **QWEN, "use_sliding_window": True, "sliding_window": 30, "max_window_layers": 1,
    },
}  # fmt: skip
CLASSES: dict[str, Any] = {
    "llama": (HFConfig, HFModel),
    "mistral": (MistralConfig, MistralForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
}
Pair = tuple[HFModel, LlamaForCausalLM]


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS.keys())
def pair(request: pytest.FixtureRequest) -> Pair:
    """The same weights in both implementations, ours configured by what theirs writes to `config.json`."""
    torch.manual_seed(0)
    configuration, model = CLASSES[request.param.get("model_type", "llama")]
    theirs = model(configuration(**{**SIZES, **request.param})).eval()
    for name, parameter in theirs.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    ours = LlamaForCausalLM(LlamaConfig.from_hf(theirs.config.to_dict())).eval()
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


@torch.inference_mode()
def test_logits_agree(pair: Pair) -> None:
    theirs, ours = pair
    ids = torch.randint(0, 199, (3, 200), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(ours(ids).logits, theirs(ids).logits, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_logits_agree_under_padding(pair: Pair) -> None:
    theirs, ours = pair
    ids = torch.randint(0, 199, (2, 20), generator=torch.Generator().manual_seed(2))
    mask = torch.ones_like(ids)
    mask[0, :7] = 0
    mask[1, 15:] = 0
    real = mask.bool()
    expected = theirs(input_ids=ids, attention_mask=mask).logits
    torch.testing.assert_close(
        ours(input_ids=ids, attention_mask=mask).logits[real], expected[real], atol=1e-4, rtol=1e-4
    )


@torch.inference_mode()
def test_greedy_answers_agree(pair: Pair) -> None:
    theirs, ours = pair
    generator = np.random.default_rng(3)
    prompts = [generator.integers(0, 199, length) for length in (5, 33, 90)]
    # The mask is given because `generate` would otherwise take token 0 inside a prompt for padding.
    settings = {"max_new_tokens": 64, "do_sample": False, "pad_token_id": 0}
    expected = []
    for ids in prompts:
        row = torch.tensor(ids)[None]
        answer = theirs.generate(row, attention_mask=torch.ones_like(row), **settings)
        expected.append(answer[0, len(ids) :].tolist())
    engine = Engine(ours, eos_ids=(), detokenize=lambda ids: "", capacity=Capacity(step_tokens=40))
    requests = [engine.submit(Prompt(ids), SamplingOptions(max_tokens=64)) for ids in prompts]
    assert finish_all(engine, requests) == expected
