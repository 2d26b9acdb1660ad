"""Hyper-parameters of the balanced preset for sprite32, SD 1.5 and SDXL, each with its source."""

from __future__ import annotations

from dataclasses import replace

from modelsheet.base_models.families import FAMILIES
from modelsheet.diffusion.models.hyperparameters import AdapterShape, Hyperparameters

# Chosen on three of the drawn test subjects: from the hypernetwork's prediction 60 steps are as
# good as 100 from an empty adapter; at 1.5e-3, or with a prior of weight 4, they are not. One
# picture for the prior is enough. Without convolutions a tenth of the fidelity is lost.
# Measurements: docs/benchmarks.md.
_SPRITE_SHAPE = AdapterShape(rank=16, text_encoder_rank=8, feed_forward=True, convolutions=True)
SPRITE32_BALANCED = Hyperparameters(
    training_steps=FAMILIES["sprite32"].balanced_steps,
    batch=6,
    prior_batch=1,
    unet_learning_rate=2.5e-3,
    text_encoder_learning_rate=4e-4,
    shape=_SPRITE_SHAPE,
    prior="no-images",  # as good as class images (docs/benchmarks.md), and none to generate
    prior_loss_weight=2.0,  # at 1 and this rate the class drifts by more than .05
    validation_steps=30,
    own_decoder=True,
    hypernetwork=True,
)
# 1e-4 at rank 16 and some 800 sample passes for a few pictures: near diffusers' README (1e-4, 500)
# and DreamBench++ (1e-4, 100 for a single picture); the text encoder at a tenth of the rate.
SD15_BALANCED = Hyperparameters(
    training_steps=FAMILIES["sd15"].balanced_steps,
    batch=2,
    prior_batch=1,
    unet_learning_rate=1e-4,
    text_encoder_learning_rate=1e-5,
    shape=AdapterShape(rank=16, text_encoder_rank=8, feed_forward=True, convolutions=False),
    prior="no-images",
    warm_up_steps=20,
    validation_steps=100,
)
# DCO (SDXL, rank 32, 5e-5) with fewer steps; the two text encoders stay as they are.
SDXL_BALANCED = replace(
    SD15_BALANCED,
    training_steps=FAMILIES["sdxl"].balanced_steps,
    unet_learning_rate=5e-5,
    text_encoder_learning_rate=0.0,
    shape=AdapterShape(rank=32, text_encoder_rank=0, feed_forward=True, convolutions=False),
)
