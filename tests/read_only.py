"""Folders that nobody may write to, not even root, as whom containers often run tests."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VERSION = 0x20080522
_DAC = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH (linux/capability.h)."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write from a folder and all in it, and from this thread the power to pass over that."""
    places = [folder, *folder.rglob("*")]
    modes = {place: place.stat().st_mode for place in places}
    libc = ctypes.CDLL(None, use_errno=True)
    header, before = _Header(_VERSION, 0), (_Data * 2)()
    assert libc.capget(ctypes.byref(header), before) == 0, os.strerror(ctypes.get_errno())
    without = (_Data * 2)(*(_Data(one.effective, one.permitted, one.inheritable) for one in before))
    without[0].effective &= ~_DAC
    for place in places:
        place.chmod(modes[place] & ~0o222)
    assert libc.capset(ctypes.byref(header), without) == 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        assert libc.capset(ctypes.byref(header), before) == 0, os.strerror(ctypes.get_errno())
        for place in places:
            place.chmod(modes[place])
