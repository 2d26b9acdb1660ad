"""Subject archives: export a subject to one file and import it in another Modelsheet.

A zip with subject.json, adapter.safetensors, and references/0.png, 1.png and so on. No code in a
file is ever run.
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
from modelsheet.files.zip_errors import DAMAGED_ZIP_ERRORS
from modelsheet.imaging.rgba import decode_image, from_bgra, resize, to_bgra
from modelsheet.lora.key_mapping import KeyLayout
from modelsheet.lora.reader import read_lora
from modelsheet.subjects.handles import require_handle
from modelsheet.subjects.store import (
    ADAPTER,
    RECORD,
    SubjectRecord,
    SubjectStore,
    identifier_warnings,
    write_record,
)

SUFFIX = ".modelsheet"
_LONGEST_SIDE = 1024  # px; no base model trains at more
_LARGEST_RECORD = 4 << 20  # bytes
_LARGEST_ADAPTER = 2 << 30  # bytes
_LARGEST_IMAGE = 16 << 20  # bytes
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # fixed, so that equal subjects give equal bytes
_COPY_NAMESPACE = uuid5(NAMESPACE_URL, "modelsheet:copies")


def export_archive(record: SubjectRecord, adapter: bytes, images: list[Image.Image]) -> bytes:
    """Return the archive's bytes; `images` are the record's references, in their order."""
    scaled = [_scaled_down(image) for image in images]
    references = [
        ImageRef(
            blob=hashlib.sha256(to_bgra(image)).hexdigest(),
            width=image.width,
            height=image.height,
            name=reference.name,
        )
        for image, reference in zip(scaled, record.references, strict=True)
    ]
    exported = record.model_copy(update={"references": references, "owner": ""})
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        # Version 0.1 reads archives without `is_imported`.
        content_of_record = exported.model_dump_json(indent=1, exclude={"is_imported"})
        _add(archive, RECORD, content_of_record.encode(), zipfile.ZIP_DEFLATED)
        _add(archive, ADAPTER, adapter, zipfile.ZIP_STORED)  # floats do not compress
        for number, image in enumerate(scaled):
            _add(archive, _image_name(number), _as_png(image), zipfile.ZIP_STORED)
    return content.getvalue()


class SubjectArchive:
    """An opened subject archive, checked as far as possible without its base model.

    Raises UnsafeModel: damaged, or no subject archive.
    """

    def __init__(self, content: bytes) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                self.record = SubjectRecord.model_validate_json(
                    _read_entry(archive, RECORD, _LARGEST_RECORD)
                )
                self.adapter = _read_entry(archive, ADAPTER, _LARGEST_ADAPTER)
                self._encoded = [
                    _read_entry(archive, _image_name(number), _LARGEST_IMAGE)
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

    def images(self) -> list[bytes]:
        """Return the references as BGRA8.

        Raises InvalidImages; UnsafeModel: they are not the images that were learnt.
        """
        decoded = [to_bgra(decode_image(one, "a reference")) for one in self._encoded]
        for pixels, reference in zip(decoded, self.record.references, strict=True):
            if hashlib.sha256(pixels).hexdigest() != reference.blob:
                raise UnsafeModel("The file is damaged: its pictures are not what was learnt.")
        return decoded

    def publish(self, store: SubjectStore, layout: KeyLayout, subject_id: str, owner: str) -> None:
        """Publish the archive's subject as that owner's.

        Raises UnsafeModel: it was not learnt on the base model of this key layout.
        """
        read_lora(self.adapter, layout, f"@{self.record.handle}")
        staging = store.stage(subject_id)
        try:
            (staging / ADAPTER).write_bytes(self.adapter)
            record = self.record.model_copy(
                update={"id": subject_id, "owner": owner, "is_imported": True}
            )
            warnings = dict.fromkeys([*record.warnings, *identifier_warnings(record, store.list())])
            write_record(staging, record.model_copy(update={"warnings": [*warnings]}))
            store.publish(staging, subject_id, owner)
        finally:
            shutil.rmtree(staging, ignore_errors=True)  # already renamed if published


def copy_id(subject_id: str, owner: str) -> str:
    """Return the id of an owner's own copy of a subject that belongs to another owner here."""
    return str(uuid5(_COPY_NAMESPACE, f"{subject_id}:{owner}"))


def reference_image(pixels: bytes, reference: ImageRef) -> Image.Image:
    """Decode the BGRA8 pixels of a reference."""
    return from_bgra(pixels, reference.width, reference.height)


def _scaled_down(image: Image.Image) -> Image.Image:
    factor = max(image.size) / _LONGEST_SIDE
    if factor <= 1:
        return image
    width, height = (max(1, round(side / factor)) for side in image.size)
    return resize(image, width, height)


def _as_png(image: Image.Image) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, "PNG")
    return encoded.getvalue()


def _image_name(number: int) -> str:
    return f"references/{number}.png"


def _add(archive: zipfile.ZipFile, name: str, content: bytes, method: int) -> None:
    archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), content, method)


def _read_entry(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Decompress one entry in memory. Raises UnsafeModel: missing, or too large."""
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise UnsafeModel(f"The file is no whole subject: it lacks {name}.") from None
    if entry.file_size > limit:
        raise UnsafeModel(f"The file's {name} unpacks to more than {limit} bytes; that is refused.")
    return archive.read(entry)
