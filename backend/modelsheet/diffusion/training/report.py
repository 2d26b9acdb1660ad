"""Report on a learnt subject: the best validation against the last, the size of the change to each
network, and findings in sentences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from modelsheet.api.learn import LearnReport, LikenessPoint
from modelsheet.diffusion.models.adapter_hypernetwork import LoraFactors
from modelsheet.diffusion.models.hyperparameters import Hyperparameters
from modelsheet.diffusion.training.adapter import ADAPTER_NAME, TrainableAdapter
from modelsheet.diffusion.training.fidelity_metrics import is_as_good
from modelsheet.prompts.captions import PromptTemplate

# Measured on a drawn test subject with sprite32: 60 steps of balanced drift by .005, the text by
# .002, and change the UNet by 7 %; 600 steps of the write-up preset by .070, .207 and 60 %.
_SCORE_LOSS, _PRIOR_DRIFT, _TEXT_DRIFT, _WEIGHT_CHANGE = 0.02, 0.04, 0.05, 0.25


def learn_report(
    hyperparameters: Hyperparameters,
    reference: Hyperparameters,
    naming: PromptTemplate,
    curve: Sequence[LikenessPoint],
    *,
    kept_step: int,
    steps: int,
    adapter: TrainableAdapter,
) -> LearnReport:
    """Compare the kept step with the last and explain the difference.

    `reference` are the family's balanced hyper-parameters. `curve` may begin at step 0, which is
    the untuned base's.
    """
    learnt = [point for point in curve if point.step]
    before = next((point for point in curve if not point.step), None)
    best = _best(learnt, kept_step)
    final = learnt[-1] if learnt else None
    change = {
        name: relative_change(module, adapter.predicted) for name, module in adapter.modules.items()
    }
    findings = [
        *_identifier_findings(naming, adapter),
        *_change_findings(hyperparameters, reference, steps, change),
    ]
    if best is not None and final is not None:
        findings = [
            *_overtraining_findings(best, final, kept_step),
            *_drift_findings(final, hyperparameters, reference),
            *findings,
        ]
    return LearnReport(
        kept_step=kept_step,
        before=before,
        best=best,
        final=final,
        change=change,
        findings=findings,
    )


def with_references(
    report: LearnReport, by_references: LikenessPoint | None, by_both: LikenessPoint | None
) -> LearnReport:
    """Add the likeness by references alone and by both; a None adds nothing."""
    if by_references is None or by_both is None or report.best is None:
        return report
    points = (by_references, report.best, by_both)
    alone, learnt, both = (f"{point.likeness or 0:.2f}" for point in points)
    finding = f"Likeness by its pictures alone {alone}, learnt {learnt}, by both together {both}."
    return report.model_copy(
        update={
            "by_references": by_references,
            "by_both": by_both,
            "findings": [finding, *report.findings],
        }
    )


def _best(curve: Sequence[LikenessPoint], kept_step: int) -> LikenessPoint | None:
    """Return the kept step where none was better, else the one with the best score."""
    scores = [point.score for point in curve]
    kept = [point for point in curve if point.step == kept_step]
    if kept and is_as_good(kept[0].score, scores):
        return kept[0]
    return max(curve, key=lambda point: point.score, default=None)


@torch.no_grad()
def relative_change(module: torch.nn.Module, predicted: LoraFactors) -> float:
    """Return the norm of what learning changed in a network, as a share of the norm of the weights
    it changes; the `predicted` adapter that it began with does not count.
    """
    changed, whole = 0.0, 0.0
    for name, part in module.named_modules():
        if isinstance(part, BaseTunerLayer):
            layer: Any = part  # peft declares neither
            delta = layer.get_delta_weight(ADAPTER_NAME).float()
            if name in predicted:
                down, up = (factor.to(delta).flatten(1) for factor in predicted[name])
                delta = delta - (up @ down).view_as(delta)
            changed += float(delta.square().sum())
            whole += float(layer.get_base_layer().weight.float().square().sum())
    return (changed / whole) ** 0.5 if whole else 0.0


def _overtraining_findings(
    best: LikenessPoint, final: LikenessPoint, kept_step: int
) -> Iterator[str]:
    if best.score - final.score < _SCORE_LOSS:
        return
    kept = "that step was kept" if kept_step == best.step else "yet the last step was kept"
    yield (
        f"It was learnt for too long: the score was {best.score:.2f} at step {best.step} and "
        f"{final.score:.2f} at step {final.step} (likeness {_likeness(best):.2f} → "
        f"{_likeness(final):.2f}, obedience to the prompt {best.prompt_fidelity:.2f} → "
        f"{final.prompt_fidelity:.2f}); {kept}."
    )


def _likeness(point: LikenessPoint) -> float:
    return point.subject_fidelity if point.likeness is None else point.likeness


def _drift_findings(
    final: LikenessPoint, hyperparameters: Hyperparameters, reference: Hyperparameters
) -> Iterator[str]:
    if final.prior_drift > _PRIOR_DRIFT:
        why = (
            ""
            if hyperparameters.prior != "none"
            else ": nothing held the class, for there was no prior"
        )
        yield f"Pictures of the class drifted by {final.prior_drift:.3f}{why}."
    if final.text_drift > _TEXT_DRIFT:
        rate, normal = (
            hyperparameters.text_encoder_learning_rate,
            reference.text_encoder_learning_rate,
        )
        times = f" is {rate / normal:.0f} times the usual {normal:g}" if normal else " was not 0"
        yield (
            "The text encoder reads even prompts without the identifier otherwise (drift "
            f"{final.text_drift:.2f}): its learning rate of {rate:g}{times}."
        )


def _change_findings(
    hyperparameters: Hyperparameters,
    reference: Hyperparameters,
    steps: int,
    change: dict[str, float],
) -> Iterator[str]:
    for name, size in change.items():
        if size > _WEIGHT_CHANGE:
            travelled = hyperparameters.unet_learning_rate * steps
            normal = reference.unet_learning_rate * reference.training_steps
            yield (
                f"The change to the {name.replace('_', ' ')} is {size:.0%} as large as its "
                f"weights: learning rate × steps is {travelled:.3g}, the balanced preset's "
                f"{normal:.3g}."
            )


def _identifier_findings(naming: PromptTemplate, adapter: TrainableAdapter) -> Iterator[str]:
    tokens = adapter.base.split_word(naming.identifier)
    if len(tokens) > 1:
        pieces = " + ".join(tokens)
        yield (
            f"{naming.identifier!r} is no name of its own: this base model reads it as "
            f"{len(tokens)} common tokens ({pieces})."
        )
