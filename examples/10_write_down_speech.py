"""Write down speech with a Whisper checkpoint: a tiny one made here, whose words are random; its times are real."""

import json
import tempfile
from pathlib import Path

import tokenizers
import torch
from tokenizers import AddedToken, decoders, models

import tutti
from tutti.models.whisper.config import WhisperConfig
from tutti.models.whisper.model import WhisperForConditionalGeneration

MEDIA = Path(__file__).parent / "media"
SPECIAL = "endoftext startoftranscript en fr translate transcribe startofprev nospeech notimestamps".split()
SIZES = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}


def make_checkpoint(folder: Path) -> None:
    words = tokenizers.Tokenizer(models.BPE({word: index for index, word in enumerate("Ġa Ġdog Ġbarks ,".split())}, []))
    words.decoder = decoders.ByteLevel()
    words.add_special_tokens([f"<|{name}|>" for name in SPECIAL])
    words.add_tokens([AddedToken(f"<|{step / 50:.2f}|>", special=False) for step in range(101)])  # 2 s in steps of 0.02
    config = {"model_type": "whisper", "vocab_size": words.get_vocab_size(), **SIZES}
    config |= {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "max_source_positions": 100}
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(WhisperConfig.from_hf(config))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    files = {
        "tokenizer.json": words.to_str(),
        "preprocessor_config.json": json.dumps({"feature_size": 80, "chunk_length": 2}),
        "generation_config.json": json.dumps(
            {
                "is_multilingual": True,
                "max_initial_timestamp_index": 10,
                "suppress_tokens": [words.token_to_id(f"<|{name}|>") for name in SPECIAL[1:]],
            }
        ),
    }
    tutti.checkpoints.save(model, folder, config, files)


with tempfile.TemporaryDirectory() as scratch:
    folder = Path(scratch) / "tiny-whisper"
    make_checkpoint(folder)  # with a real one: tutti.load("openai/whisper-base")
    model = tutti.load(folder)
    for name in ("recording.ogg", "video.mp4"):
        transcript = model.transcribe(MEDIA / name, language="english")
        print(f"{name}: {transcript.duration_s:.2f} s, {transcript.language}")
        for segment in transcript.segments:
            print(f"  {segment.start_s:5.2f} – {segment.end_s:5.2f}  {segment.text}")
print(transcript.to_srt().splitlines()[1])
