"""Train all parts of sprite32 from an archive of tiles and write them as one model folder.

Stages run in order, each within its share of the hours, each resumed from its last checkpoint:
tokenizer, autoencoder, CLIP, UNet (with the text encoder), the image encoder once more, aligned to
the text encoder as the UNet left it, the decoder once more, sharpened for the latents as they are,
and the hypernetwork, which can also be trained alone, for a model that is there.
"""

from __future__ import annotations

import json
import logging
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from modelsheet.base_models.locate import BaseModelFiles
from modelsheet.diffusion.families.stable_diffusion.loading import load
from modelsheet.diffusion.families.stable_diffusion.model import StableDiffusion, prepare_base
from modelsheet.diffusion.models import adapter_hypernetwork
from modelsheet.diffusion.models.adapter_hypernetwork import AdapterHypernetwork
from modelsheet.diffusion.training.identifier import candidates
from modelsheet.errors import Conflict
from sprite_training.device import Accelerator
from sprite_training.sprite32.architecture import SHIPPED, TOY, Architecture
from sprite_training.sprite32.autoencoder import encode, train_autoencoder, train_decoder
from sprite_training.sprite32.clip import ContrastiveLoss, train_clip
from sprite_training.sprite32.compositing import Composer, Mixture
from sprite_training.sprite32.hypernetwork import (
    BatchSize,
    adapted_layers,
    train_hypernetwork,
)
from sprite_training.sprite32.image_pool import ImagePool
from sprite_training.sprite32.subject_pool import SubjectComposer, SubjectPool
from sprite_training.sprite32.tiles import TileSet
from sprite_training.sprite32.tokenizer import build_tokenizer
from sprite_training.sprite32.unet import train_denoiser
from sprite_training.training_stage import TrainingStage

_logger = logging.getLogger(__name__)

# Measured on two CPU cores: the UNet is short of updates long after the others are good.
SHARES = {
    "autoencoder": 0.08,
    "clip": 0.04,
    "unet": 0.54,
    "alignment": 0.04,
    "decoder": 0.12,
    "hypernetwork": 0.18,
}
LEARNING_RATES = {
    "autoencoder": 1.5e-3,
    "clip": 1e-3,
    "unet": 6e-4,
    "alignment": 5e-4,
    "decoder": 5e-4,
    "hypernetwork": 1e-3,
}
TEXT_ENCODER_RATE = 1.5e-4  # a quarter of the UNet's: it starts from CLIP
POOL_SIZE = 10_000
SUBJECT_POOL_SIZE = 400
# An artist's character has other colours than the tiles: the autoencoder meets all of them too,
# half of their parts recoloured. Without the core ones in between those lose 2 dB.
CORE_SHARE, RECOLOURED_SHARE = 0.6, 0.5


@dataclass(frozen=True)
class Plan:
    """The options of a build: tiles, output folder, hours, seed and size."""

    tiles: Path
    out: Path
    hours: float
    seed: int = 0
    toy: bool = False
    whole_vocabulary: bool = False

    @property
    def work(self) -> Path:
        """The folder of checkpoints, beside the output."""
        return self.out.with_name(self.out.name + ".work")

    @property
    def architecture(self) -> Architecture:
        return TOY if self.toy else SHIPPED

    @property
    def pool_size(self) -> int:
        return 200 if self.toy else POOL_SIZE

    @property
    def subject_pool_size(self) -> int:
        return 20 if self.toy else SUBJECT_POOL_SIZE

    def batch(self, stage: str, accelerator: Accelerator) -> int:
        if self.toy:
            return 8
        sizes = {
            "autoencoder": 32,
            "clip": 128,
            "unet": 24,
            "alignment": 128,
            "decoder": 32,
            "hypernetwork": 24,
        }
        return min(sizes[stage] * accelerator.scale, 1024)


