"""Downloadable models: hub repository, needed files and target folder of each.

Revisions are pinned, and so are the checksums of all weights: what a hub or a mirror says of its
own file proves nothing. Where neither is known to us, the newest revision is taken, and it and the
hub's checksums are recorded (hub_download.py). Only safetensors are downloaded, except for the
matting model, which is the only ONNX graph that is ever opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelsheet.api.models import Downloadable
from modelsheet.base_models.diffusers_folder import MODEL_INDEX

_CONFIGS = ("*/config.json", "scheduler/*.json", "tokenizer*/*.json", "tokenizer*/merges.txt")
# Half precision halves the download, and is the precision that GPUs compute in.
_UNET = "unet/diffusion_pytorch_model.fp16.safetensors"
_VAE = "vae/diffusion_pytorch_model.fp16.safetensors"
_TEXT_ENCODER = "text_encoder/model.fp16.safetensors"
_NEWEST = "main"
# Of a model that is published in one precision, in files and shards of any number.
_ALL_WEIGHTS = tuple(
    f"{part}/*.safetensors{index}"
    for part in ("transformer", "text_encoder", "vae")
    for index in ("", ".index.json")
)
_TEXT_ENCODER_2 = "text_encoder_2/model.fp16.safetensors"


@dataclass(frozen=True)
class DownloadSource:
    """A model's hub repository and files.

    `weights` gives the sha256 of each file of weights, `files` are glob patterns of all others;
    `size_bytes` is about their sum. The file `mark` exists once all are downloaded.
    """

    repo: str
    revision: str
    licence: str
    folder: str
    files: tuple[str, ...]
    weights: Mapping[str, str]
    size_bytes: int
    mark: str

    @property
    def is_pinned(self) -> bool:
        return self.revision != _NEWEST

    @property
    def patterns(self) -> tuple[str, ...]:
        """Return the glob patterns of all files."""
        return (*self.files, *self.weights)

    def target(self, data_dir: Path) -> Path:
        """Return the folder of the complete model."""
        return data_dir / "models" / self.folder

    def partial(self, data_dir: Path) -> Path:
        """Return the folder of an incomplete download, which the next one resumes."""
        return data_dir / "models" / f".partial-{self.folder}"


def _klein(repo: str, folder: str) -> DownloadSource:
    """Return the source of a FLUX.2 klein, whose revision and checksums are not known here."""
    return DownloadSource(
        repo=repo,
        revision=_NEWEST,
        licence="Apache-2.0",
        folder=folder,
        files=(MODEL_INDEX, *_CONFIGS, "tokenizer/*.jinja", *_ALL_WEIGHTS),
        weights={},
        size_bytes=16_000_000_000,
        mark=MODEL_INDEX,
    )


DOWNLOAD_SOURCES: Mapping[Downloadable, DownloadSource] = {
    "sd15": DownloadSource(
        repo="stable-diffusion-v1-5/stable-diffusion-v1-5",
        revision="451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
        licence="CreativeML Open RAIL-M",
        folder="sd15",
        files=(MODEL_INDEX, *_CONFIGS),
        weights={
            _UNET: "c83908253f9a64d08c25fc90874c9c8aef9a329ce1ca5fb909d73b0c83d1ea21",
            _VAE: "4fbcf0ebe55a0984f5a5e00d8c4521d52359af7229bb4d81890039d2aa16dd7c",
            _TEXT_ENCODER: "77795e2023adcf39bc29a884661950380bd093cf0750a966d473d1718dc9ef4e",
        },
        size_bytes=2_140_000_000,
        mark=MODEL_INDEX,
    ),
    "sdxl": DownloadSource(
        repo="stabilityai/stable-diffusion-xl-base-1.0",
        revision="462165984030d82259a11f4367a4eed129e94a7b",
        licence="CreativeML Open RAIL++-M",
        folder="sdxl",
        files=(MODEL_INDEX, *_CONFIGS),
        weights={
            _UNET: "83e012a805b84c7ca28e5646747c90a243c65c8ba4f070e2d7ddc9d74661e139",
            _VAE: "bcb60880a46b63dea58e9bc591abe15f8350bde47b405f9c38f4be70c6161e68",
            _TEXT_ENCODER: "660c6f5b1abae9dc498ac2d21e1347d2abdb0cf6c0c0c8576cd796491d9a6cdd",
            _TEXT_ENCODER_2: "ec310df2af79c318e24d20511b601a591ca8cd4f1fce1d8dff822a356bcdb1f4",
        },
        size_bytes=6_940_000_000,
        mark=MODEL_INDEX,
    ),
    "flux2-klein": _klein("black-forest-labs/FLUX.2-klein-base-4B", "flux2-klein"),
    "flux2-klein-distilled": _klein("black-forest-labs/FLUX.2-klein-4B", "flux2-klein-distilled"),
    "clip": DownloadSource(
        repo="openai/clip-vit-large-patch14",
        revision="32bd64288804d66eefd0ccbe215aa642df71cc41",
        licence="MIT (openai/CLIP)",
        folder="clip-vit-large-patch14",
        files=("*.json", "merges.txt"),
        weights={
            "model.safetensors": "a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb"
        },
        size_bytes=1_720_000_000,
        mark="config.json",
    ),
    "matting": DownloadSource(
        repo="onnx-community/BiRefNet_lite-ONNX",
        revision="de15b22ba131738a16dff04aab8bdf8dc32e3ac1",
        licence="MIT (ZhengPeng7/BiRefNet)",
        folder="birefnet-lite",
        files=("README.md",),
        weights={
            "onnx/model.onnx": "5600024376f572a557870a5eb0afb1e5961636bef4e1e22132025467d0f03333"
        },
        size_bytes=224_000_000,
        mark="onnx/model.onnx",
    ),
}
