"""Find weights that a single-file checkpoint lacks, by the names of its others.

Each layer group that a file has in part, it must have whole: a residual block, an attention, a
block of a text encoder. Names are those of the original (LDM) code.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

_BOTH = ("weight", "bias")


def _with_both(*modules: str) -> tuple[str, ...]:
    return tuple(f"{module}.{kind}" for module in modules for kind in _BOTH)


_UNET = r"model\.diffusion_model\.(?:input_blocks|output_blocks|middle_block)\.[\d.]+\."
_VAE = r"first_stage_model\.(?:encoder|decoder)\."
_CLIP_BLOCK = _with_both(
    *(f"self_attn.{name}_proj" for name in ("q", "k", "v", "out")),
    *("mlp.fc1", "mlp.fc2", "layer_norm1", "layer_norm2"),
)
_OPEN_CLIP_BLOCK = (
    *_with_both("ln_1", "ln_2", "mlp.c_fc", "mlp.c_proj", "attn.out_proj"),
    *("attn.in_proj_weight", "attn.in_proj_bias"),
)
# Beginnings of a group's names: a key that begins so and goes on with the second is of the group.
_GROUPS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(f"({group}){member}"), names)
    for group, member, names in (
        (
            _UNET,
            r"(?:in_layers|emb_layers|out_layers)\.",
            _with_both("in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0")
            + _with_both("out_layers.3"),
        ),
        (_UNET, r"(?:proj_in|proj_out|norm)\.", _with_both("norm", "proj_in", "proj_out")),
        (
            _UNET + r"transformer_blocks\.\d+\.",
            "",
            _with_both("norm1", "norm2", "norm3", "attn1.to_out.0", "attn2.to_out.0")
            + _with_both("ff.net.0.proj", "ff.net.2")
            + tuple(f"attn{one}.to_{what}.weight" for one in (1, 2) for what in "qkv"),
        ),
        (
            _VAE + r"(?:(?:down|up)\.\d\.block\.\d|mid\.block_[12])\.",
            "",
            _with_both("norm1", "conv1", "norm2", "conv2"),
        ),
        (_VAE + r"mid\.attn_1\.", "", _with_both("norm", "q", "k", "v", "proj_out")),
        (r".*\.encoder\.layers\.\d+\.", "(?:self_attn|mlp|layer_norm)", _CLIP_BLOCK),
        (r".*\.resblocks\.\d+\.", "", _OPEN_CLIP_BLOCK),
    )
)
_SINGLE = _with_both(
    *("model.diffusion_model.time_embed.0", "model.diffusion_model.time_embed.2"),
    *("model.diffusion_model.out.0", "model.diffusion_model.out.2"),
    *("first_stage_model.quant_conv", "first_stage_model.post_quant_conv"),
    *(
        f"first_stage_model.{part}.{name}"
        for part in ("encoder", "decoder")
        for name in ("conv_in", "norm_out", "conv_out")
    ),
    *(f"first_stage_model.encoder.down.{level}.downsample.conv" for level in range(3)),
    *(f"first_stage_model.decoder.up.{level}.upsample.conv" for level in (1, 2, 3)),
)
_VAE_BLOCKS = (
    *(f"first_stage_model.encoder.mid.{name}.norm" for name in ("block_1", "attn_1", "block_2")),
    *(f"first_stage_model.decoder.mid.{name}.norm" for name in ("block_1", "attn_1", "block_2")),
    *(f"first_stage_model.encoder.down.{i}.block.{j}.norm" for i in range(4) for j in range(2)),
    *(f"first_stage_model.decoder.up.{i}.block.{j}.norm" for i in range(4) for j in range(3)),
)
_DEPTH = re.compile(
    r"model\.diffusion_model\.((?:input_blocks|output_blocks|middle_block)\.\d+)\.?\d*"
    r"\.transformer_blocks\.(\d+)\.norm1\.weight"
)
# Transformer blocks of each level of the UNet, as in the standard models.
STANDARD_DEPTHS: Mapping[str, Mapping[str, int]] = {
    "sd15": {
        **{f"input_blocks.{index}": 1 for index in (1, 2, 4, 5, 7, 8)},
        "middle_block.1": 1,
        **{f"output_blocks.{index}": 1 for index in range(3, 12)},
    },
    "sdxl": {
        **dict.fromkeys(("input_blocks.4", "input_blocks.5"), 2),
        **dict.fromkeys(("input_blocks.7", "input_blocks.8", "middle_block.1"), 10),
        **{f"output_blocks.{index}": 10 if index < 3 else 2 for index in range(6)},
    },
}


def missing_weight(keys: Collection[str]) -> str:
    """Return the name of a weight that the checkpoint lacks, "" where none is known to."""
    return next(_missing(keys), "")


def transformer_depths(keys: Collection[str]) -> dict[str, int]:
    """Return how many transformer blocks each level of a checkpoint's UNet has."""
    depths: dict[str, int] = {}
    for key in keys:
        match = _DEPTH.fullmatch(key)
        if match:
            depths[match[1]] = max(depths.get(match[1], 0), int(match[2]) + 1)
    return depths


def _missing(keys: Collection[str]) -> Iterator[str]:
    yield from (key for key in _SINGLE if key not in keys)
    for pattern, names in _GROUPS:
        groups = {match[1] for match in map(pattern.match, keys) if match}
        yield from (
            f"{group}{name}"
            for group in sorted(groups)
            for name in names
            if group + name not in keys
        )
    for beginning in _VAE_BLOCKS:
        if not any(f"{beginning}{end}.weight" in keys for end in ("", "1")):
            yield f"{beginning}.weight"
