"""Predict a subject's LoRA from its pictures in one pass, to begin learning with (HyperDreamBooth,
Ruiz et al. 2023).

A layer's two factors are shared by all subjects; a small matrix between them, its core, is the
subject's own: ΔW = up · core · down.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

# A and B of each layer, by its name in the denoiser, in the shapes of peft's LoRA layers.
LoraFactors = Mapping[str, tuple[torch.Tensor, torch.Tensor]]

SIDE = 32  # px of the pictures it sees
FILE = Path("adapter_hypernetwork", "model.safetensors")  # in the base model's folder
_CHANNELS = (32, 48, 64, 96)  # of the encoder, at 32, 16, 8 and 4 px


@dataclass(frozen=True)
class LayerShape:
    """A layer that gets a LoRA; `kernel` is the side of a convolution's, 0 for a linear layer."""

    name: str
    inputs: int
    outputs: int
    kernel: int

    @classmethod
    def of(cls, name: str, layer: nn.Module) -> LayerShape:
        """Describe a linear layer or a convolution."""
        if isinstance(layer, nn.Conv2d):
            return cls(name, layer.in_channels, layer.out_channels, layer.kernel_size[0])
        assert isinstance(layer, nn.Linear)
        return cls(name, layer.in_features, layer.out_features, 0)

    def down_shape(self, rank: int) -> tuple[int, ...]:
        return (rank, self.inputs, *[self.kernel] * 2) if self.kernel else (rank, self.inputs)

    def up_shape(self, rank: int) -> tuple[int, ...]:
        return (self.outputs, rank, 1, 1) if self.kernel else (self.outputs, rank)


class AdapterHypernetwork(nn.Module):
    """The shared factors, an encoder of pictures, and a head that gives every layer's core.

    Shapes: S subjects of N pictures, L layers, R the rank.
    """

    def __init__(self, layers: Sequence[LayerShape], rank: int = 8, width: int = 96) -> None:
        super().__init__()
        self.layers, self.rank = tuple(layers), rank
        channels = (4, *_CHANNELS)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, stride=1 if index == 0 else 2, padding=1)
            for index, (inputs, outputs) in enumerate(zip(channels, _CHANNELS, strict=False))
        )
        features = _CHANNELS[-1] * (SIDE >> (len(_CHANNELS) - 1)) ** 2
        self.project = nn.Linear(2 * features, width)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(self.layers) * rank * rank)
        nn.init.normal_(self.head.weight, std=(width * rank) ** -0.5)
        nn.init.zeros_(self.head.bias)
        self.downs = nn.ParameterList(_random(layer.down_shape(rank)) for layer in self.layers)
        self.ups = nn.ParameterList(
            nn.Parameter(torch.zeros(layer.up_shape(rank))) for layer in self.layers
        )

    def cores(self, pictures: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Compute cores (S, L, R, R) of pictures (S, N, 4, 32, 32), as of `picture_tensor`; those
        that are there have 1 in `present` (S, N), the others 0.
        """
        x = pictures.flatten(0, 1)
        for convolution in self.convolutions:
            x = F.silu(convolution(x))
        features = x.flatten(1).view(*present.shape, -1)
        share = (present / present.sum(1, keepdim=True))[..., None]
        mean = (features * share).sum(1)
        # What differs between the pictures is hardly the subject's own.
        deviation = ((features - mean[:, None]).abs() * share).sum(1)
        code = self.norm(F.silu(self.project(torch.cat([mean, deviation], dim=1))))
        cores: torch.Tensor = self.head(code)
        return cores.view(len(pictures), len(self.layers), self.rank, self.rank)

    @torch.no_grad()
    def predict(self, pictures: Sequence[Image.Image]) -> LoraFactors:
        """Predict a LoRA from square, cut-out RGBA pictures of one subject."""
        seen = torch.stack([picture_tensor(picture) for picture in pictures])
        cores = self.cores(seen[None], torch.ones(1, len(seen)))[0]
        return {
            layer.name: (down.clone(), (up.flatten(1) @ core).view(up.shape))
            for layer, down, up, core in zip(self.layers, self.downs, self.ups, cores, strict=True)
        }

    def save(self, file: Path) -> None:
        """Write the weights in fp16."""
        weights = {name: value.half().contiguous() for name, value in self.state_dict().items()}
        shape = {"rank": self.rank, "width": self.project.out_features}
        layers = [asdict(layer) for layer in self.layers]
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(weights, file, {"config": json.dumps({"layers": layers, **shape})})

    @classmethod
    def load(cls, file: Path) -> AdapterHypernetwork:
        """Read what `save` wrote, frozen, in fp32."""
        with safe_open(file, "pt") as content:
            config = json.loads(content.metadata()["config"])
            weights = {name: content.get_tensor(name).float() for name in content.keys()}  # noqa: SIM118
        layers = [LayerShape(**layer) for layer in config.pop("layers")]
        network = cls(layers, **config)
        network.load_state_dict(weights)
        return network.requires_grad_(False).eval()


def picture_tensor(picture: Image.Image) -> torch.Tensor:
    """Convert an RGBA picture to (4, 32, 32) in [0, 1], colours multiplied by alpha."""
    small = picture.resize((SIDE, SIDE), Image.Resampling.NEAREST)
    levels = torch.from_numpy(np.asarray(small, np.float32)).permute(2, 0, 1) / 255
    return torch.cat([levels[:3] * levels[3:], levels[3:]])


def _random(shape: tuple[int, ...]) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape) * torch.Size(shape[1:]).numel() ** -0.5)
