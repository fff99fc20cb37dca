"""Write `tests/parity/golden/imagebind.json`: what the official ImageBind computes on weights and inputs by formula.

    git clone https://github.com/facebookresearch/ImageBind
    git clone https://github.com/facebookresearch/pytorchvideo
    pip install kaldi-native-fbank regex
    python -m tests.parity.provenance.imagebind_golden ImageBind pytorchvideo

Nothing of those repositories is part of this one. The official code asks for libraries that are not needed to run it;
each stand-in below says what it does. Kaldi features come from transformers, video frames go through pytorchvideo's own
reader and sampler with arrays in the place of a decoder, and torchvision's four transforms of pictures are written out
from its documentation.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import importlib.util
import json
import re
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from transformers import audio_utils

from tests.parity import formulas

OUTPUT = Path(__file__).parents[1] / "golden" / "imagebind.json"


def module(name: str, **members: Any) -> types.ModuleType:
    """A stand-in for a library."""
    made = types.ModuleType(name)
    vars(made).update(members)
    sys.modules[name] = made
    return made


def unused(*_: Any, **__: Any) -> Any:
    raise RuntimeError("This was meant to be unused.")


class DropPath(nn.Identity):
    """In evaluation nothing is dropped."""

    def __init__(self, _share: float) -> None:
        super().__init__()


def rearrange(x: torch.Tensor, pattern: str) -> torch.Tensor:
    assert pattern in ("b l d -> l b d", "l b d -> b l d")
    return x.transpose(0, 1)


def fbank(waveform: torch.Tensor, **options: Any) -> torch.Tensor:
    """`torchaudio.compliance.kaldi.fbank` with the options of the official code, as transformers computes it for AST.

    Kaldi itself refuses 128 mel bins of this window, since the lowest ones hold no frequency; `kaldi` below checks the
    computation against Kaldi's own code with fewer.
    """
    expected = {"htk_compat": True, "use_energy": False, "window_type": "hanning", "dither": 0.0}
    assert options == expected | {"sample_frequency": 16000, "num_mel_bins": 128, "frame_length": 25, "frame_shift": 10}
    bank = audio_utils.mel_filter_bank(
        num_frequency_bins=257,
        num_mel_filters=128,
        min_frequency=20,
        max_frequency=8000,
        sampling_rate=16000,
        norm=None,
        mel_scale="kaldi",
        triangularize_in_mel_space=True,
    )
    features = audio_utils.spectrogram(
        waveform[0].numpy(),
        audio_utils.window_function(400, "hann", periodic=False),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=bank,
        log_mel="log",
        mel_floor=float(np.finfo(np.float32).eps),
        remove_dc_offset=True,
    )
    return torch.from_numpy(features.T)


def kaldi(bins: int) -> dict[str, Any]:
    """Features of Kaldi's own code, (frames, bins)."""
    import kaldi_native_fbank

    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.window_type = "hanning"
    options.mel_opts.num_bins = bins
    features = kaldi_native_fbank.OnlineFbank(options)
    features.accept_waveform(formulas.SAMPLE_RATE_HZ, formulas.waveform(0.7).tolist())
    features.input_finished()
    return formulas.probe(np.stack([features.get_frame(index) for index in range(features.num_frames_ready)]))


class Compose:
    def __init__(self, steps: list[Callable[[Any], Any]]) -> None:
        self.steps = steps

    def __call__(self, value: Any) -> Any:
        for step in self.steps:
            value = step(value)
        return value


class Resize:
    """The short side to a number of pixels, the long side in proportion, rounded down."""

    def __init__(self, size: int, interpolation: Any) -> None:
        self.size, self.interpolation = size, interpolation

    def __call__(self, picture: Image.Image) -> Image.Image:
        width, height = picture.size
        long = int(self.size * max(width, height) / min(width, height))
        sides = (self.size, long) if width <= height else (long, self.size)
        return picture.resize(sides, self.interpolation)


