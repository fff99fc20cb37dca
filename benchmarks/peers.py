"""What a user would pick instead, in an environment of its own: OpenVINO GenAI and llama.cpp on the same weights.

    python -m venv peers
    peers/bin/pip install "optimum-intel[openvino]" openvino-genai xllamacpp gguf
    python benchmarks/answering.py --peers peers/bin/python

Each player first writes the checkpoint in its own form, as its users do: OpenVINO by `optimum` (int8, or int4 in groups
of 32 and int8 at the ends), llama.cpp as GGUF (Q4_0, outputs Q8_0; the tower float16). The wheel of xllamacpp is built
for AVX2; a build for the processor at hand is faster.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import shutil
import struct
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Ask = Callable[[np.ndarray, str], Iterator[None]]
Heard = queue.SimpleQueue[BaseException | None]
PEERS = ("openvino-int8", "openvino-int4", "llamacpp-q4_0")


def openvino_form(folder: Path, into: Path, precision: str) -> None:
    """The checkpoint as OpenVINO's graphs."""
    how = [
        "--weight-format",
        precision,
        *(["--group-size", "32", "--sym", "--ratio", "1.0"] if precision == "int4" else []),
    ]
    command = [str(Path(sys.executable).with_name("optimum-cli")), "export", "openvino", "--model", str(folder)]
    subprocess.run([*command, "--task", "image-text-to-text", *how, str(into)], check=True)
    # `transformers` 5 writes it into processor_config.json only, where GenAI does not look; it then resizes wrongly.
    shutil.copy(folder / "preprocessor_config.json", into)


def openvino_player(form: Path, tokens: int) -> Ask:
    """`VLMPipeline` as it comes."""
    import openvino
    import openvino_genai

    threads = int(os.environ["OMP_NUM_THREADS"])
    pipeline = openvino_genai.VLMPipeline(str(form), "CPU", INFERENCE_NUM_THREADS=threads)
    config = openvino_genai.GenerationConfig(max_new_tokens=tokens, min_new_tokens=tokens, ignore_eos=True)

    class Each(openvino_genai.StreamerBase):  # type: ignore[misc]
        """Every token at once: the text streamer waits for whole words."""

        def __init__(self, heard: Heard) -> None:
            super().__init__()
            self.heard = heard

        def write(self, token: int | list[int]) -> Any:
            for _ in range(1 if isinstance(token, int) else len(token)):
                self.heard.put(None)
            return openvino_genai.StreamingStatus.RUNNING

        def end(self) -> None:
            pass

    def ask(picture: np.ndarray, question: str) -> Iterator[None]:
        heard: Heard = queue.SimpleQueue()
        options = {"images": [openvino.Tensor(picture[None])], "generation_config": config, "streamer": Each(heard)}
        return told(lambda: pipeline.generate(question, **options), heard, tokens)

    return ask


def llamacpp_form(folder: Path, into: Path, _precision: str) -> None:
    """The checkpoint as two GGUF files: decoder and tower."""
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    weights = {name: one for file in sorted(folder.glob("*.safetensors")) for name, one in load_file(file).items()}
    into.mkdir(parents=True, exist_ok=True)
    _decoder(gguf, folder, into / "decoder.gguf", config["text_config"], weights)
    config["images"] = json.loads((folder / "preprocessor_config.json").read_text())
    _tower(gguf, into / "tower.gguf", config, weights)


_DECODER = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
_TOWER = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.out_proj": "attn_out", "layer_norm1": "ln1", "layer_norm2": "ln2",
    "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down",
}  # fmt: skip


def _decoder(gguf: Any, folder: Path, file: Path, config: dict[str, Any], weights: dict[str, np.ndarray]) -> None:
    writer = gguf.GGUFWriter(file, "llama")
    heads = config["num_attention_heads"]
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_vocab_size(config["vocab_size"])
    _words(gguf, writer, json.loads((folder / "tokenizer.json").read_text()))
    for name, weight in weights.items():
        place, ours = _gguf_name(name, "language_model.model.layers.", "blk", _DECODER)
        ends = {"language_model.model.embed_tokens": "token_embd", "language_model.model.norm": "output_norm"}
        ours = ours or {**ends, "language_model.lm_head": "output"}.get(place)
        if ours is None:
            continue
        turned = weight
        if ours.endswith(("attn_q", "attn_k")):  # halves of a head interleaved, as llama.cpp turns them
            turned = weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)
        form = "F32" if weight.ndim == 1 else "Q8_0" if ours == "output" else "Q4_0"
        _add(gguf, writer, f"{ours}.weight", turned, form)
    _close(writer)


