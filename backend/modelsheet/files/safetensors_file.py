"""Read and write safetensors files without torch: header and single tensors.

Every other kind of file is refused with a plain sentence. No code in a file is ever run.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelsheet.errors import UnsafeModel

Array = npt.NDArray[np.float32]
_MAX_HEADER_BYTES = 8 << 20  # SDXL has 0.4 MiB; metadata of trainers some MiB
_MAX_TENSORS = 50_000  # SDXL has 2,515, a LyCORIS of all its layers 12,000
_MAX_KEY_LENGTH = 512
_MAX_DIMENSIONS = 8
_MAX_ELEMENTS = 1 << 40  # of a tensor
_METADATA = "__metadata__"
_BYTES_OF = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
    **dict.fromkeys(("F8_E4M3FNUZ", "F8_E5M2FNUZ"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 8),
    "F4": 0.5,
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 0.75),
}
_NUMPY = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
_INTEGERS = {
    **{f"U{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"I{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
}
_DTYPE_NAMES = {"float16": "F16", "float32": "F32"}


@dataclass(frozen=True)
class TensorInfo:
    """Dtype and shape of one tensor; `start` and `end` in bytes from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class SafetensorsHeader:
    """Header of a safetensors file; `data_start` in bytes from the beginning of the file."""

    name: str
    entries: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]
    data_start: int

    def tensor(self, content: bytes, key: str, *, allow_integers: bool = False) -> Array:
        """Read one tensor of the file's content as fp32.

        Raises UnsafeModel: it is not floating-point, nor an allowed integer, or has NaN or infinite
        values.
        """
        entry = self.entries[key]
        first, last = self.data_start + entry.start, self.data_start + entry.end
        values = _floats(content[first:last], entry.dtype)
        if values is None and allow_integers and entry.dtype in _INTEGERS:
            values = np.frombuffer(content[first:last], _INTEGERS[entry.dtype]).astype(np.float32)
        if values is None:
            raise UnsafeModel(f"{self.name} holds {key!r} as {entry.dtype}, which is no LoRA's.")
        if not np.isfinite(values).all():
            raise UnsafeModel(
                f"{self.name} holds numbers that are none (NaN or infinite) in {key!r}: "
                "its training failed. Take an earlier version of it."
            )
        return values.reshape(entry.shape)


def read_header(path: Path) -> SafetensorsHeader:
    """Read and check a file's header. Raises UnsafeModel: not safetensors, or truncated."""
    try:
        size = path.stat().st_size
        if not path.is_file():  # a pipe or a device, which has no end
            raise UnsafeModel(f"{path} is no ordinary file. Name a .safetensors file.")
        with path.open("rb") as stream:
            beginning = stream.read(8)
            _check_beginning(beginning, path.name)
            (length,) = struct.unpack("<Q", beginning)
            _check_length(length, size, path.name)
            return _parsed(stream.read(length), size, path.name)
    except OSError as error:
        raise UnsafeModel(f"{path} cannot be read ({error.strerror}).") from None


def parse_header(content: bytes, name: str) -> SafetensorsHeader:
    """Read and check the header of a safetensors file in memory; `name` is for error sentences."""
    beginning = content[:8]
    _check_beginning(beginning, name)
    (length,) = struct.unpack("<Q", beginning)
    _check_length(length, len(content), name)
    return _parsed(content[8 : 8 + length], len(content), name)


def encode_safetensors(
    tensors: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]
) -> bytes:
    """Encode fp16 and fp32 arrays as a safetensors file; equal input gives equal bytes."""
    header: dict[str, object] = {_METADATA: dict(sorted(metadata.items()))} if metadata else {}
    blocks, position = [], 0
    for key in sorted(tensors):
        array = np.ascontiguousarray(tensors[key])
        blocks.append(array.tobytes())
        header[key] = {
            "dtype": _DTYPE_NAMES[array.dtype.name],
            "shape": list(tensors[key].shape),
            "data_offsets": [position, position + array.nbytes],
        }
        position += array.nbytes
    return encode_header(header) + b"".join(blocks)


