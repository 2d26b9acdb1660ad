"""Metrics of a learnt subject on CLIP's unit vectors: subject fidelity, prompt fidelity with the
identifier taken out of the prompts, prior drift, and the score that picks the best step.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

# A subject that is not itself is useless: subject fidelity counts as it is, the others beyond a
# threshold. A true picture of an unusual subject has some nine tenths of the prompt fidelity of the
# base's own pictures of the class, so that a little less than that costs nothing.
REQUIRED_PROMPT_SHARE, PROMPT_WEIGHT = 0.8, 1.0
TOLERATED_DRIFT, DRIFT_WEIGHT = 0.03, 5.0  # squared distance of images in [0, 1]
# A small CLIP saturates before the eye does: images still grow clearer while scores wander.
SCORE_TOLERANCE = 0.02


def selection_score(
    subject_fidelity: float,
    prompt_fidelity: float,
    base_prompt_fidelity: float,
    prior_drift: float,
) -> float:
    """Return the score by which the best step is kept; `base_prompt_fidelity` is the untuned
    base's.
    """
    lacking = max(0.0, REQUIRED_PROMPT_SHARE * base_prompt_fidelity - prompt_fidelity)
    excess = max(0.0, prior_drift - TOLERATED_DRIFT)
    return subject_fidelity - PROMPT_WEIGHT * lacking - DRIFT_WEIGHT * excess


def is_as_good(selection_score: float, scores: Sequence[float]) -> bool:
    """Tell if a step with this score is preferred to all earlier ones with these scores."""
    return selection_score >= max(scores) - SCORE_TOLERANCE


def subject_fidelity(images: torch.Tensor, references: torch.Tensor) -> float:
    """Return the mean cosine of each image's vector to each reference's; CLIP-I of Ruiz et al.
    2022.
    """
    return float((images @ references.T).mean())


def prompt_fidelity(images: torch.Tensor, texts: torch.Tensor) -> float:
    """Return the mean cosine of each image's vector to its own prompt's; CLIP-T of Ruiz et al.
    2022.
    """
    return float((images * texts).sum(1).mean())


def prior_drift(before: torch.Tensor, after: torch.Tensor) -> float:
    """Return the mean squared distance of class images before and after learning. Images are
    (B, 3, H, W) in [-1, 1], the distance is that of levels in [0, 1].
    """
    return float(((before - after) / 2).square().mean())


def text_drift(before: torch.Tensor, after: torch.Tensor) -> float:
    """Return the distance that the text encoder moved on prompts (B, tokens, width): the mean of
    1 - cosine by token.
    """
    similar = torch.nn.functional.cosine_similarity(before.float(), after.float(), dim=-1)
    return max(0.0, 1 - float(similar.mean()))
