"""Subject archives: export a subject to one file and import it in another Modelsheet.

A zip with subject.json, adapter.safetensors, and references/0.png, 1.png and so on. No code in a
file is ever run.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from PIL import Image

from modelsheet.api.types import ImageRef
from modelsheet.errors import InvalidRequest, UnsafeModel
from modelsheet.files.zip_archive import ZipError, open_zip
from modelsheet.imaging.rgba import decode_image, from_bgra, limit_sides, to_bgra
from modelsheet.lora.key_mapping import KeyLayout
from modelsheet.lora.reader import read_lora
from modelsheet.subjects.handles import require_handle
from modelsheet.subjects.record import RECORD, SubjectRecord
from modelsheet.subjects.store import ADAPTER

SUFFIX = ".modelsheet"
LARGEST_ARCHIVE = 384 << 20  # bytes
_LONGEST_SIDE = 1024  # px; no base model trains at more
_LARGEST_RECORD = 1 << 20  # bytes
_LARGEST_ADAPTER = 256 << 20  # bytes
_LARGEST_IMAGE = 8 << 20  # bytes; noise of 1024 x 1024 has 4 MiB
_MOST_WARNINGS = 900  # of at most 1000: the import may add some
_MOST_MEMBERS = 128  # there are 64 images at most
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # fixed, so that equal subjects give equal bytes
_COPY_NAMESPACE = uuid5(NAMESPACE_URL, "modelsheet:copies")


def write_archive(
    target: Path, record: SubjectRecord, adapter: bytes, images: Iterable[Image.Image]
) -> None:
    """Write an archive; `images` are the record's references, in their order.

    Raises InvalidRequest: the adapter is larger than an archive may hold.
    """
    if len(adapter) > _LARGEST_ADAPTER:
        raise InvalidRequest(
            f"@{record.handle} has an adapter of more than {_LARGEST_ADAPTER >> 20} MiB, too large "
            "for a subject's file. Export it as a LoRA file instead."
        )
    references = []
    with zipfile.ZipFile(target, "w") as archive:
        for number, (image, reference) in enumerate(zip(images, record.references, strict=True)):
            scaled = limit_sides(image, _LONGEST_SIDE)
            sha256 = hashlib.sha256(to_bgra(scaled)).hexdigest()
            size = {"width": scaled.width, "height": scaled.height}
            references.append(reference.model_copy(update={"blob": sha256, **size}))
            _add(archive, _image_name(number), _as_png(scaled), zipfile.ZIP_STORED)
        exported = record.model_copy(update={"references": references, "owner": ""})
        # Version 0.1 reads archives without `is_imported`.
        content = exported.model_dump_json(indent=1, exclude={"is_imported"})
        _add(archive, ADAPTER, adapter, zipfile.ZIP_STORED)  # floats do not compress
        _add(archive, RECORD, content.encode(), zipfile.ZIP_DEFLATED)


class SubjectArchive:
    """An opened subject archive, checked as far as possible without its base model.

    Raises UnsafeModel: damaged, or no subject archive.
    """

    def __init__(self, content: bytes) -> None:
        limits = {"max_members": _MOST_MEMBERS, "max_bytes": LARGEST_ARCHIVE}
        try:
            with open_zip(content, **limits) as archive:
                self.record = _parsed(archive.read(RECORD, _LARGEST_RECORD))
                self._adapter = archive.read(ADAPTER, _LARGEST_ADAPTER)
                self._encoded = [
                    archive.read(_image_name(number), _LARGEST_IMAGE)
                    for number in range(len(self.record.references))
                ]
        except ZipError as error:
            raise UnsafeModel(
                f"The file is no subject of Modelsheet, or damaged ({error})."
            ) from None
        if hashlib.sha256(self._adapter).hexdigest() != self.record.adapter_sha256:
            raise UnsafeModel("The file is damaged: its adapter is not what was learnt.")
        require_handle(self.record.name)

    def images(self) -> Iterator[bytes]:
        """Yield the references as BGRA8, decoded one by one.

        Raises InvalidImages; UnsafeModel: they are not the images that were learnt.
        """
        for encoded, reference in zip(self._encoded, self.record.references, strict=True):
            image = decode_image(
                encoded, "a reference", formats=("PNG",), largest_side=_LONGEST_SIDE
            )
            pixels = to_bgra(image)
            sha256 = hashlib.sha256(pixels).hexdigest()
            if (sha256, *image.size) != (reference.blob, reference.width, reference.height):
                raise UnsafeModel("The file is damaged: its pictures are not what was learnt.")
            yield pixels

    def check_adapter(self, layout: KeyLayout) -> None:
        """Raise UnsafeModel: it was not learnt on the base model of this key layout."""
        read_lora(self._adapter, layout, f"@{self.record.handle}")

    def write_adapter(self, staging: Path) -> None:
        """Write the adapter into a staging folder."""
        (staging / ADAPTER).write_bytes(self._adapter)


def _parsed(content: bytes) -> SubjectRecord:
    """Validate a record of a stranger. Raises UnsafeModel: what it says cannot be stored."""
    try:
        record = SubjectRecord.model_validate_json(content)
        is_ours = str(UUID(record.id)) == record.id
    except ValueError as error:  # a ValidationError too
        raise UnsafeModel("The file's subject is damaged, or of a newer version.") from error
    if not is_ours or not record.identifier.strip() or not record.class_noun.strip():
        raise UnsafeModel("The file's subject is damaged, or of a newer version.")
    return record.model_copy(update={"warnings": record.warnings[:_MOST_WARNINGS]})


def copy_id(subject_id: str, owner: str) -> str:
    """Return the id of an owner's own copy of a subject that belongs to another owner here."""
    return str(uuid5(_COPY_NAMESPACE, f"{subject_id}:{owner}"))


def reference_image(pixels: bytes, reference: ImageRef) -> Image.Image:
    """Decode the BGRA8 pixels of a reference."""
    return from_bgra(pixels, reference.width, reference.height)


def _as_png(image: Image.Image) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, "PNG")
    return encoded.getvalue()


def _image_name(number: int) -> str:
    return f"references/{number}.png"


def _add(archive: zipfile.ZipFile, name: str, content: bytes, method: int) -> None:
    archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), content, method)