class CenterCrop:
    """The centre, its margins rounded as Python rounds."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, picture: Image.Image) -> Image.Image:
        left, top = (round((side - self.size) / 2.0) for side in picture.size)
        return picture.crop((left, top, left + self.size, top + self.size))


class ToTensor:
    def __call__(self, picture: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1).float() / 255


class Normalize:
    def __init__(self, mean: Any, std: Any) -> None:
        self.mean, self.std = (torch.tensor(each).reshape(-1, 1, 1) for each in (mean, std))

    def __call__(self, value: torch.Tensor) -> torch.Tensor:
        return (value - self.mean) / self.std


class ArrayReader:
    """`decord.VideoReader` over an array."""

    frames: np.ndarray

    def __init__(self, uri: Any, **_: Any) -> None:
        self.frames = uri

    def __len__(self) -> int:
        return len(self.frames)

    def get_avg_fps(self) -> float:
        return formulas.FRAMES_PER_S

    def get_batch(self, indices: list[int]) -> torch.Tensor:
        return torch.from_numpy(self.frames[indices])


def package(name: str, folder: Path) -> None:
    """A package whose own start is passed over, so that only the modules asked for are read."""
    module(name).__path__ = [str(folder)]


def import_official(imagebind: Path, pytorchvideo: Path) -> types.SimpleNamespace:
    """The official modules, with stand-ins for what they import."""
    sys.path[:0] = [str(imagebind)]
    module("timm")
    module("timm.layers", DropPath=DropPath, trunc_normal_=nn.init.trunc_normal_)
    module("einops", rearrange=rearrange)
    module("ftfy", fix_text=lambda text: text)
    module("pkg_resources", resource_filename=unused)
    module("iopath")
    module("iopath.common")
    module("iopath.common.file_io", g_pathmgr=types.SimpleNamespace(open=open))
    compliance = types.SimpleNamespace(kaldi=types.SimpleNamespace(fbank=fbank))
    load = lambda samples: (torch.from_numpy(samples)[None].clone(), formulas.SAMPLE_RATE_HZ)  # noqa: E731
    module("torchaudio", compliance=compliance, load=load)
    transforms = module(
        "torchvision.transforms",
        Compose=Compose,
        Resize=Resize,
        CenterCrop=CenterCrop,
        ToTensor=ToTensor,
        Normalize=Normalize,
        InterpolationMode=types.SimpleNamespace(BICUBIC=Image.Resampling.BICUBIC),
    )
    module("torchvision", transforms=transforms)
    module("decord", cpu=lambda _: None, VideoReader=ArrayReader, bridge=types.SimpleNamespace(set_bridge=print))
    package("pytorchvideo", pytorchvideo / "pytorchvideo")
    package("pytorchvideo.data", pytorchvideo / "pytorchvideo/data")
    module("pytorchvideo.data.utils", thwc_to_cthw=lambda frames: frames.permute(3, 0, 1, 2))
    functional = _functional(pytorchvideo)
    module(
        "pytorchvideo.transforms",
        ShortSideScale=lambda size: lambda clip: functional.short_side_scale(clip, size),
        UniformTemporalSubsample=lambda num_samples: (
            lambda clip: functional.uniform_temporal_subsample(clip, num_samples)
        ),
    )
    sys.modules["pytorchvideo"].transforms = sys.modules["pytorchvideo.transforms"]
    reader = importlib.import_module("pytorchvideo.data.encoded_video_decord").EncodedVideoDecord
    from_path = lambda frames, decoder, decode_audio, **_: reader(frames, decode_audio=decode_audio)  # noqa: E731
    module("pytorchvideo.data.encoded_video", EncodedVideo=types.SimpleNamespace(from_path=from_path))
    names = ("data", "models.imagebind_model", "models.multimodal_preprocessors")
    return types.SimpleNamespace(
        **{name.rpartition(".")[2]: importlib.import_module(f"imagebind.{name}") for name in names}
    )


def _functional(pytorchvideo: Path) -> types.ModuleType:
    file = pytorchvideo / "pytorchvideo/transforms/functional.py"
    spec = importlib.util.spec_from_file_location("functional", file)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def names_of_the_published(model: nn.Module) -> dict[str, Any]:
    """Name with `{}` for a block's number → [how many, shape]."""
    found: dict[str, Any] = {}
    for name, tensor in model.state_dict().items():
        pattern = re.sub(r"(?<=blocks\.)\d+", "{}", name)
        count, shape = found.setdefault(pattern, [0, list(tensor.shape)])
        assert shape == list(tensor.shape)
        found[pattern][0] = count + 1
    return found


