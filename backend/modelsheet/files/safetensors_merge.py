"""Merge two safetensors files without reading their tensors."""

from __future__ import annotations

from modelsheet.files.safetensors_file import SafetensorsHeader, encode_header


def merge_safetensors(
    first: SafetensorsHeader, content: bytes, second: SafetensorsHeader, more: bytes, prefix: str
) -> bytes:
    """Return the first file with all tensors of the second, whose keys get this prefix.

    The metadata is the first one's.
    """
    size = len(content) - first.data_start
    fields: dict[str, object] = {"__metadata__": dict(first.metadata)} if first.metadata else {}
    for header, start, beginning in ((first, 0, ""), (second, size, prefix)):
        for key, entry in header.entries.items():
            fields[beginning + key] = {
                "dtype": entry.dtype,
                "shape": entry.shape,
                "data_offsets": [start + entry.start, start + entry.end],
            }
    return encode_header(fields) + content[first.data_start :] + more[second.data_start :]
