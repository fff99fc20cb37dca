"""Tiny random checkpoints of the families that use tools, with templates in the forms of the published ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from tests.parity import test_mllama_parity, written
from tutti import checkpoints
from tutti.models.llama.config import LlamaConfig
from tutti.models.llama.model import LlamaForCausalLM

QWEN = """{% if tools %}<|im_start|>system
# Tools
<tools>{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
</tools>
Return {"name": <function-name>, "arguments": <args-json-object>} within <tool_call></tool_call>.<|im_end|>
{% endif %}{% for message in messages %}
{%- if message.role == 'tool' %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% else %}<|im_start|>{{ message.role }}
{{ message.content }}{% for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endif %}{% endfor %}<|im_start|>assistant
"""
MISTRAL = """{{ bos_token }}{% if tools %}[AVAILABLE_TOOLS] {{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}
{%- for message in messages %}
{%- if message.tool_calls %}[TOOL_CALLS] [{% for call in message.tool_calls %}
{%- if call.id | length != 9 %}{{ raise_exception('ids have nine letters') }}{% endif %}
{{- call.function | tojson }}{% if not loop.last %}, {% endif %}{% endfor %}]{{ eos_token }}
{%- elif message.role == 'tool' %}[TOOL_RESULTS] {"content": {{ message.content }}, "call_id":
{{- ' "' + message.tool_call_id }}"}[/TOOL_RESULTS]
{%- elif message.role == 'user' %}[INST] {{ message.content }}[/INST]
{%- else %} {{ message.content }}{{ eos_token }}{% endif %}{% endfor %}"""
MISTRAL_ARGS = """{{ bos_token }}{% if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}
{%- for message in messages %}
{%- if message.tool_calls %}{% for call in message.tool_calls %}
{{- '[TOOL_CALLS]' + call.function.name + '[ARGS]' + call.function.arguments | tojson }}{% endfor %}{{ eos_token }}
{%- elif message.role == 'tool' %}[TOOL_RESULTS]{{ message.content }}[/TOOL_RESULTS]
{%- elif message.role == 'user' %}[INST]{{ message.content }}[/INST]
{%- else %}{{ message.content }}{{ eos_token }}{% endif %}{% endfor %}"""
LLAMA3 = """{{ bos_token }}{% for message in messages %}
{%- if message.tool_calls and message.tool_calls | length != 1 %}
{{- raise_exception('This model only supports single tool-calls at once!') }}{% endif %}
{{- '<|head|>' + ('ipython' if message.role == 'tool' else message.role) + '\n\n' }}
{%- if loop.first and tools %}Respond in the format {"name": function name, "parameters": dictionary of arguments}.
{% for tool in tools %}{{ tool | tojson(indent=4) }}
{% endfor %}{% endif %}
{%- if message.tool_calls %}{% set call = message.tool_calls[0].function %}
{{- '{"name": "' + call.name + '", "parameters": ' + call.arguments | tojson + '}' }}
{%- elif message.content is string %}{{ message.content }}
{%- else %}{% for item in message.content %}{{ '<|image|>' if item.type == 'image' else item.text }}{% endfor %}
{%- endif %}
{{- '<|eot|>' }}{% endfor %}{{ '<|head|>assistant\n\n' }}"""
_MISTRAL = "[INST] [/INST] [TOOL_CALLS] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS] [/TOOL_RESULTS]".split()
_BEHIND = "mistral, arguments behind a token"
SPECIAL = {
    "qwen2": ["<|im_start|>", "<|im_end|>"],
    "mistral": _MISTRAL,
    _BEHIND: [*_MISTRAL, "[ARGS]"],
    "llama": ["<|head|>", "<|eot|>"],
}
TEMPLATES = {"qwen2": QWEN, "mistral": MISTRAL, _BEHIND: MISTRAL_ARGS, "llama": LLAMA3, "mllama": LLAMA3}
CONTEXT = 16_384


def made(folder: Path, form: str, template: str | None = None) -> Path:
    """A checkpoint of random weights that writes calls in one of `TEMPLATES`."""
    template = TEMPLATES[form] if template is None else template
    if form == "mllama":
        test_mllama_parity.save_theirs(folder, {"text": {"max_position_embeddings": CONTEXT}})
        (folder / "chat_template.jinja").write_text(template)
        return folder
    tokenizer = written.tokenizer(SPECIAL[form]).backend_tokenizer
    if form == "qwen2":
        tokenizer.add_tokens(["<tool_call>", "</tool_call>"])
    end = tokenizer.token_to_id({"qwen2": "<|im_end|>", "llama": "<|eot|>"}.get(form, "</s>"))
    values: dict[str, Any] = {
        "model_type": form.partition(",")[0], "vocab_size": tokenizer.get_vocab_size() + 5, "hidden_size": 32,
        "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
        "max_position_embeddings": CONTEXT, "eos_token_id": end,
    }  # fmt: skip
    torch.manual_seed(1)
    files = {
        "tokenizer.json": tokenizer.to_str(),
        "tokenizer_config.json": json.dumps({"bos_token": "<s>", "eos_token": "</s>"}),
        "chat_template.jinja": template,
    }
    checkpoints.save(LlamaForCausalLM(LlamaConfig.from_hf(values)), folder, values, files)
    return folder