def outputs(official: types.SimpleNamespace) -> dict[str, Any]:
    """What the narrow model computes: official name of the trunk, or "video" → (2, shared D)."""
    sizes = {}
    for trunk in ("vision", "text", "audio", "depth", "thermal", "imu"):
        block = formulas.TINY[f"{trunk}_config"]
        keys = {"embed_dim": "hidden_size", "num_blocks": "num_hidden_layers", "num_heads": "num_attention_heads"}
        sizes |= {f"{trunk}_{theirs}": block[ours] for theirs, ours in keys.items()}
    model = official.imagebind_model.ImageBindModel(out_embed_dim=formulas.TINY["projection_dim"], **sizes).eval()
    formulas.fill(model)
    given = formulas.inputs({"vocabulary": 49408})
    video = given.pop("video")
    with torch.inference_mode():
        made = model(given) | {"video": model({"vision": video})["vision"]}
    return {name: points.tolist() for name, points in made.items()}


def tokens(official: types.SimpleNamespace) -> list[list[int]]:
    """Ids of the texts by the official tokenizer, with a vocabulary of a few merges."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "merges.txt.gz"
        file.write_bytes(gzip.compress(("#version: 0.2\n" + "\n".join(formulas.MERGES)).encode()))
        tokenizer = official.multimodal_preprocessors.SimpleTokenizer(str(file))
        return [tokenizer(text).tolist() for text in formulas.TEXTS]


def sounds(official: types.SimpleNamespace) -> dict[str, Any]:
    """Spectrograms of the clips of recordings.

    The official code takes each clip's mean from the recording itself, so that clips that overlap change one another;
    every clip is given as a recording of its own here, cut at the times that the official code computes.
    """
    found = {}
    for seconds in (1.3, 2.0, 5.0, 9.25):
        samples = formulas.waveform(seconds)
        sampler = official.data.ConstantClipsPerVideoSampler(clip_duration=2, clips_per_video=3)
        times = official.data.get_clip_timepoints(sampler, len(samples) / formulas.SAMPLE_RATE_HZ)
        clips = [samples[int(a * formulas.SAMPLE_RATE_HZ) : int(b * formulas.SAMPLE_RATE_HZ)] for a, b in times]
        made = [official.data.load_and_transform_audio_data([clip], "cpu")[0, 0] for clip in clips]
        found[str(seconds)] = formulas.probe(torch.stack(made).numpy())
    return found


def pictures(official: types.SimpleNamespace) -> dict[str, Any]:
    """Pixel values of pictures."""
    found = {}
    for height, width in ((224, 224), (260, 300), (301, 227), (40, 31), (1, 1), (3, 50)):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "picture.png"
            Image.fromarray(formulas.film(1, height, width)[0]).save(file)
            made = official.data.load_and_transform_vision_data([str(file)], "cpu")[0]
        found[f"{height} x {width}"] = formulas.probe(made.numpy())
    return found


def videos(official: types.SimpleNamespace) -> dict[str, Any]:
    """Views of videos at 12.5 frames a second."""
    found = {}
    for frames, height, width in ((150, 30, 41), (50, 50, 36), (10, 33, 33)):
        made = official.data.load_and_transform_video_data([formulas.film(frames, height, width)], "cpu")[0]
        found[f"{frames} x {height} x {width}"] = formulas.probe(made.numpy())
    return found


def main() -> None:
    """Run the official code and write the numbers."""
    parser = argparse.ArgumentParser(description="Write the golden numbers of ImageBind.")
    parser.add_argument("imagebind", type=Path, help="a checkout of facebookresearch/ImageBind")
    parser.add_argument("pytorchvideo", type=Path, help="a checkout of facebookresearch/pytorchvideo")
    arguments = parser.parse_args()
    official = import_official(arguments.imagebind, arguments.pytorchvideo)
    published = names_of_the_published(official.imagebind_model.imagebind_huge())
    golden = {
        "names": published,
        "outputs": outputs(official),
        "tokens": tokens(official),
        "sounds": sounds(official),
        "kaldi": kaldi(80),
        "pictures": pictures(official),
        "videos": videos(official),
    }
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(_rounded(golden), indent=None, separators=(",", ":")) + "\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.8g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