def encode_header(fields: Mapping[str, object]) -> bytes:
    """Encode a header with its length, padded so that the tensors are aligned to 8 bytes."""
    encoded = json.dumps(fields, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    return struct.pack("<Q", len(encoded)) + encoded


def _check_beginning(beginning: bytes, name: str) -> None:
    if len(beginning) < 8:
        raise UnsafeModel(f"{name} is empty or cut off. Get the whole file again.")
    # A header of 640, 896, 1152 or 1408 bytes begins as a pickle, but goes on with zeros.
    is_pickle = beginning[0] == 0x80 and beginning[1] in range(2, 6) and any(beginning[2:])
    if beginning.startswith(b"PK") or is_pickle:
        raise UnsafeModel(
            f"{name} is a pickle, which can run programs when it is opened, whatever its name "
            "says. Get it as a true .safetensors file."
        )
    if beginning.startswith((b"version ", b"<!DOCTYP", b"<!doctyp", b"<html")):
        raise UnsafeModel(
            f"{name} is a text that stands for the file, not the weights. Download the file itself."
        )


def _check_length(length: int, size: int, name: str) -> None:
    if length > _MAX_HEADER_BYTES:
        raise UnsafeModel(f"{name} is no safetensors file, or it is damaged.")
    if length + 8 > size:
        raise UnsafeModel(f"{name} is cut off within its first part. Get the whole file again.")


def _parsed(header: bytes, size: int, name: str) -> SafetensorsHeader:
    data_start = 8 + len(header)
    try:
        fields = json.loads(header)
        metadata = {str(key): str(value) for key, value in fields.pop(_METADATA, {}).items()}
        if len(fields) > _MAX_TENSORS or any(len(key) > _MAX_KEY_LENGTH for key in fields):
            raise ValueError("it has more tensors, or longer names, than any model")
        entries = {key: _entry(field) for key, field in fields.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise UnsafeModel(f"{name} is no safetensors file, or its header is damaged.") from None
    _check_extent(entries, size - data_start, name)
    return SafetensorsHeader(name, entries, metadata, data_start)


def _entry(field: dict[str, Any]) -> TensorInfo:
    """Parse a tensor's description. Raises ValueError, TypeError, KeyError: it is none."""
    start, end = field["data_offsets"]
    shape = tuple(field["shape"])
    if len(shape) > _MAX_DIMENSIONS:
        raise ValueError("no tensor has so many dimensions")
    if not all(type(number) is int and number >= 0 for number in (start, end, *shape)):
        raise ValueError("offsets and shapes are whole numbers")
    if max(shape, default=0) > _MAX_ELEMENTS or math.prod(n or 1 for n in shape) > _MAX_ELEMENTS:
        raise ValueError("no tensor is so large")  # an empty one neither: numpy refuses its shape
    if end - start != math.prod(shape) * _BYTES_OF[field["dtype"]]:
        raise ValueError("the offsets do not fit the shape")
    return TensorInfo(field["dtype"], shape, start, end)


def _check_extent(entries: Mapping[str, TensorInfo], available: int, name: str) -> None:
    """Check that the tensors are contiguous and end where the file ends. Raises UnsafeModel."""
    position = 0
    for entry in sorted(entries.values(), key=lambda entry: (entry.start, entry.end)):
        if entry.start != position:
            raise UnsafeModel(f"{name} is no safetensors file, or its header is damaged.")
        position = entry.end
    if position > available:
        raise UnsafeModel(
            f"{name} is cut off: {position - available} of {position} bytes of weights are "
            "missing. Get the whole file again."
        )
    if position < available:
        raise UnsafeModel(f"{name} is damaged: it is longer than it says. Get it again.")


def _floats(block: bytes, dtype: str) -> Array | None:
    """Convert a tensor's bytes to fp32; None for a dtype that is not floating-point."""
    if dtype == "BF16":  # the upper half of an fp32
        return (np.frombuffer(block, "<u2").astype(np.uint32) << 16).view(np.float32)
    if dtype == "F8_E5M2":  # the upper half of an fp16
        return (np.frombuffer(block, "u1").astype("<u2") << 8).view("<f2").astype(np.float32)
    if dtype == "F8_E4M3":
        return _floats_of_e4m3(np.frombuffer(block, "u1"))
    if dtype not in _NUMPY:
        return None
    return np.frombuffer(block, _NUMPY[dtype]).astype(np.float32)


def _floats_of_e4m3(codes: npt.NDArray[np.uint8]) -> Array:
    """Convert 8-bit floats with 4 bits of exponent, which have no infinity (Micikevicius 2022)."""
    exponent, fraction = (codes >> 3) & 15, (codes & 7).astype(np.float32) / 8
    normal = np.ldexp(1 + fraction, exponent.astype(np.int32) - 7)
    magnitude = np.where(exponent > 0, normal, np.ldexp(fraction, -6))
    magnitude[(codes & 127) == 127] = np.nan
    signed: Array = np.where(codes & 128, -magnitude, magnitude).astype(np.float32)
    return signed