def _tower(gguf: Any, file: Path, whole: dict[str, Any], weights: dict[str, np.ndarray]) -> None:
    config, images = whole["vision_config"], whole["images"]
    writer = gguf.GGUFWriter(file, "clip")
    layers = config["num_hidden_layers"] - 1  # the feature is taken before the last
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    for key, value in {
        "image_size": config["image_size"], "patch_size": config["patch_size"], "block_count": layers,
        "embedding_length": config["hidden_size"], "feed_forward_length": config["intermediate_size"],
        "projection_dim": whole["text_config"]["hidden_size"], "attention.head_count": config["num_attention_heads"],
    }.items():  # fmt: skip
        writer.add_uint32(f"clip.vision.{key}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", images["image_mean"])
    writer.add_array("clip.vision.image_std", images["image_std"])
    writer.add_bool("clip.use_gelu", False)
    ends = {
        "vision_tower.vision_model.embeddings.class_embedding": "v.class_embd",
        "vision_tower.vision_model.embeddings.patch_embedding": "v.patch_embd",
        "vision_tower.vision_model.embeddings.position_embedding": "v.position_embd",
        "vision_tower.vision_model.pre_layrnorm": "v.pre_ln",
        "multi_modal_projector.linear_1": "mm.0", "multi_modal_projector.linear_2": "mm.2",
    }  # fmt: skip
    for name, weight in weights.items():
        kind = "" if name.endswith("class_embedding") else "." + name.rpartition(".")[2]
        place, ours = _gguf_name(name, "vision_tower.vision_model.encoder.layers.", "v.blk", _TOWER)
        ours = ours or ends.get(place)
        if ours is not None and not ours.startswith(f"v.blk.{layers}."):
            table = weight.ndim == 1 or "embd" in ours
            _add(gguf, writer, ours + kind, weight, "F32" if table else "F16")
    _close(writer)


def _gguf_name(name: str, prefix: str, block: str, table: dict[str, str]) -> tuple[str, str | None]:
    """The name without its kind, and what it is called there if it belongs to a layer."""
    place = name if name.endswith("class_embedding") else name.rpartition(".")[0]
    if not place.startswith(prefix):
        return place, None
    number, _, rest = place.removeprefix(prefix).partition(".")
    return place, f"{block}.{number}.{table[rest]}"


def _add(gguf: Any, writer: Any, name: str, weight: np.ndarray, form: str) -> None:
    kind = gguf.GGMLQuantizationType[form]
    plain = np.ascontiguousarray(weight, np.float16 if form == "F16" else np.float32)
    if form in ("F16", "F32"):
        writer.add_tensor(name, plain)
    else:
        writer.add_tensor(name, gguf.quants.quantize(plain, kind), raw_dtype=kind)


def _words(gguf: Any, writer: Any, tokenizer: dict[str, Any]) -> None:
    pieces = {number: piece for piece, number in tokenizer["model"]["vocab"].items()}
    marks = {one["id"]: one for one in tokenizer["added_tokens"]}
    names = [pieces.get(i) or marks[i]["content"] for i in range(max([*pieces, *marks]) + 1)]
    kinds = gguf.TokenType
    writer.add_tokenizer_model("llama")
    writer.add_token_list(names)
    writer.add_token_scores([0.0] * len(names))
    writer.add_token_types(
        [
            kinds.BYTE if name.startswith("<0x") else kinds.CONTROL if i in marks else kinds.NORMAL
            for i, name in enumerate(names)
        ]
    )
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(
        "{% for message in messages %}{{ 'USER: ' + message['content'] + ' ' }}{% endfor %}ASSISTANT:"
    )


def _close(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llamacpp_player(form: Path, tokens: int) -> Ask:
    """llama.cpp's own server in this process, asked over its address."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(form / "decoder.gguf")
    parameters.mmproj.path = str(form / "tower.gguf")
    parameters.n_ctx = 1024 * (slots := 16)
    parameters.n_parallel = slots
    for one in (parameters.cpuparams, parameters.cpuparams_batch):
        one.n_threads = int(os.environ["OMP_NUM_THREADS"])
    parameters.port = 0
    server = xllamacpp.Server(parameters)

    def ask(picture: np.ndarray, question: str) -> Iterator[None]:
        url = f"data:image/bmp;base64,{base64.b64encode(bmp(picture)).decode()}"
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": question}]
        body = {"messages": [{"role": "user", "content": content}], "max_tokens": tokens, "temperature": 0}
        body |= {"stream": True, "ignore_eos": True, "logprobs": True}  # with logprobs, every token is an event
        address = f"{server.listening_address}/v1/chat/completions"
        request = urllib.request.Request(address, json.dumps(body).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request) as events:
            for line in events:
                if line.startswith(b"data: {") and (choices := json.loads(line[6:])["choices"]):
                    yield from [None] * len((choices[0].get("logprobs") or {}).get("content") or [])

    return ask


def bmp(picture: np.ndarray) -> bytes:
    """A picture as a file that costs nearly nothing to write and to read. Shapes: (H, W, 3) uint8."""
    height, width, _ = picture.shape
    rows = picture[::-1, :, ::-1]
    padded = np.pad(rows.reshape(height, -1), ((0, 0), (0, -width * 3 % 4)))
    head = b"BM" + struct.pack("<IHHI", 54 + padded.size, 0, 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, padded.size, 0, 0, 0, 0) + padded.tobytes()


def told(run: Callable[[], object], heard: Heard, tokens: int) -> Iterator[None]:
    """Tokens as a thread that runs makes them known; what it raises is raised here, too, instead of awaited forever."""

    def guarded() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the reader must hear of it
            heard.put(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    for _ in range(tokens):
        error = heard.get()
        if error is not None:
            raise error
        yield None
    thread.join()


def peer(player: str, form: Path, tokens: int) -> Ask:
    """Load a peer."""
    return {"openvino": openvino_player, "llamacpp": llamacpp_player}[player.partition("-")[0]](form, tokens)


if __name__ == "__main__":  # PLAYER FOLDER INTO: write its form
    kind, _, wanted = sys.argv[1].partition("-")
    {"openvino": openvino_form, "llamacpp": llamacpp_form}[kind](Path(sys.argv[2]), Path(sys.argv[3]), wanted)
