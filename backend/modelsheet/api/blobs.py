"""Blobs: bytes stored under their sha256."""

from __future__ import annotations

from modelsheet.api.types import ApiModel, Count, Sha256


class BlobView(ApiModel):
    """A stored blob; `size` in bytes."""

    sha256: Sha256
    size: Count