class Builder:
    """All parts of the model under training, one stage after the other."""

    def __init__(self, plan: Plan) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.accelerator = Accelerator.detect()
        tiles = TileSet.load(plan.tiles)
        self.all_tiles = tiles
        self.tiles = tiles if plan.whole_vocabulary else tiles.core()
        shape = plan.architecture
        self.tokenizer: CLIPTokenizer = build_tokenizer(
            tiles, shape.vocabulary, plan.work / "tokenizer"
        )
        prepare = self.accelerator.prepare
        self.vae: AutoencoderKL = prepare(shape.autoencoder())
        self.unet: UNet2DConditionModel = prepare(shape.unet())
        self.text_encoder: CLIPTextModel = prepare(shape.text_encoder(self.tokenizer))
        self.image_encoder: CLIPVisionModelWithProjection = prepare(shape.image_encoder())
        self.contrastive_loss = ContrastiveLoss().to(self.accelerator.device)
        self.scheduler = shape.scheduler()
        self.images_seen: dict[str, int] = {}

    def run(self) -> None:
        stages: Sequence[Callable[[], TrainingStage]] = (
            self.autoencoder,
            self.clip,
            self.denoiser,
            self.alignment,
            self.decoder,
            self.hypernetwork,
        )
        for train in stages:
            stage = train()
            batch = self.plan.batch(stage.name, self.accelerator)
            self.images_seen[stage.name] = stage.step * batch

    def autoencoder(self) -> TrainingStage:
        stage = self._stage("autoencoder", [self.vae], ema_decay=0.998)
        pool = self._colourful_pool(1)
        train_autoencoder(self.vae, pool, stage, self.accelerator, self._batch(stage))
        return stage

    def clip(self) -> TrainingStage:
        modules = [self.text_encoder, self.image_encoder, self.contrastive_loss]
        return self._contrastive(self._stage("clip", modules, ema_decay=0.99), seed=2)

    def denoiser(self) -> TrainingStage:
        stage = self._stage("unet", [self.unet, self.text_encoder], ema_decay=0.999)
        stage.learning_rates = [LEARNING_RATES["unet"], TEXT_ENCODER_RATE]
        train_denoiser(
            self.unet,
            self.text_encoder,
            self.tokenizer,
            self.scheduler,
            self._pool(3, latents=True),
            stage,
            self.accelerator,
            self._batch(stage),
        )
        return stage

    def alignment(self) -> TrainingStage:
        modules = [self.image_encoder, self.contrastive_loss]
        return self._contrastive(self._stage("alignment", modules, ema_decay=0.99), seed=4)

    def decoder(self) -> TrainingStage:
        modules = [self.vae.decoder, self.vae.post_quant_conv]
        stage = self._stage("decoder", modules, ema_decay=0.998)
        pool = self._colourful_pool(5)
        train_decoder(self.vae, pool, stage, self.accelerator, self._batch(stage))
        return stage

    def hypernetwork(self) -> TrainingStage:
        device = self.accelerator.device
        base = StableDiffusion("sprite32", "sprite32", self._pipeline(), device, torch.float32)
        self.predictor, stage = _train_hypernetwork(
            self.plan, prepare_base(base), SHARES["hypernetwork"], self.accelerator
        )
        return stage

    def save(self, out: Path) -> None:
        """Write the model folder in Stable Diffusion's own layout, fp16."""
        staging = out.with_name(f".{out.name}.tmp")
        shutil.rmtree(staging, ignore_errors=True)
        for module in (self.vae, self.text_encoder, self.unet, self.image_encoder):
            module.cpu().half()
        self._pipeline().save_pretrained(staging, safe_serialization=True)
        self.predictor.cpu().save(staging / adapter_hypernetwork.FILE)
        for part in ("text_encoder", "image_encoder"):
            _load_as_float32(staging / part / "config.json")
        (staging / "training.json").write_text(json.dumps(self._record(), indent=2) + "\n", "utf-8")
        shutil.rmtree(out, ignore_errors=True)
        staging.rename(out)

    def _pipeline(self) -> StableDiffusionPipeline:
        return StableDiffusionPipeline(
            vae=self.vae,
            text_encoder=self.text_encoder,
            tokenizer=self.tokenizer,
            unet=self.unet,
            scheduler=self.scheduler,
            image_encoder=self.image_encoder,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )

    def _contrastive(self, stage: TrainingStage, seed: int) -> TrainingStage:
        train_clip(
            self.text_encoder,
            self.image_encoder,
            self.contrastive_loss,
            self.tokenizer,
            self._pool(seed, figures=0.6),  # each creature is one picture and must be met often
            stage,
            self.accelerator,
            self._batch(stage),
        )
        return stage

    def _stage(
        self, name: str, modules: Sequence[torch.nn.Module], *, ema_decay: float
    ) -> TrainingStage:
        rates = [LEARNING_RATES[name]] * len(modules)
        budget_s = self.plan.hours * 3600 * SHARES[name]
        folder = self.plan.work / name
        return TrainingStage(name, folder, modules, rates, budget_s, ema_decay=ema_decay)

    def _batch(self, stage: TrainingStage) -> int:
        return self.plan.batch(stage.name, self.accelerator)

    def _pool(self, seed: int, *, latents: bool = False, figures: float = 0.8) -> ImagePool:
        rng = np.random.default_rng([self.plan.seed, seed])
        composer = Composer(self.tiles, rng, figures)
        encoder = self._encode if latents else None
        return ImagePool(composer, self.plan.pool_size, encoder)

    def _colourful_pool(self, seed: int) -> ImagePool:
        """Make a pool of core tiles as they are and of all tiles recoloured: the autoencoder needs
        no vocabulary.
        """
        rng = np.random.default_rng([self.plan.seed, seed])
        recoloured = Composer(self.all_tiles, rng, recoloured_share=RECOLOURED_SHARE)
        mixture = Mixture(Composer(self.tiles, rng), recoloured, CORE_SHARE)
        return ImagePool(mixture, self.plan.pool_size)

    def _encode(self, images: torch.Tensor) -> torch.Tensor:
        return encode(self.vae, self.accelerator.move(images))

    def _record(self) -> dict[str, object]:
        cuda = self.accelerator.is_cuda
        hardware = torch.cuda.get_device_name() if cuda else f"{torch.get_num_threads()} CPU cores"
        return {
            "hardware": hardware,
            "machine": platform.machine(),
            "hours": self.plan.hours,
            "seed": self.plan.seed,
            "tiles": len(self.tiles.tiles),
            "pictures_seen": self.images_seen,
            "torch": torch.__version__.split("+")[0],
        }


