"""The layers of Stable Diffusion's networks that get a LoRA, by the ends of their names."""

from __future__ import annotations

from modelsheet.diffusion.models.hyperparameters import AdapterShape

_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
_FEED_FORWARD = ("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")
_CONVOLUTIONS = ("conv1", "conv2", "conv_shortcut")
_TEXT_ATTENTION = ("q_proj", "k_proj", "v_proj", "out_proj")
_TEXT_FEED_FORWARD = ("fc1", "fc2")


def unet_layers(shape: AdapterShape) -> tuple[str, ...]:
    layers = _ATTENTION + (_FEED_FORWARD if shape.feed_forward else ())
    return layers + (_CONVOLUTIONS if shape.convolutions else ())


def text_encoder_layers(shape: AdapterShape) -> tuple[str, ...]:
    return _TEXT_ATTENTION + (_TEXT_FEED_FORWARD if shape.feed_forward else ())
