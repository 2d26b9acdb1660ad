"""Hyper-parameters of the balanced preset for FLUX.2 klein, each with its source."""

from __future__ import annotations

from modelsheet.base_models.families import FAMILIES
from modelsheet.diffusion.models.hyperparameters import AdapterShape, Hyperparameters

# Rank, rate and steps are between diffusers' README for this model (rank 4, 1e-4, 500 steps of four
# pictures at 512 px) and what others report for characters (rank 32, 2e-4, 800 to 1,200 steps of
# one). Not measured here: nobody had the weights.
KLEIN_BALANCED = Hyperparameters(
    training_steps=FAMILIES["flux2-klein"].balanced_steps,
    batch=1,
    prior_batch=1,
    unet_learning_rate=2e-4,
    text_encoder_learning_rate=0.0,
    shape=AdapterShape(rank=16, text_encoder_rank=0, feed_forward=False, convolutions=False),
    prior="no-images",
    snr_gamma=None,  # a flow's steps weigh alike
    warm_up_steps=20,
    validation_steps=100,
)
