"""Scenes to pictures: in batches as large as memory allows, with progress and previews."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image

from modelsheet.api.generate import GenerateRequest, SamplerName
from modelsheet.api.generate_result import GeneratedImage
from modelsheet.api.jobs import Progress
from modelsheet.diffusion.generation.adapters import Wardrobe
from modelsheet.diffusion.generation.background_removal import Cutter
from modelsheet.diffusion.generation.canvas import Canvas, start_on
from modelsheet.diffusion.generation.latent_preview import PreviewDecoder
from modelsheet.diffusion.generation.oom_fallback import MemoryLadder
from modelsheet.diffusion.generation.scene import Scene
from modelsheet.diffusion.generation.seamless_tiling import edges_joined
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.decoder_correction import Correction, corrected, decode_places
from modelsheet.diffusion.models.prompt_encoding import stack
from modelsheet.diffusion.sampling.denoise import Look, Run, Start, View, denoise, first_step
from modelsheet.diffusion.sampling.plain_generation import draw_noise, to_images
from modelsheet.diffusion.sampling.samplers import make_sampler
from modelsheet.errors import Cancelled
from modelsheet.imaging.rgba import Colour
from modelsheet.jobs.blob_images import write_picture
from modelsheet.jobs.protocol import Directive, JobContext

_PREVIEW_INTERVAL_S = 1.0
_WHITE: Colour = (255, 255, 255)


class Studio:
    """A base with everything that stays warm between jobs."""

    def __init__(self, base: BaseModel, data_dir: Path) -> None:
        self.base = base
        self.cutter = Cutter(data_dir)
        self.wardrobe = Wardrobe(base)
        self.ladder = MemoryLadder(base)
        self._preview: PreviewDecoder | None = None

    @property
    def preview(self) -> PreviewDecoder:
        if self._preview is None:
            self._preview = PreviewDecoder(self.base)
        return self._preview


class Painter:
    """Paints one job's scenes on one canvas, all with explicit steps and guidance."""

    def __init__(
        self,
        studio: Studio,
        canvas: Canvas,
        sampler: SamplerName,
        context: JobContext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._studio, self._base = studio, studio.base
        self._canvas, self._sampler = canvas, sampler
        self._context, self._clock = context, clock
        self._done = self._total = 0
        self._began = self._shown = clock()

    def paint(self, scenes: Sequence[Scene], *, tiling: bool) -> list[Image.Image]:
        """RGB pictures in the order of the scenes. Raises Cancelled, torch.OutOfMemoryError."""
        self._total = sum(self._steps(scene) for scene in scenes)
        painted: dict[int, Image.Image] = {}
        with edges_joined(self._base, tiling):
            for company in _companies(scenes):
                self._paint_company(company, scenes, painted)
        return [painted[index] for index in range(len(scenes))]

    def _paint_company(
        self, waiting: list[int], scenes: Sequence[Scene], painted: dict[int, Image.Image]
    ) -> None:
        """Batch by batch; one that is too large for the memory is tried again smaller."""
        ladder = self._studio.ladder
        while waiting:
            batch, done = waiting[: ladder.pictures_at_once], self._done
            try:
                pictures = self._paint_batch([scenes[index] for index in batch])
            except torch.OutOfMemoryError:
                self._done = done
                if not ladder.descend():
                    raise
                continue
            painted.update(zip(batch, pictures, strict=True))
            waiting = waiting[len(batch) :]

    def _paint_batch(self, scenes: Sequence[Scene]) -> list[Image.Image]:
        requests = [scene.shot.request for scene in scenes]
        generators = [torch.Generator().manual_seed(request.seed) for request in requests]
        run = Run(
            views=self._views(scenes),
            noise=self._noise(requests, generators),
            guidance=[_guidance(request) for request in requests],
            generators=generators,
            start=self._start(scenes),
            watch=self._watch(scenes),
        )
        sampler = make_sampler(self._base, self._sampler, requests[0].inference_steps or 1)
        latents = denoise(self._base, run, sampler)
        self._done += sum(self._steps(scene) for scene in scenes)
        return to_images(self._decoded(latents, scenes[0]))

    def _decoded(self, latents: torch.Tensor, scene: Scene) -> torch.Tensor:
        """Pictures (B, 3, H, W), each place as its subject's own decoder has it."""
        return decode_places(self._base, latents, self._places(scene, latents))

    def _places(self, scene: Scene, latents: torch.Tensor) -> list[tuple[Correction, torch.Tensor]]:
        corrections = [self._studio.wardrobe.correction(outfit) for outfit in scene.outfits]
        everywhere, stage = latents.new_ones(latents.shape[-2:]), self._canvas.stage
        if stage is None:
            return [(corrections[0], everywhere)]
        weights = [torch.from_numpy(stage.ground)]
        for spot in stage.spots:
            left, top, right, bottom = spot.window
            weights.append(torch.zeros_like(weights[0]))
            weights[-1][top:bottom, left:right] = torch.from_numpy(spot.weight)
        return list(zip(corrections, weights, strict=True))

    def _views(self, scenes: Sequence[Scene]) -> list[View]:
        """The whole picture, and each region in its window."""
        stage = self._canvas.stage
        views = [self._view(scenes, 0)]
        if stage is None:
            return views
        ground = torch.from_numpy(stage.ground).to(self._base.device)
        views[0] = self._view(scenes, 0, weight=ground)
        for number, spot in enumerate(stage.spots, start=1):
            left, top, right, bottom = spot.window
            window = (slice(top, bottom), slice(left, right))
            weight = torch.from_numpy(spot.weight.copy()).to(self._base.device)
            views.append(self._view(scenes, number, window, weight))
        return views

    def _view(
        self,
        scenes: Sequence[Scene],
        number: int,
        window: tuple[slice, slice] = (slice(None), slice(None)),
        weight: torch.Tensor | None = None,
    ) -> View:
        wardrobe, outfit = self._studio.wardrobe, scenes[0].outfits[number]
        embeds = [wardrobe.embed(s.texts[number], s.outfits[number]) for s in scenes]
        negative = [
            wardrobe.embed(s.shot.request.negative_prompt, s.outfits[number]) for s in scenes
        ]
        longest = max(each.hidden.shape[1] for each in [*embeds, *negative])
        return View(
            embeds=stack(self._base, embeds, longest),
            negative=stack(self._base, negative, longest),
            window=window,
            weight=weight,
            enter=lambda: wardrobe.put_on(outfit),
        )

    def _noise(
        self, requests: Sequence[GenerateRequest], generators: Sequence[torch.Generator]
    ) -> torch.Tensor:
        noise = draw_noise(self._base, generators, *self._canvas.size)
        if not any(request.variation_strength for request in requests):
            return noise
        others = [torch.Generator().manual_seed(request.variation_seed) for request in requests]
        other = draw_noise(self._base, others, *self._canvas.size)
        shares = [request.variation_strength for request in requests]
        return torch.stack([_slerp(*each) for each in zip(noise, other, shares, strict=True)])

    def _start(self, scenes: Sequence[Scene]) -> Start | None:
        backdrop = scenes[0].backdrop
        paper = backdrop.colour if backdrop else _WHITE
        start = start_on(self._base, self._canvas, paper, alone=backdrop is not None)
        if start is None:
            return None
        return Start(start.latents.repeat(len(scenes), 1, 1, 1), start.strength, start.free)

    def _steps(self, scene: Scene) -> int:
        """How many steps a scene takes: changing a picture a little takes fewer."""
        steps = scene.shot.request.inference_steps or 1
        strength = self._canvas.strength if self._canvas.picture is not None else 1.0
        return steps - first_step(strength, steps)

    def _watch(self, scenes: Sequence[Scene]) -> Callable[[Look, int, int], None]:
        before = self._done

        def watch(look: Look, step: int, total: int) -> None:
            done = before + step * len(scenes)
            previews = self._previews(look, scenes) if step < total else []
            self._context.progress(
                Progress(
                    phase="painting",
                    step=done,
                    total=self._total,
                    fraction=min(1.0, done / self._total),
                    eta_s=(self._clock() - self._began) / done * max(0, self._total - done),
                    previews=previews,
                )
            )
            if self._context.directive() is Directive.CANCEL:
                raise Cancelled("Painting was cancelled.")

        return watch

    def _previews(self, look: Look, scenes: Sequence[Scene]) -> list[GeneratedImage]:
        if self._clock() - self._shown < _PREVIEW_INTERVAL_S:
            return []
        self._shown = self._clock()
        with corrected(self._base, self._studio.wardrobe.correction(scenes[0].outfits[0])):
            pictures = self._studio.preview.pictures(look())
        return [
            write_picture(picture, s.shot.request.seed, s.shot.request.prompt, self._context)
            for picture, s in zip(pictures, scenes, strict=True)
        ]


def _companies(scenes: Sequence[Scene]) -> Iterator[list[int]]:
    """Which scenes can share batches, by their index."""
    companies: dict[tuple[object, ...], list[int]] = {}
    for index, scene in enumerate(scenes):
        companies.setdefault(scene.key, []).append(index)
    yield from companies.values()


def _guidance(request: GenerateRequest) -> float:
    return 1.0 if request.guidance_scale is None else request.guidance_scale


def _slerp(first: torch.Tensor, second: torch.Tensor, share: float) -> torch.Tensor:
    """Between two noises along the sphere, on which a mixture of them is noise again."""
    cosine = torch.nn.functional.cosine_similarity(first.flatten(), second.flatten(), dim=0)
    angle = torch.arccos(cosine.clamp(-1.0, 1.0))
    if float(angle.sin()) < 1e-4:
        return first
    return (((1 - share) * angle).sin() * first + (share * angle).sin() * second) / angle.sin()
