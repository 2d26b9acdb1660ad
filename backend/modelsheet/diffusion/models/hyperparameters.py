"""Hyper-parameters of a training; each family has its own numbers."""

from __future__ import annotations

from dataclasses import dataclass

from modelsheet.api.learn import OptimizerName, PriorKind


@dataclass(frozen=True)
class AdapterShape:
    """The layers that get a LoRA, and its ranks; alpha equals rank, so that the scale is 1.

    `feed_forward` is of all networks, `convolutions` of the denoiser.
    """

    rank: int
    text_encoder_rank: int  # 0: the text encoder stays as it is
    feed_forward: bool
    convolutions: bool


@dataclass(frozen=True)
class Hyperparameters:
    """All numbers that shape a training. A step learns from `accumulation` times `batch` pictures,
    and each batch has `prior_batch` more for the prior.
    """

    training_steps: int
    batch: int
    prior_batch: int
    unet_learning_rate: float
    text_encoder_learning_rate: float
    shape: AdapterShape
    prior: PriorKind
    optimizer: OptimizerName = "adamw"
    accumulation: int = 1
    processes: int = 1  # that share the batches of a step
    cuda_graphs: bool = False  # replay recorded steps; never run on a graphics card
    prior_loss_weight: float = 1.0  # λ = 1: Ruiz et al. 2022
    snr_gamma: float | None = 5.0  # γ = 5: Hang et al. 2023
    caption_dropout: float = 0.05  # above .1 the unconditional branch learns the subject too
    warm_up_steps: int = 10
    final_rate: float = 0.1  # of the peak, at the end of the cosine
    validation_steps: int = 30
    masked: bool = True
    flip: bool = False
    own_decoder: bool = False  # of a pixel-art base; others have autoencoders that need none
    hypernetwork: bool = False  # begin from what the base's predicts, where it has one
    pivotal: bool = False  # learn the identifier's row of the embedding too
    embedding_learning_rate: float = 5e-4  # cloneofsimo/lora's for textual inversion
    # Validations without a better score after which training stops and the best step is kept; None
    # trains to the end and keeps the last step.
    patience: int | None = 3
    longest_s: float | None = None
    fixed_identifier: str = ""  # of the write-up preset
