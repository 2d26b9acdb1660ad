"""Train sprite32's own CLIP: text and image encoders, contrastively on the same captions.

The text encoder's pooled output is itself the joint space, so the plain CLIPTextModel of a
Stable Diffusion folder and its `image_encoder` are a whole CLIP between them.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from sprite_training.device import Accelerator
from sprite_training.sprite32.architecture import PROMPT_TOKENS
from sprite_training.sprite32.image_pool import ImagePool
from sprite_training.training_stage import TrainingStage

NAME_ONLY_SHARE = 0.3  # naming a subject needs "orc man" alone, without equipment


class ContrastiveLoss(torch.nn.Module):
    """The symmetric contrastive loss of Radford et al. 2021 with its learnt temperature."""

    def __init__(self) -> None:
        super().__init__()
        self.logit_scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, text: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        """Return the loss of text and image vectors (B, width), pairs by row."""
        text, image = normalised(text.float()), normalised(image.float())
        logits = self.logit_scale.clamp(max=math.log(100)).exp() * text @ image.T
        labels = torch.arange(len(logits), device=logits.device)
        cross_entropy = torch.nn.functional.cross_entropy
        return (cross_entropy(logits, labels) + cross_entropy(logits.T, labels)) / 2


def normalised(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)


def tokenize(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """Tokenize to (B, 48) ids, padded and truncated as by the pipeline."""
    tokens = tokenizer(
        texts,
        padding="max_length",
        max_length=PROMPT_TOKENS,
        truncation=True,
        return_tensors="pt",
    )
    ids: torch.Tensor = tokens.input_ids
    return ids


def trimmed(ids: torch.Tensor, tokenizer: CLIPTokenizer) -> torch.Tensor:
    """Cut the padding common to all rows: under causal attention it has no effect on the pooled
    output.
    """
    longest = int((ids != tokenizer.pad_token_id).sum(dim=1).max()) + 1
    return ids[:, :longest]


def train_clip(
    text_encoder: CLIPTextModel,
    image_encoder: CLIPVisionModelWithProjection,
    contrastive_loss: ContrastiveLoss,
    tokenizer: CLIPTokenizer,
    pool: ImagePool,
    stage: TrainingStage,
    accelerator: Accelerator,
    batch: int,
) -> None:
    """Train the stage's modules; a text encoder that is not among them is frozen."""
    is_frozen = text_encoder not in stage.modules

    def loss_at(step: int) -> torch.Tensor:
        if step % 100 == 99:
            pool.refresh(pool.size // 8)
        indices = pool.draw(batch)
        ids = accelerator.move(trimmed(tokenize(tokenizer, _texts(pool, indices)), tokenizer))
        images = accelerator.move(pool.images(indices))
        with accelerator.autocast():
            with torch.set_grad_enabled(not is_frozen):
                text = text_encoder(ids).pooler_output
            image = image_encoder(images).image_embeds
        loss: torch.Tensor = contrastive_loss(text, image)
        return loss

    stage.run(loss_at)
    scale = float(contrastive_loss.logit_scale.detach().clamp(max=math.log(100)))
    image_encoder.config.logit_scale_init_value = scale


def _texts(pool: ImagePool, indices: np.ndarray) -> list[str]:
    texts = []
    for image, words in zip(pool.composed(indices), pool.captions(indices), strict=True):
        name_only = not words or pool.composer.rng.random() < NAME_ONLY_SHARE
        texts.append(image.subject if name_only else words)
    return texts
