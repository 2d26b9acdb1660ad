"""A whole subject in one file, to go from one Modelsheet to another: what is known of it, its
adapter, and the pictures it was learnt from. No torch; nothing in a file is ever run.

A zip with subject.json, adapter.safetensors, and references/0.png, 1.png and so on.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from uuid import NAMESPACE_URL, UUID, uuid5

from PIL import Image
from pydantic import ValidationError

from modelsheet.api.types import ImageRef
from modelsheet.errors import UnsafeModel
from modelsheet.files.zip_archive import DAMAGED_ZIP_ERRORS
from modelsheet.imaging.rgba import decode_image, from_bgra, resize, to_bgra
from modelsheet.lora.key_mapping import KeyLayout
from modelsheet.lora.reader import read_lora
from modelsheet.subjects.store import (
    ADAPTER,
    RECORD,
    SubjectRecord,
    SubjectStore,
    require_handle,
    write_record,
)

SUFFIX = ".modelsheet"
_LONGEST_SIDE = 1024  # px; no base learns from more
_LARGEST_RECORD = 4 << 20  # bytes, as below
_LARGEST_ADAPTER = 2 << 30
_LARGEST_PICTURE = 16 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # equal subjects give equal bytes
_COPIES = uuid5(NAMESPACE_URL, "modelsheet:copies")


def export_archive(record: SubjectRecord, adapter: bytes, pictures: list[Image.Image]) -> bytes:
    """Return the file's bytes. `pictures` belong to the record's references, in their order."""
    reduced = [_reduced(picture) for picture in pictures]
    references = [
        ImageRef(
            blob=hashlib.sha256(to_bgra(picture)).hexdigest(),
            width=picture.width,
            height=picture.height,
            name=reference.name,
        )
        for picture, reference in zip(reduced, record.references, strict=True)
    ]
    told = record.model_copy(update={"references": references, "owner": ""})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        _add(archive, RECORD, told.model_dump_json(indent=1).encode(), zipfile.ZIP_DEFLATED)
        _add(archive, ADAPTER, adapter, zipfile.ZIP_STORED)  # numbers that do not compress
        for number, picture in enumerate(reduced):
            _add(archive, _picture_name(number), _as_png(picture), zipfile.ZIP_STORED)
    return packed.getvalue()


class SubjectArchive:
    """A file that came from elsewhere, opened and checked as far as it can be without its base.

    Raises UnsafeModel: it is no whole subject.
    """

    def __init__(self, content: bytes) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                self.record = SubjectRecord.model_validate_json(
                    _entry(archive, RECORD, _LARGEST_RECORD)
                )
                self.adapter = _entry(archive, ADAPTER, _LARGEST_ADAPTER)
                self._encoded = [
                    _entry(archive, _picture_name(number), _LARGEST_PICTURE)
                    for number in range(len(self.record.references))
                ]
            if str(UUID(self.record.id)) != self.record.id:
                raise ValueError("no id of ours")
        except (*DAMAGED_ZIP_ERRORS, OSError) as error:
            raise UnsafeModel("The file is no subject of Modelsheet, or damaged.") from error
        except (ValidationError, ValueError) as error:
            raise UnsafeModel("The file's subject is damaged, or of a newer version.") from error
        if hashlib.sha256(self.adapter).hexdigest() != self.record.adapter_sha256:
            raise UnsafeModel("The file is damaged: its adapter is not what was learnt.")
        require_handle(self.record.name)

    def pictures(self) -> list[bytes]:
        """The references as BGRA8. Raises InvalidImages; UnsafeModel: they are other pictures."""
        shown = [to_bgra(decode_image(one, "a reference")) for one in self._encoded]
        for pixels, reference in zip(shown, self.record.references, strict=True):
            if hashlib.sha256(pixels).hexdigest() != reference.blob:
                raise UnsafeModel("The file is damaged: its pictures are not what was learnt.")
        return shown

    def publish(self, store: SubjectStore, layout: KeyLayout, subject_id: str, owner: str) -> None:
        """Make it that owner's subject. Raises UnsafeModel: it was not learnt on this base."""
        read_lora(self.adapter, layout, f"@{self.record.handle}")
        staging = store.stage(subject_id)
        try:
            (staging / ADAPTER).write_bytes(self.adapter)
            write_record(staging, self.record.model_copy(update={"id": subject_id}))
            store.publish(staging, subject_id, owner)
        finally:
            shutil.rmtree(staging, ignore_errors=True)  # published, it has another name


def copy_id(subject_id: str, owner: str) -> str:
    """The id for an artist's own copy of a subject that somebody else has on the same machine."""
    return str(uuid5(_COPIES, f"{subject_id}:{owner}"))


def reference_image(pixels: bytes, reference: ImageRef) -> Image.Image:
    return from_bgra(pixels, reference.width, reference.height)


def _reduced(picture: Image.Image) -> Image.Image:
    factor = max(picture.size) / _LONGEST_SIDE
    if factor <= 1:
        return picture
    width, height = (max(1, round(side / factor)) for side in picture.size)
    return resize(picture, width, height)


def _as_png(picture: Image.Image) -> bytes:
    encoded = io.BytesIO()
    picture.save(encoded, "PNG")
    return encoded.getvalue()


def _picture_name(number: int) -> str:
    return f"references/{number}.png"


def _add(archive: zipfile.ZipFile, name: str, content: bytes, method: int) -> None:
    archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, method)


def _entry(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Unpack one entry in memory. Raises UnsafeModel: it is not there, or far too large."""
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise UnsafeModel(f"The file is no whole subject: it lacks {name}.") from None
    if entry.file_size > limit:
        raise UnsafeModel(f"The file's {name} unpacks to more than {limit} bytes; that is refused.")
    return archive.read(entry)
