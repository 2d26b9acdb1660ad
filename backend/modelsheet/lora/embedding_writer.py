"""Write the identifier's embedding as a textual-inversion file for ComfyUI, A1111 and Forge."""

from __future__ import annotations

from collections.abc import Mapping

from modelsheet.api.types import Family
from modelsheet.errors import InvalidRequest
from modelsheet.files.safetensors_file import Array, encode_safetensors

_KEYS: dict[Family, tuple[str, ...]] = {
    "sprite32": ("emb_params",),
    "sd15": ("emb_params",),
    "sdxl": ("clip_l", "clip_g"),
}


def write_embedding(embeddings: Mapping[str, Array], family: Family, subject: str) -> bytes:
    """Return the file's bytes. Raises InvalidRequest: the identifier's embedding was not learnt."""
    keys, vectors = (
        _KEYS.get(family, ("emb_params",)),
        [embeddings[key] for key in sorted(embeddings)],
    )
    if len(vectors) != len(keys):
        raise InvalidRequest(
            f"The identifier of {subject!r} was not learnt, so there is no embedding to export. "
            "Its LoRA is all there is."
        )
    named = zip(keys, vectors, strict=True)
    return encode_safetensors(
        {key: vector.reshape(1, -1) for key, vector in named}, {"name": subject}
    )
