"""Downloadable models: hub repository, needed files and target folder of each.

Revisions are pinned. Only safetensors are downloaded, except for the matting model, which is the
only ONNX graph that is ever opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelsheet.api.models import Downloadable
from modelsheet.base_models.diffusers_folder import MODEL_INDEX

_CONFIGS = ("*/config.json", "scheduler/*.json", "tokenizer/*", "tokenizer_2/*")
# Half precision halves the download, and is the precision that GPUs compute in.
_UNET_AND_VAE = ("unet/*.fp16.safetensors", "vae/diffusion_pytorch_model.fp16.safetensors")
_TEXT_ENCODERS = ("text_encoder/model.fp16.safetensors", "text_encoder_2/model.fp16.safetensors")


@dataclass(frozen=True)
class DownloadSource:
    """A model's hub repository and files.

    `files` are glob patterns, `size_bytes` is about their sum; the file `mark` exists once all are
    downloaded.
    """

    repo: str
    revision: str
    licence: str
    folder: str
    files: tuple[str, ...]
    size_bytes: int
    mark: str

    def target(self, data_dir: Path) -> Path:
        """Return the folder of the complete model."""
        return data_dir / "models" / self.folder

    def partial(self, data_dir: Path) -> Path:
        """Return the folder of an incomplete download, which the next one resumes."""
        return data_dir / "models" / f".partial-{self.folder}"


DOWNLOAD_SOURCES: Mapping[Downloadable, DownloadSource] = {
    "sd15": DownloadSource(
        repo="stable-diffusion-v1-5/stable-diffusion-v1-5",
        revision="451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
        licence="CreativeML Open RAIL-M",
        folder="sd15",
        files=(MODEL_INDEX, *_CONFIGS, *_UNET_AND_VAE, *_TEXT_ENCODERS),
        size_bytes=2_140_000_000,
        mark=MODEL_INDEX,
    ),
    "sdxl": DownloadSource(
        repo="stabilityai/stable-diffusion-xl-base-1.0",
        revision="462165984030d82259a11f4367a4eed129e94a7b",
        licence="CreativeML Open RAIL++-M",
        folder="sdxl",
        files=(MODEL_INDEX, *_CONFIGS, *_UNET_AND_VAE, *_TEXT_ENCODERS),
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
