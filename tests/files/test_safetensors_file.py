"""The reader of safetensors files agrees with the library, and names what is wrong with a file."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from modelsheet.errors import UnsafeModel
from modelsheet.files.safetensors_file import encode_safetensors, parse_header, read_header

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(1.5)}
WHOLE = save(TENSORS, {"who": "me"})


def with_header(fields: object, data: bytes = b"") -> bytes:
    header = json.dumps(fields).encode()
    return struct.pack("<Q", len(header)) + header + data


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_it_reads_what_the_library_wrote(dtype: torch.dtype) -> None:
    values = torch.tensor([[0.0, -1.5], [3.140625, 65504.0]]).to(dtype)
    content = save({"x": values, "other": torch.zeros(3, dtype=torch.int64)})

    read = parse_header(content, "file").tensor(content, "x")

    np.testing.assert_array_equal(read, values.float().numpy())


def test_the_library_reads_what_it_wrote() -> None:
    arrays = {"x": np.ones((2, 2), np.float16), "y": np.array(4, np.float32)}

    read = load(encode_safetensors(arrays, {"k": "v"}))

    assert {key: (value.dtype, value.shape) for key, value in read.items()} == {
        "x": (torch.float16, (2, 2)),
        "y": (torch.float32, ()),
    }
    assert parse_header(encode_safetensors(arrays, {"k": "v"}), "file").metadata == {"k": "v"}


@pytest.mark.parametrize(("dtype", "size"), [("F8_E8M0", 8), ("F4", 4), ("F6_E2M3", 6)])
def test_newer_types_are_known_though_no_lora_has_them(dtype: str, size: int) -> None:
    fields = {"x": {"dtype": dtype, "shape": [8], "data_offsets": [0, size]}}
    content = with_header(fields, bytes(size))

    with pytest.raises(UnsafeModel, match=f"holds 'x' as {dtype}, which is no LoRA's"):
        parse_header(content, "file").tensor(content, "x")


def entry(**more: object) -> dict[str, object]:
    return {"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **more}}


DAMAGED = {
    "empty": (b"", "is empty or cut off"),
    "short": (b"abc", "is empty or cut off"),
    "zip of a pickle": (b"PK\x03\x04" + b"\0" * 60, "is a pickle"),
    "pickle": (b"\x80\x02}q\x00." + b"\0" * 60, "is a pickle"),
    "LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "a text that stands for"),
    "web page": (b"<!DOCTYPE html><html>", "a text that stands for"),
    "huge header": (struct.pack("<Q", 1 << 60) + b"{}", "is no safetensors file"),
    "cut in the header": (WHOLE[:40], "is cut off within its first part"),
    "cut in the weights": (WHOLE[:-5], "is cut off: 5 of 28 bytes"),
    "too long": (WHOLE + b"x", "longer than it says"),
    "no JSON": (struct.pack("<Q", 4) + b"oops", "its header is damaged"),
    "a list": (with_header([1]), "its header is damaged"),
    "no offsets": (with_header({"x": {}}), "its header is damaged"),
    "other size": (with_header(entry(shape=[2]), b"1234"), "its header is damaged"),
    "unknown kind": (with_header(entry(dtype="F99"), b"1234"), "its header is damaged"),
    "negative": (with_header(entry(data_offsets=[-4, 0]), b"1234"), "its header is damaged"),
    "a hole": (with_header(entry(data_offsets=[4, 8]), b"12345678"), "its header is damaged"),
    "many dimensions": (
        with_header(entry(shape=[2**63 - 1] * 80_000, data_offsets=[0, 0])),
        "its header is damaged",
    ),
    "a huge dimension": (
        with_header(entry(shape=[0, 2**63 - 1], data_offsets=[0, 0])),
        "its header is damaged",
    ),
    "a huge empty tensor": (
        with_header(entry(shape=[0, 2**40, 2**40], data_offsets=[0, 0])),
        "its header is damaged",
    ),
    "truth for a number": (
        with_header(entry(shape=[True], data_offsets=[0, 4]), b"1234"),
        "its header is damaged",
    ),
    "many empty tensors": (
        with_header(
            {f"t{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(60_000)}
        ),
        "its header is damaged",
    ),
    "a name of a megabyte": (
        with_header({"n" * 2**20: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}),
        "its header is damaged",
    ),
    "a header of 9 MiB": (
        struct.pack("<Q", 9 << 20) + b" " * (9 << 20),
        "is no safetensors file",
    ),
    "deep": (struct.pack("<Q", 200_000) + b"[" * 200_000, "its header is damaged"),
}


@pytest.mark.parametrize(("content", "sentence"), DAMAGED.values(), ids=DAMAGED)
def test_what_is_wrong_is_said_of_bytes_and_of_files(
    content: bytes, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "thing.safetensors"
    path.write_bytes(content)

    for attempt in (lambda: parse_header(content, path.name), lambda: read_header(path)):
        with pytest.raises(UnsafeModel, match=sentence) as refused:
            attempt()
        assert str(refused.value).startswith("thing.safetensors ")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnsafeModel, match="cannot be read"):
        read_header(tmp_path / "none.safetensors")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")

    with pytest.raises(UnsafeModel, match="is no ordinary file"):
        read_header(tmp_path / "pipe.safetensors")


@pytest.mark.parametrize("length", [640, 896, 1152, 1408])
def test_a_header_whose_length_looks_like_a_pickles_mark_is_read(length: int) -> None:
    tensors = {"x": np.ones(1, np.float32)}
    plain = encode_safetensors(tensors, {"filling": ""})
    filling = length - int.from_bytes(plain[:8], "little")

    content = encode_safetensors(tensors, {"filling": "x" * filling})

    assert content[:2] == bytes((0x80, length >> 8))
    assert parse_header(content, "file").entries
