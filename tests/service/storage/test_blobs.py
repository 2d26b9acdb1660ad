"""Blobs are whole, named by their content, and swept only when nobody needs them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from modelsheet.errors import Conflict, NotFound
from modelsheet.service.storage.blobs import BlobStore


def test_a_blob_is_found_under_its_sha256(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    sha256 = store.write(b"pixels")

    assert sha256 == hashlib.sha256(b"pixels").hexdigest()
    assert (store.read(sha256), store.size(sha256)) == (b"pixels", 6)


def test_a_wrong_name_stores_nothing(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)

    with pytest.raises(Conflict):
        store.put("0" * 64, b"pixels")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["../../etc/passwd", "A" * 64, "0" * 63, ""])
def test_only_a_sha256_is_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        BlobStore(tmp_path).read(name)


def test_a_truncated_blob_is_mended_by_sending_it_again(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    sha256 = store.write(b"pixels")
    next(tmp_path.rglob(sha256)).write_bytes(b"pix")

    store.put(sha256, b"pixels")

    assert store.read(sha256) == b"pixels"


def test_the_sweep_spares_what_is_young_or_in_use(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    young, used, old = store.write(b"young"), store.write(b"used"), store.write(b"old")
    for sha256 in (used, old):
        os.utime(next(tmp_path.rglob(sha256)), (0, 0))

    assert store.sweep({used}, older_than_s=60) == 1

    assert [store.size(sha256) for sha256 in (young, used, old)] == [5, 4, None]
