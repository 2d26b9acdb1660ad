"""IP-Adapter: reference pictures as tokens beside those of the prompt. Ye et al. 2023."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.models.embeddings import ImageProjection, MultiIPAdapterImageProjection
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from modelsheet.base_models.ip_adapter import IpAdapterFiles
from modelsheet.diffusion.models.clip_encoders import clip_pixels
from modelsheet.errors import UnsafeModel

_HEADS = 16  # of OpenCLIP's ViT-H and ViT-bigG, with which all adapters were trained
_EMBEDDINGS = "vision_model.embeddings"
_LAYERS = "vision_model.encoder.layers"


class IpAdapter:
    """An adapter and its image encoder on a pipeline's UNet, which is as it was except where the
    adapter is `active`.
    """

    def __init__(self, files: IpAdapterFiles, pipeline: Any, device: torch.device) -> None:
        """Load both. Raises UnsafeModel: a file is damaged, or of another kind."""
        self._unet = unet = pipeline.unet
        try:
            self._image_encoder = _load_image_encoder(files.image_encoder)
            weights = _read_adapter(files.adapter)
            # Not load_ip_adapter, which would bring a LoRA under training to the UNet's precision.
            processors = unet._convert_ip_adapter_attn_to_diffusers([weights])
            projection = unet._convert_ip_adapter_image_proj_to_diffusers(weights["image_proj"])
            self._projection = MultiIPAdapterImageProjection([projection])
            self._attentions = [
                (module, processor)
                for name, module in unet.named_modules()
                if isinstance(processor := processors.get(f"{name}.processor"), torch.nn.Module)
            ]
            for each in (self._image_encoder, self._projection, *dict(self._attentions).values()):
                each.requires_grad_(False).eval().to(device, unet.dtype)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise UnsafeModel(
                f"{files.adapter.name} or {files.image_encoder.name} cannot be read as an "
                f"IP-Adapter and its image encoder ({error}). Get them again."
            ) from error
        self._device = device

    @torch.no_grad()
    def encode(self, pictures: Sequence[torch.Tensor]) -> torch.Tensor:
        """Encode pictures (3, H, W) in [-1, 1] to embeddings (2, pictures, ...): of the pictures,
        and of none, for negative prompts.
        """
        side = int(self._image_encoder.config.image_size)
        pixels = clip_pixels(pictures, side, self._device).to(self._unet.dtype)
        layer = self._projection.image_projection_layers[0]
        if isinstance(layer, ImageProjection):
            embeds = self._image_encoder(pixels).image_embeds
            return torch.stack([embeds, torch.zeros_like(embeds)])
        states = [self._last_but_one(each) for each in (pixels, torch.zeros_like(pixels))]
        return torch.stack(states)

    def _last_but_one(self, pixels: torch.Tensor) -> torch.Tensor:
        output = self._image_encoder(pixels, output_hidden_states=True)
        states: torch.Tensor = output.hidden_states[-2]
        return states

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let the UNet attend to pictures' embeddings while the block runs."""
        unet, plain = self._unet, [module.processor for module, _ in self._attentions]
        unet.encoder_hid_proj = self._projection
        unet.config.encoder_hid_dim_type = "ip_image_proj"
        for module, processor in self._attentions:
            module.set_processor(processor)
        try:
            yield
        finally:
            for (module, _), processor in zip(self._attentions, plain, strict=True):
                module.set_processor(processor)
            unet.encoder_hid_proj = None
            unet.config.encoder_hid_dim_type = None


def _read_adapter(file: Path) -> Mapping[str, Mapping[str, torch.Tensor]]:
    """Read a file's weights, by part and by name within it."""
    parts: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for key, value in load_file(file).items():
        part, _, name = key.partition(".")
        parts[part][name] = value
    return parts


def _load_image_encoder(file: Path) -> Any:
    """Load an image encoder from its file alone: the shapes of its weights say how it is built."""
    weights = load_file(file)
    patches = weights[f"{_EMBEDDINGS}.patch_embedding.weight"]
    places = len(weights[f"{_EMBEDDINGS}.position_embedding.weight"]) - 1
    layers = {key.split(".")[3] for key in weights if key.startswith(f"{_LAYERS}.")}
    config = CLIPVisionConfig(
        hidden_size=patches.shape[0],
        intermediate_size=len(weights[f"{_LAYERS}.0.mlp.fc1.bias"]),
        projection_dim=len(weights["visual_projection.weight"]),
        num_hidden_layers=len(layers),
        num_attention_heads=_HEADS,
        image_size=round(places**0.5) * patches.shape[-1],
        patch_size=patches.shape[-1],
        hidden_act="gelu",
    )
    encoder = CLIPVisionModelWithProjection(config)
    ignored = {f"{_EMBEDDINGS}.position_ids"}  # older files have them
    encoder.load_state_dict({k: v.float() for k, v in weights.items() if k not in ignored})
    return encoder
