"""Read the embedding of a LoRA's trigger word that is bundled with it in one file.

Keys are as in LyCORIS: bundle_emb.NAME. and a textual inversion's own key.
"""

from __future__ import annotations

from modelsheet.errors import UnsafeModel
from modelsheet.files.safetensors_file import Array, SafetensorsHeader
from modelsheet.lora.key_mapping import TEXT_ENCODER, TEXT_ENCODER_2, KeyLayout
from modelsheet.lora.layer_shapes import LayerKey

BUNDLE = "bundle_emb."


def read_bundled_embedding(
    header: SafetensorsHeader, content: bytes, layout: KeyLayout
) -> list[Array]:
    """Return the embedding's vector for each text encoder of the base; empty where there is none.

    Raises UnsafeModel: it is of another base model, or of several tokens.
    """
    keys = sorted(  # clip_l before clip_g, which is the second text encoder's
        (key for key in header.entries if key.startswith(BUNDLE)), key=lambda key: key[-1] == "g"
    )
    vectors = [header.tensor(content, key) for key in keys]
    if any(vector.size != vector.shape[-1] for vector in vectors if vector.ndim):
        raise UnsafeModel(
            f"The embedding beside {header.name} is of several tokens, and a subject's identifier "
            "is one. Take the LoRA alone."
        )
    widths = [vector.size for vector in vectors]
    if vectors and widths != _widths(layout):
        raise UnsafeModel(
            f"The embedding beside {header.name} has the widths {widths}, where those of this base "
            f"model are {_widths(layout)}. Name the base model that both were made for."
        )
    return [vector.reshape(-1) for vector in vectors]


def _widths(layout: KeyLayout) -> list[int]:
    keys = [
        LayerKey(component, "encoder.layers.0.self_attn.q_proj")
        for component in (TEXT_ENCODER, TEXT_ENCODER_2)
    ]
    return [layout.shapes[key].columns for key in keys if key in layout.shapes]
