"""The rows, templates and tiny models on which TRL and this package are compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tests.parity import test_idefics3_parity, test_llava_parity, test_mllama_parity, written

QUESTION, ANSWER = "What animal is this?", "a red fox"
PICTURE = written.noise(30, 44, 5)
BETA = 0.3
FAMILIES: dict[str, Callable[[Path], Any]] = {
    "llava": lambda folder: test_llava_parity.save_theirs(folder, {}),
    "mllama": lambda folder: test_mllama_parity.save_theirs(folder, {}),
    "idefics3": lambda folder: test_idefics3_parity.save_theirs(
        folder, test_idefics3_parity.CASES["HuggingFaceTB/SmolVLM-256M-Instruct"]
    ),
    "smolvlm": lambda folder: test_idefics3_parity.save_theirs(
        folder, test_idefics3_parity.CASES["HuggingFaceTB/SmolVLM2-500M-Video-Instruct"]
    ),
}
TEMPLATES = {
    "plain": """{% for message in messages %}
    {{- '<|head|>' + message['role'] + '\\n' + message['content'] + '<|eot|>\\n' }}
{%- endfor %}{% if add_generation_prompt %}{{ '<|head|>assistant\\n' }}{% endif %}""",
    "marked": """{% for message in messages %}
    {{- '<|head|>' + message['role'] + '\\n' }}
    {%- if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|eot|>' }}{% endgeneration %}
    {%- else %}{{ message['content'] + '<|eot|>' }}{% endif %}{{ '\\n' }}
{%- endfor %}{% if add_generation_prompt %}{{ '<|head|>assistant\\n' }}{% endif %}""",
}
TURNS = [
    {"role": "system", "content": "be short."},
    {"role": "user", "content": "What is that?"},
    {"role": "assistant", "content": "naïve Straße 🦊"},
    {"role": "user", "content": "and this?"},
    {"role": "assistant", "content": "two birds"},
]
PREFERENCES = [
    {
        "prompt": [{"role": "user", "content": "What is that?"}],
        "chosen": [{"role": "assistant", "content": "a fox"}],
        "rejected": [{"role": "assistant", "content": "a very long story of a dog"}],
    },
    {
        "prompt": [{"role": "user", "content": "How many birds?"}],
        "chosen": [{"role": "assistant", "content": "two of them"}],
        "rejected": [{"role": "assistant", "content": "none"}],
    },
]
SIZES: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256,
}  # fmt: skip


def llama(folder: Path, template: str) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """A tiny model with a tokenizer, saved; answers end with <|eot|>."""
    words = written.tokenizer(["<|head|>", "<|eot|>"], template)
    end = words.convert_tokens_to_ids("<|eot|>")
    model = LlamaForCausalLM(LlamaConfig(**SIZES, vocab_size=len(words), eos_token_id=end)).eval()
    written.draw(model)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return model, words


def adapter() -> peft.LoraConfig:
    """Beside queries and values."""
    return peft.LoraConfig(r=3, lora_alpha=6, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")


def draw(made: torch.nn.Module) -> None:
    """Both halves of an adapter, so that it changes something."""
    torch.manual_seed(4)
    for name, parameter in sorted(made.named_parameters()):
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.2)