def build(plan: Plan, *, resume: bool) -> None:
    """Train and write the whole model.

    Raises Conflict when there is earlier work and no `resume`.
    """
    _begin(plan, resume=resume)
    builder = Builder(plan)
    builder.run()
    builder.save(plan.out)
    _logger.info("written to %s", plan.out)


def build_hypernetwork(plan: Plan, *, resume: bool) -> None:
    """Train only the hypernetwork of the model that is in `plan.out`, for all of the hours, and
    write it there.

    Raises Conflict when there is earlier work and no `resume`, and ModelMissing without a model.
    """
    _begin(plan, resume=resume)
    torch.manual_seed(plan.seed)
    accelerator = Accelerator.detect()
    files = BaseModelFiles("sprite32", "sprite32", plan.out, plan.out)
    base = load(files, plan.out.parent, accelerator.device)
    network, _ = _train_hypernetwork(plan, base, 1.0, accelerator)
    network.cpu().save(plan.out / adapter_hypernetwork.FILE)
    _logger.info("written to %s", plan.out / adapter_hypernetwork.FILE)


def _train_hypernetwork(
    plan: Plan, base: StableDiffusion, share: float, accelerator: Accelerator
) -> tuple[AdapterHypernetwork, TrainingStage]:
    """Train the hypernetwork of a base, with all tiles, for a share of the hours."""
    name, pictures = "hypernetwork", BatchSize().pictures
    network = AdapterHypernetwork(adapted_layers(base)).to(accelerator.device)
    stage = TrainingStage(
        name,
        plan.work / name,
        [network],
        [LEARNING_RATES[name]],
        plan.hours * 3600 * share,
        ema_decay=0.995,
        weight_decay=0.0,
    )
    composer = SubjectComposer(TileSet.load(plan.tiles), np.random.default_rng([plan.seed, 6]))
    pool = SubjectPool(composer, plan.subject_pool_size, base.encode_images, candidates(base))
    size = BatchSize(subjects=plan.batch(name, accelerator) // pictures)
    train_hypernetwork(base, network, pool, stage, accelerator, size)
    return network, stage


def _begin(plan: Plan, *, resume: bool) -> None:
    if plan.work.exists() and not resume:
        raise Conflict(
            f"There is unfinished work in {plan.work}. Add --resume to go on with it, or remove it."
        )
    plan.work.mkdir(parents=True, exist_ok=True)


def _load_as_float32(config: Path) -> None:
    """Set the config's dtype to float32, so that transformers loads as diffusers does."""
    values = json.loads(config.read_text("utf-8"))
    values["dtype"] = "float32"
    config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", "utf-8")
