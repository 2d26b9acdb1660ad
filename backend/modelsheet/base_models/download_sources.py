"""The models that can be downloaded: where they come from, which of their files are needed, and
where they belong. Revisions are pinned, and only safetensors are fetched, but for the matting
model, whose graph is the only one of its kind that is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelsheet.api.models import Downloadable
from modelsheet.base_models.diffusers_folder import MODEL_INDEX

_SETTINGS = ("*/config.json", "scheduler/*.json", "tokenizer/*", "tokenizer_2/*")
# Half precision is half the download, and no less than what a graphics card computes in.
_WEIGHTS = ("unet/*.fp16.safetensors", "vae/diffusion_pytorch_model.fp16.safetensors")
_TEXT = ("text_encoder/model.fp16.safetensors", "text_encoder_2/model.fp16.safetensors")


@dataclass(frozen=True)
class DownloadSource:
    """`files` are patterns; `size_bytes` is about what they come to; `mark` is there when whole."""

    repo: str
    revision: str
    licence: str
    folder: str
    files: tuple[str, ...]
    size_bytes: int
    mark: str

    def target(self, data_dir: Path) -> Path:
        return data_dir / "models" / self.folder

    def partial(self, data_dir: Path) -> Path:
        """Where it lies until it is whole; a download goes on from there."""
        return data_dir / "models" / f".partial-{self.folder}"


DOWNLOAD_SOURCES: Mapping[Downloadable, DownloadSource] = {
    "sd15": DownloadSource(
        repo="stable-diffusion-v1-5/stable-diffusion-v1-5",
        revision="451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
        licence="CreativeML Open RAIL-M",
        folder="sd15",
        files=(MODEL_INDEX, *_SETTINGS, *_WEIGHTS, *_TEXT),
        size_bytes=2_140_000_000,
        mark=MODEL_INDEX,
    ),
    "sdxl": DownloadSource(
        repo="stabilityai/stable-diffusion-xl-base-1.0",
        revision="462165984030d82259a11f4367a4eed129e94a7b",
        licence="CreativeML Open RAIL++-M",
        folder="sdxl",
        files=(MODEL_INDEX, *_SETTINGS, *_WEIGHTS, *_TEXT),
        size_bytes=6_940_000_000,
        mark=MODEL_INDEX,
    ),
    "clip": DownloadSource(
        repo="openai/clip-vit-large-patch14",
        revision="32bd64288804d66eefd0ccbe215aa642df71cc41",
        licence="MIT (openai/CLIP)",
        folder="clip-vit-large-patch14",
        files=("*.json", "merges.txt", "model.safetensors"),
        size_bytes=1_720_000_000,
        mark="config.json",
    ),
    "matting": DownloadSource(
        repo="onnx-community/BiRefNet_lite-ONNX",
        revision="de15b22ba131738a16dff04aab8bdf8dc32e3ac1",
        licence="MIT (ZhengPeng7/BiRefNet)",
        folder="birefnet-lite",
        files=("README.md", "onnx/model.onnx"),
        size_bytes=224_000_000,
        mark="onnx/model.onnx",
    ),
}
