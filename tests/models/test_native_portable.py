"""The compiled part for other processors than x86, tried with this one's compiler: exact sums, codes and attention.

What ARM's own instructions do is tried by hand, with a cross-compiler and an emulator, with dot products and without:

    aarch64-linux-gnu-gcc -O2 -static -ffp-contract=off -fno-math-errno -Isrc/tutti/models/layers/native \
        -o check tests/models/native_check.c -lm
    qemu-aarch64 -cpu cortex-a53 check && qemu-aarch64 -cpu cortex-a76 check
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "src/tutti/models/layers/native"


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no compiler")
def test_vectors_of_the_compiler_alone_give_the_same(tmp_path: Path) -> None:
    check = tmp_path / "check"
    flags = ["-O1", "-DPORTABLE_ONLY", "-ffp-contract=off", "-fno-math-errno", f"-I{NATIVE}"]
    subprocess.run(["cc", *flags, "-o", str(check), str(Path(__file__).with_name("native_check.c")), "-lm"], check=True)
    done = subprocess.run([str(check)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "right\n")
