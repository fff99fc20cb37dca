"""What `forms.h` declares, for ctypes; fields are explained there."""

from __future__ import annotations

import ctypes
from typing import ClassVar

POINTER, SIZE, SMALL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
FLOAT32, INT8, INT4 = 0, 1, 2
BLOCK = 64
"""Rows of a matrix that lie together."""


class MatrixForm(ctypes.Structure):
    """A matrix (N, K)."""

    _fields_: ClassVar = [
        *[(name, SIZE) for name in ("n", "k")],
        *[(name, POINTER) for name in ("weight", "factor", "bias")],
        *[(name, SMALL) for name in ("kind", "group")],
        ("changes", POINTER), ("changed", SIZE),
    ]  # fmt: skip


class ChangeForm(ctypes.Structure):
    """What adapters add to some neighbouring rows of a matrix."""

    _fields_: ClassVar = [
        *[(name, SIZE) for name in ("first", "n")],
        *[(name, POINTER) for name in ("down", "up", "ends")],
    ]


class LayerForm(ctypes.Structure):
    """A block of a decoder."""

    _fields_: ClassVar = [
        ("inputs", MatrixForm * 3), ("output", MatrixForm), ("gates", MatrixForm * 2), ("down", MatrixForm),
        ("norms", POINTER * 2), ("window", SIZE),
    ]  # fmt: skip


class DecoderForm(ctypes.Structure):
    """All blocks."""

    _fields_: ClassVar = [
        *[(name, POINTER) for name in ("layers", "norm", "frequencies")],
        *[(name, SIZE) for name in ("count", "width", "inner", "heads", "kv_heads", "head_width")],
        ("eps", ctypes.c_float), ("levels", SMALL),
    ]  # fmt: skip


class StepForm(ctypes.Structure):
    """A step."""

    _fields_: ClassVar = [
        *[(name, POINTER) for name in ("x", "positions", "slots", "keys", "values")],
        *[(name, POINTER) for name in ("places", "starts", "contexts", "scratch", "adapters")],
        *[(name, SIZE) for name in ("rows", "capacity", "longest", "chained")],
        ("asked", POINTER), ("asked_rows", SIZE),
    ]  # fmt: skip


class TrunkForm(ctypes.Structure):
    """A block of a trunk."""

    _fields_: ClassVar = [
        ("inputs", MatrixForm * 3), *[(name, MatrixForm) for name in ("output", "first", "second")],
        ("norms", POINTER * 2), ("shifts", POINTER * 2),
        *[(name, SIZE) for name in ("width", "inner", "heads", "activation")],
        ("eps", ctypes.c_float), ("levels", SMALL),
    ]  # fmt: skip


def declare(library: ctypes.CDLL) -> None:
    """Tell ctypes what the functions take.

    Raises:
        AttributeError: It was built from another source, whose forms have other sizes, or lacks a function.
    """
    whole = ctypes.c_int
    library.tutti_form_bytes.restype = SIZE
    forms = (MatrixForm, ChangeForm, LayerForm, DecoderForm, StepForm, TrunkForm)
    if library.tutti_form_bytes() != sum(map(ctypes.sizeof, forms)):
        raise AttributeError("the compiled part is of another version")
    library.tutti_codes.argtypes = [whole, whole, POINTER, SIZE, SIZE, POINTER, POINTER]
    library.tutti_product.argtypes = [whole, POINTER, *[SIZE] * 3, *[POINTER] * 3]
    library.tutti_use_openmp.argtypes = [POINTER] * 4
    library.tutti_use_openmp.restype = None
    library.tutti_multiply.argtypes = [whole, whole, whole, POINTER, POINTER, SIZE, POINTER]
    library.tutti_step_bytes.argtypes = [whole, POINTER, SIZE, SIZE]
    library.tutti_step_bytes.restype = SIZE
    library.tutti_trunk_bytes.argtypes = [whole, POINTER, SIZE, SIZE]
    library.tutti_trunk_bytes.restype = SIZE
    library.tutti_trunk.argtypes = [whole, whole, POINTER, POINTER, SIZE, SIZE, POINTER]
    library.tutti_step.argtypes = [whole, whole, POINTER, POINTER]
    library.tutti_order8.argtypes = [POINTER, SIZE, SIZE, POINTER]
    library.tutti_order4.argtypes = [POINTER, *[SIZE] * 4, POINTER]
    library.tutti_order8.restype = library.tutti_order4.restype = None
