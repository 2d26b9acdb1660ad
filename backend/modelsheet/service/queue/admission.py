"""Check requests before they are queued, to refuse impossible ones at once in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modelsheet.api.animate import AnimateRequest
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.jobs import JobRequest
from modelsheet.api.learn import LearnRequest
from modelsheet.api.models import BaseModelView, DownloadRequest
from modelsheet.api.types import ImageRef
from modelsheet.base_models.families import FAMILIES
from modelsheet.base_models.locate import (
    DEFAULT_BASE_MODEL,
    family_of_base_model,
    view_of_base_model,
)
from modelsheet.errors import InvalidImages, InvalidRequest, ModelMissing
from modelsheet.imaging.inpainting import read_mask
from modelsheet.motion.figures.mannequin_archive import embedded_mannequins
from modelsheet.prompts.mentions import expand_prompt
from modelsheet.prompts.syntax import check_syntax
from modelsheet.service.auth.caller import Caller
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.subjects.handles import require_handle
from modelsheet.subjects.store import SubjectStore

_BYTES_PER_PIXEL = 4


class Admission:
    """Check the blobs, subjects and base models that a request refers to."""

    def __init__(
        self,
        blobs: BlobStore,
        subjects: SubjectStore,
        base_models: Callable[[], Sequence[BaseModelView]],
    ) -> None:
        self._blobs = blobs
        self._subjects = subjects
        self._base_models = base_models

    def check(self, request: JobRequest, caller: Caller) -> None:
        """Raise InvalidRequest, InvalidImages, ModelMissing, NotFound or Conflict if the request
        cannot be carried out.
        """
        if isinstance(request, DownloadRequest):
            _check_download(caller)
            return
        if isinstance(request, AnimateRequest):
            self._check_animate(request, caller)
            return
        if isinstance(request, GenerateRequest):
            self._check_generate(request, caller)
            return
        self._check_base_model(request.base_model)
        for number, image in enumerate(request.images, start=1):
            self._check_image(number, image)
        if isinstance(request, LearnRequest):
            _check_learn(request)
            self._subjects.require_free_handle(
                request.name, caller.name, but=request.replaces, takes_over=True
            )

    def _check_models(self, request: GenerateRequest, caller: Caller) -> None:
        """Check that the base model fits the subjects, and takes references where they need it."""
        subjects = self._subjects.list(caller.scope)
        mentioned = expand_prompt(request.all_prompts, subjects, caller.name)
        learnt_on = mentioned.learnt_on
        wanted = request.base_model or mentioned.base_model or DEFAULT_BASE_MODEL
        if learnt_on is not None and not self._fits(learnt_on, wanted):
            raise InvalidRequest(
                f"The subject was learnt on {learnt_on}, and its adapter fits no other base model. "
                f"Leave the base model open, or learn the subject on {wanted}."
            )
        self._check_base_model(wanted)
        view = view_of_base_model(wanted, self._base_models())
        unlearnt = next((one.handle for one in mentioned.subjects if not one.is_learnt), None)
        if view.takes_references:
            return
        if unlearnt is not None:
            raise InvalidRequest(f"@{unlearnt} is not learnt yet. {view.references_note}")
        if request.references or (mentioned.subjects and request.subjects_by != "adapter"):
            raise InvalidRequest(view.references_note)

    def _fits(self, learnt_on: str, wanted: str) -> bool:
        """Tell whether adapters of one base model fit another, such as its distilled twin."""
        families = {model.id: model.family for model in self._base_models()}
        family = families.get(learnt_on)
        if family is None or wanted == learnt_on:
            return wanted == learnt_on
        return family == families.get(wanted) and FAMILIES[family].shares_adapters

    def _check_generate(self, request: GenerateRequest, caller: Caller) -> None:
        """Check the models, the syntax of prompts, the images and the masks."""
        self._check_models(request, caller)
        places = [region.prompt for region in request.regions]
        for prompt in (request.prompt, request.negative_prompt, *request.poses, *places):
            check_syntax(prompt)
        if request.init_image is not None:
            self._check_image(1, request.init_image)
        for number, reference in enumerate(request.references, 1):
            self._check_image(number, reference)
        for mask in (request.mask, *(region.mask for region in request.regions)):
            if mask is not None:
                read_mask(self._blobs.read(mask.blob), mask.width, mask.height)

    def _check_animate(self, request: AnimateRequest, caller: Caller) -> None:
        """Check the pictures, that the actions are known, and that the subject is of pixel art."""
        own = [image for action in request.own_actions for image in action.mannequins]
        images = [*(drawing.image for drawing in request.drawings), *own]
        for number, image in enumerate(images, start=1):
            self._check_image(number, image)
        for action in request.actions:
            embedded_mannequins().action(action)
        if request.fit is not None:
            embedded_mannequins().figure(request.fit.body)
        if request.subject is None:
            return
        subject = self._subjects.find(request.subject, caller.scope)
        family = family_of_base_model(subject.base_model, self._base_models())
        if not FAMILIES[family].is_pixel_art:
            raise InvalidRequest(
                f"@{subject.handle} was learnt as a painting, on {subject.base_model}, and motion "
                "is for pixel art. Give a drawing of it of about 50 px height, without a subject."
            )

    def _check_image(self, number: int, image: ImageRef) -> None:
        size = self._blobs.size(image.blob)
        expected = image.width * image.height * _BYTES_PER_PIXEL
        if size is None:
            raise InvalidImages(
                f"Picture {number} is not on the service (blob {image.blob[:12]}…); send it first."
            )
        if size != expected:
            raise InvalidImages(
                f"Picture {number} should have {expected} bytes for {image.width} x {image.height} "
                f"pixels of BGRA, but its blob has {size}; send the pixels again."
            )

    def _check_base_model(self, wanted: str) -> None:
        models = {model.id: model for model in self._base_models()}
        if wanted not in models:
            known = ", ".join(models)
            raise ModelMissing(f"There is no base model of that name; known are: {known}.")
        if not models[wanted].available:
            raise ModelMissing(f"The base model {wanted} cannot be used: {models[wanted].note}")


def _check_download(caller: Caller) -> None:
    if not caller.is_operator:
        raise InvalidRequest(
            "Only who runs the service can download models onto its machine; ask them to."
        )


def _check_learn(request: LearnRequest) -> None:
    require_handle(request.name)
    if request.captions is not None and len(request.captions) != len(request.images):
        raise InvalidRequest(
            f"There are {len(request.captions)} captions for {len(request.images)} pictures; "
            "send one for each, or none at all."
        )
