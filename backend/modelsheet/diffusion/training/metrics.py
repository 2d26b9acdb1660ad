"""How well a subject was learnt: subject fidelity, prompt fidelity with the identifier taken out,
prior drift, and the score that picks the best step. The vectors are a Clip's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

# A subject that is not itself is useless: likeness counts as it is, the others once they leave
# what can be borne. A true picture of an unusual subject obeys its prompt by some nine tenths of
# what the base makes of the class, so that a little less than that costs nothing.
OBEDIENT_SHARE, PROMPT_WEIGHT = 0.8, 1.0
TOLERABLE_DRIFT, DRIFT_WEIGHT = 0.03, 5.0  # squared distance of pictures in [0, 1]
# A small CLIP is content when an eye is not: pictures still grow clearer while scores wander.
SAME = 0.02


def score(
    subject_fidelity: float,
    prompt_fidelity: float,
    base_prompt_fidelity: float,
    prior_drift: float,
) -> float:
    """The number by which the best step is kept; `base_prompt_fidelity` is the untuned base's."""
    disobedience = max(0.0, OBEDIENT_SHARE * base_prompt_fidelity - prompt_fidelity)
    excess = max(0.0, prior_drift - TOLERABLE_DRIFT)
    return subject_fidelity - PROMPT_WEIGHT * disobedience - DRIFT_WEIGHT * excess


def is_as_good(score: float, scores: Sequence[float]) -> bool:
    """Whether a later step with this score is to be preferred to all that have these."""
    return score >= max(scores) - SAME


def subject_fidelity(pictures: torch.Tensor, references: torch.Tensor) -> float:
    """Mean cosine of each picture's vector to each reference's; Ruiz et al. 2022, CLIP-I."""
    return float((pictures @ references.T).mean())


def prompt_fidelity(pictures: torch.Tensor, texts: torch.Tensor) -> float:
    """Mean cosine of each picture's vector to its own prompt's; CLIP-T."""
    return float((pictures * texts).sum(1).mean())


def drift(before: torch.Tensor, after: torch.Tensor) -> float:
    """Mean squared distance of class pictures in [0, 1] before and after learning."""
    return float(((before - after) / 2).square().mean())


def text_drift(before: torch.Tensor, after: torch.Tensor) -> float:
    """How far the text encoder moved on prompts (B, tokens, width): mean of 1 - cosine by token."""
    similar = torch.nn.functional.cosine_similarity(before.float(), after.float(), dim=-1)
    return max(0.0, 1 - float(similar.mean()))
