"""Compiles `tutti/models/layers/native/products.c` for the wheel or in place; without a compiler, it is left out.

python hatch_build.py      # in place, for a checkout that is installed already
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # built in place, where hatchling need not be installed
    BuildHookInterface = object  # type: ignore[assignment,misc]

SOURCE = Path(__file__).parent / "src/tutti/models/layers/native/products.c"
FLAGS = ("-O3", "-fPIC", "-shared", "-ffp-contract=off", "-fno-math-errno")


def build() -> Path | None:
    """The compiled part beside its source; None, and the reason on stderr, where it cannot be built."""
    built = SOURCE.with_name("libproducts.so.1")
    fresh = built.with_suffix(f".{os.getpid()}")
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "aarch64"):
        return None
    try:
        command = (os.environ.get("CC", "cc"), *FLAGS, "-o", str(fresh), str(SOURCE), "-lm")
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)  # noqa: S603 - the user's own
        fresh.replace(built)  # at once: a process may have the old one open
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().split("\n")[-1]
        sys.stderr.write(f"Tutti is installed without its compiled part, which makes it faster: {said}\n")
        built.unlink(missing_ok=True)
        return None
    return built


class CompiledPart(BuildHookInterface):  # type: ignore[type-arg,misc]
    """Called by hatchling for a wheel, an editable one included."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and put what was built into the wheel, which is then for this platform only."""
        built = build()
        if built is None:
            return
        build_data["pure_python"], build_data["tag"] = False, f"py3-none-{_platform()}"
        if version != "editable":
            build_data["force_include"][str(built)] = "tutti/models/layers/native/libproducts.so.1"


def _platform() -> str:
    import sysconfig

    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


if __name__ == "__main__":
    sys.exit(build() is None)
