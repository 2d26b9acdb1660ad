"""Generate jobs on tiny SD 1.5: images as requested, with their generation parameters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from modelsheet.api.explore import Axis, Explore
from modelsheet.api.generate import GenerateRequest, MaskRef, PixelArt, Region
from modelsheet.api.generate_result import (
    GeneratedImage,
    GenerateResult,
    GenerationParameters,
    SubjectUse,
)
from modelsheet.api.types import ImageRef
from modelsheet.diffusion.generation.canvas import make_canvas
from modelsheet.diffusion.generation.image_generator import GenerationPipeline, ImageGenerator
from modelsheet.diffusion.generation.image_plan import ResolvedPrompt, plan_image
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.errors import Cancelled, InvalidImages, InvalidRequest
from modelsheet.imaging.palettes import format_hex_colour
from modelsheet.imaging.rgba import from_bgra
from modelsheet.prompts.image_requests import image_requests
from modelsheet.worker import generate_job
from modelsheet.worker.generate_job import generate
from modelsheet.worker.output_size import sheet_columns
from modelsheet.worker.runner import Worker
from tests.diffusion.generation.matting_graph import write_graph
from tests.diffusion.training.test_learning_session import Context

Ask = Callable[..., GenerateResult]


@pytest.fixture
def context(data_dir: Path) -> Context:
    return Context(data_dir, "ee")


@pytest.fixture(scope="module")
def pipeline(sd15: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> GenerationPipeline:
    return GenerationPipeline(sd15, tmp_path_factory.mktemp("data"))


@pytest.fixture
def ask(pipeline: GenerationPipeline, context: Context) -> Ask:
    def asked(prompt: str = "an imp", **fields: object) -> GenerateResult:
        request = GenerateRequest(prompt=prompt, inference_steps=2).model_copy(update=fields)
        return generate(pipeline, request, ResolvedPrompt, context)

    return asked


@pytest.fixture
def pixels(context: Context) -> Callable[[GeneratedImage], np.ndarray]:
    def read(image: GeneratedImage) -> np.ndarray:
        return np.asarray(from_bgra(context.read_blob(image.blob), image.width, image.height))

    return read


Pixels = Callable[[GeneratedImage], np.ndarray]


def canvas() -> Image.Image:
    noise = np.random.default_rng(2).integers(0, 256, (60, 90, 4), dtype=np.uint8)
    return Image.fromarray(noise)


def send_mask(context: Context, size: tuple[int, int], *box: int) -> MaskRef:
    mask = Image.new("L", size)
    if box:
        ImageDraw.Draw(mask).rectangle(box, fill=255)
    blob = context.write_blob(mask.tobytes())
    return MaskRef(blob=blob, width=size[0], height=size[1])


def test_generation_parameters_sent_again_give_the_same_pixels(ask: Ask, pixels: Pixels) -> None:
    first = ask("a {red|green} slime", seed=5, sampler="Euler a").images[0]
    assert first.recipe is not None

    again = ask(**{n: getattr(first.recipe.request, n) for n in GenerateRequest.model_fields})

    assert np.array_equal(pixels(again.images[0]), pixels(first))
    assert again.images[0].recipe == first.recipe
    assert first.recipe.sampler == "Euler a"
    assert first.recipe.text in ("a red slime", "a green slime")


def test_strength_0_gives_the_image_back(ask: Ask, context: Context, pixels: Pixels) -> None:
    result = ask(init_image=context.send(canvas()), strength=0.0)

    assert np.array_equal(pixels(result.images[0]), np.asarray(canvas()))


def test_a_changed_image_has_the_size_it_had(ask: Ask, context: Context) -> None:
    (image,) = ask(init_image=context.send(canvas()), strength=0.4).images

    assert (image.width, image.height) == (90, 60)
    assert image.recipe is not None
    assert image.recipe.request.strength == 0.4


@pytest.mark.parametrize("with_mask", [False, True])
def test_the_smallest_strength_leaves_every_byte(
    ask: Ask, context: Context, pixels: Pixels, with_mask: bool
) -> None:
    picture = canvas()
    picture.putalpha(255)
    mask = send_mask(context, (90, 60), 20, 10, 49, 39) if with_mask else None

    result = ask(init_image=context.send(picture), mask=mask, strength=1e-5)

    assert np.array_equal(pixels(result.images[0]), np.asarray(picture))


def test_a_patch_can_be_trimmed_to_the_selection(
    ask: Ask, context: Context, pixels: Pixels
) -> None:
    fields = {
        "init_image": context.send(canvas()),
        "mask": send_mask(context, (90, 60), 20, 10, 49, 39),
        "patch": True,
    }

    whole, trimmed = ask(**fields).images[0], ask(**fields, trim=True).images[0]

    assert (trimmed.width, trimmed.height) == (30, 30)
    assert np.array_equal(pixels(trimmed), pixels(whole)[10:40, 20:50])


def test_a_background_that_must_stay_is_said(ask: Ask, context: Context, pixels: Pixels) -> None:
    picture = canvas()
    picture.putalpha(255)

    result = ask(init_image=context.send(picture), strength=0.5, transparent=True)

    assert "has a background, so it was kept" in result.warnings[0]
    assert (pixels(result.images[0])[..., 3] == 255).all()


@pytest.mark.parametrize("transparent", [False, True])
def test_inpainting_leaves_the_rest(
    ask: Ask, context: Context, pixels: Pixels, transparent: bool
) -> None:
    mask = send_mask(context, (90, 60), 20, 10, 49, 39)

    result = ask(init_image=context.send(canvas()), mask=mask, transparent=transparent)

    before, after = np.asarray(canvas()), pixels(result.images[0])
    inside = np.zeros((60, 90), bool)
    inside[10:40, 20:50] = True
    assert np.array_equal(before[~inside], after[~inside])
    assert (before[inside] != after[inside]).any()


def test_an_empty_selection_is_refused(ask: Ask, context: Context) -> None:
    with pytest.raises(InvalidImages, match="The selection is empty"):
        ask(init_image=context.send(canvas()), mask=send_mask(context, (90, 60)))


def test_regions_have_the_size_of_their_masks(ask: Ask, context: Context) -> None:
    left = send_mask(context, (128, 64), 0, 0, 63, 63)
    right = send_mask(context, (128, 64), 64, 0, 127, 63)
    regions = [Region(prompt="a red slime", mask=left), Region(prompt="a bat", mask=right)]

    (image,) = ask(regions=regions).images

    assert (image.width, image.height) == (128, 64)
    assert image.recipe is not None
    assert (image.recipe.width, image.recipe.height) == (128, 64)


def test_every_cell_of_a_grid_is_the_image_of_its_settings(ask: Ask, pixels: Pixels) -> None:
    grid = Explore(
        across=Axis(name="guidance_scale", values=[1.0, 4.0]),
        down=Axis(name="inference_steps", values=[2.0, 3.0]),
    )

    result = ask(seed=3, explore=grid)

    assert [image.label for image in result.images][1] == "steps 2, guidance 4"
    assert result.sheet is not None
    assert result.columns == 2
    alone = ask(seed=3, inference_steps=3, guidance_scale=4.0).images[0]
    difference = pixels(result.images[3]).astype(int) - pixels(alone).astype(int)
    assert np.abs(difference).max() <= 1


def test_poses_come_as_frames_of_one_size_with_their_sheet(ask: Ask) -> None:
    result = ask(poses=["asleep", "running", "sitting"], transparent=True)

    assert [image.label for image in result.images] == ["asleep", "running", "sitting"]
    assert len({(image.width, image.height) for image in result.images}) == 1
    assert result.sheet is not None
    assert result.sheet.width == 3 * result.images[0].width


def test_pixel_art_has_few_colours_and_hard_alpha(ask: Ask, pixels: Pixels) -> None:
    art = PixelArt(colours=5, pixel_size=4, enlarge=2)

    (image,) = ask(pixel_art=art, transparent=True).images

    rgba = pixels(image).reshape(-1, 4)
    assert (image.width, image.height) == (32, 32)
    assert set(rgba[:, 3].tolist()) <= {0, 255}
    assert len(np.unique(rgba[rgba[:, 3] > 0], axis=0)) <= 5


def test_a_sprite_stands_free_or_that_it_does_not_is_said(
    ask: Ask, context: Context, pixels: Pixels
) -> None:
    art = PixelArt(colours=5, pixel_size=4)

    result = ask(count=4, pixel_art=art, transparent=True)

    frames = [pixels(image)[..., 3] for image in result.images]
    fills = sum(bool(f[[0, -1]].any() or f[:, [0, -1]].any()) for f in frames)
    said = [f"{fills} of 4 figures fill their frame from edge to edge."] if fills else []
    assert [line for line in result.warnings if "frame" in line] == said
    in_place = ask(pixel_art=art, transparent=True, init_image=context.send(canvas()), strength=0.5)
    assert [line for line in in_place.warnings if "frame" in line] == []


def test_matting_removes_scenery_and_the_parameters_say_so(
    sd15: BaseModel, context: Context, pixels: Pixels, tmp_path: Path
) -> None:
    write_graph(tmp_path)
    request = GenerateRequest(
        prompt="an imp, on grass floor", inference_steps=2, transparent=True, cutout="matting"
    )

    result = generate(GenerationPipeline(sd15, tmp_path), request, ResolvedPrompt, context)

    opaque = generate(
        GenerationPipeline(sd15, tmp_path),
        request.model_copy(update={"transparent": False, "cutout": "auto"}),
        ResolvedPrompt,
        context,
    )
    painted, cut = pixels(opaque.images[0]), pixels(result.images[0])
    redness = painted[..., 0] / 255.0
    assert np.abs(cut[..., 3] / 255.0 - redness).mean() < 0.05
    assert result.warnings == []
    assert result.images[0].recipe is not None
    assert result.images[0].recipe.request.cutout == "matting"


def test_without_the_matting_model_the_figure_is_keyed_and_that_is_said(ask: Ask) -> None:
    result = ask(transparent=True, cutout="matting")

    assert "modelsheet models download matting" in result.warnings[0]
    assert result.images[0].recipe is not None
    assert result.images[0].recipe.request.cutout == "keying"


PALETTE = ("#c83028", "#1e1419", "#f0e65a")


def resolve_pixel_art(prompt: str) -> ResolvedPrompt:
    subjects = () if "@" not in prompt else (SubjectUse(**USE),)
    references = (Image.new("RGBA", (32, 32), (200, 48, 40, 255)),) if subjects else ()
    return ResolvedPrompt(prompt, subjects, (), references, PALETTE if "@imp" in prompt else ())


USE = {"id": "a", "name": "imp", "identifier": "sks", "class_noun": "imp", "adapter_sha256": ""}


@pytest.fixture
def ask_sprite(
    sprite: GenerationPipeline, context: Context
) -> Callable[..., tuple[GeneratedImage, GenerationParameters]]:
    def asked(prompt: str, **fields: object) -> tuple[GeneratedImage, GenerationParameters]:
        request = GenerateRequest(prompt=prompt, inference_steps=2).model_copy(update=fields)
        (image,) = generate(sprite, request, resolve_pixel_art, context).images
        assert image.recipe is not None
        return image, image.recipe

    return asked


@pytest.fixture
def sprite(pipeline: GenerationPipeline, monkeypatch: pytest.MonkeyPatch) -> GenerationPipeline:
    monkeypatch.setattr(BaseModel, "is_pixel_art", property(lambda base: True))
    return pipeline


def test_subjects_of_pixel_art_are_painted_as_pixel_art(
    ask_sprite: Callable[..., tuple[GeneratedImage, GenerationParameters]], pixels: Pixels
) -> None:
    alone, recipe = ask_sprite("@imp", transparent=True)
    whole, whole_recipe = ask_sprite("@imp")

    visible = pixels(alone)[pixels(alone)[..., 3] > 0]
    assert set(np.unique(pixels(alone)[..., 3])) <= {0, 255}
    assert {format_hex_colour(tuple(each[:3])) for each in visible} <= set(PALETTE)
    assert recipe.request.pixel_art == PixelArt(palette=list(PALETTE))
    assert whole_recipe.request.pixel_art == PixelArt(palette="both", colours=256)
    assert (pixels(whole)[..., 3] == 255).all()
    _, scenic = ask_sprite("@imp, on grass floor", transparent=True)
    assert scenic.request.pixel_art == PixelArt(palette="both", colours=256), "the grass is no imp"


def test_what_the_canvas_brings_keeps_its_colours(
    ask_sprite: Callable[..., tuple[GeneratedImage, GenerationParameters]],
    context: Context,
    pixels: Pixels,
) -> None:
    robe, scarf = (90, 140, 200), (60, 140, 70)
    drawn = Image.new("RGBA", (64, 64))
    drawn.paste((*robe, 255), (16, 8, 48, 64))
    drawn.paste((*scarf, 255), (16, 20, 48, 28))

    image, recipe = ask_sprite(
        "@imp", init_image=context.send(drawn), strength=0.05, transparent=True
    )

    brought = ["#3c8c46", "#5a8cc8"]
    assert recipe.request.pixel_art == PixelArt(palette=[*PALETTE, *brought])
    inside = pixels(image)[32:60, 20:44, :3]
    assert (inside == robe).all(axis=-1).mean() > 0.9
    shaded = Image.radial_gradient("L").resize((64, 64)).convert("RGBA")
    _, recipe = ask_sprite("@imp", init_image=context.send(shaded), strength=0.05)
    assert recipe.request.pixel_art is False, "the canvas is no pixel art"


@pytest.mark.parametrize(
    ("prompt", "fields"),
    [
        ("a hill", {}),
        ("@painted", {}),
        ("@imp", {"pixel_art": False}),
        ("@imp", {"width": 40, "height": 72}),
        ("@imp", {"unet_scale": 0.0}),
        ("@imp", {"unet_scale": 0.4}),
    ],
    ids=["no subject", "no pixel art", "not wanted", "no whole pixels", "no scale", "hardly any"],
)
def test_nothing_else_becomes_pixel_art_by_itself(
    ask_sprite: Callable[..., tuple[GeneratedImage, GenerationParameters]],
    prompt: str,
    fields: dict[str, object],
) -> None:
    _, recipe = ask_sprite(prompt, **fields)

    assert recipe.request.pixel_art is False


def test_a_base_that_paints_no_pixels_is_left_alone(
    pipeline: GenerationPipeline, context: Context
) -> None:
    request = GenerateRequest(prompt="@imp", inference_steps=2)

    (image,) = generate(pipeline, request, resolve_pixel_art, context).images

    assert image.recipe is not None
    assert image.recipe.request.pixel_art is False


def test_words_that_sprite32_has_never_seen_are_said(tmp_path: Path) -> None:
    worker, context = Worker(tmp_path, torch.device("cpu")), Context(tmp_path, "e1")

    def warnings(prompt: str) -> str:
        request = GenerateRequest(prompt=prompt, inference_steps=4, transparent=True, seed=1)
        result = worker.run(request, context)
        assert isinstance(result, GenerateResult)
        return " ".join(result.warnings)

    unknown = warnings("elf woman, riding on the beach")
    assert "counted for nothing: riding, beach." in unknown
    assert warnings("elf woman, holding sword") == ""


def test_a_subject_s_palette_needs_a_subject(ask: Ask) -> None:
    with pytest.raises(InvalidRequest, match="names no subject"):
        ask(pixel_art=PixelArt(palette="subject"))


def test_a_variation_lies_between_two_seeds(ask: Ask, pixels: Pixels) -> None:
    def far(share: float) -> float:
        result = ask(seed=1, variation_seed=2, variation_strength=share)
        return float(np.square(pixels(result.images[0]).astype(float) - seed_1).mean())

    seed_1 = pixels(ask(seed=1).images[0]).astype(float)
    seed_2 = pixels(ask(seed=2).images[0]).astype(float)

    assert 0 < far(0.2) < far(1.0) == float(np.square(seed_2 - seed_1).mean())


def test_a_tile_s_edges_meet(ask: Ask, pixels: Pixels, sd15: BaseModel) -> None:
    def seam(tiling: bool) -> float:
        picture = pixels(ask(seed=4, tiling=tiling).images[0]).astype(float)
        inner = np.abs(np.diff(picture, axis=1)).mean()
        return float(np.abs(picture[:, 0] - picture[:, -1]).mean() / inner)

    assert seam(True) < seam(False)
    modes = {m.padding_mode for m in sd15.unet.modules() if isinstance(m, torch.nn.Conv2d)}
    assert modes == {"zeros"}


def test_short_memory_is_met_by_smaller_batches_and_a_warning(
    pipeline: GenerationPipeline, context: Context, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate_batch, sizes = ImageGenerator._generate_batch, list[int]()

    def short(generator: ImageGenerator, plans: list) -> list[Image.Image]:
        sizes.append(len(plans))
        if len(plans) > 2:
            raise torch.OutOfMemoryError("short")
        return generate_batch(generator, plans)

    monkeypatch.setattr(ImageGenerator, "_generate_batch", short)
    monkeypatch.setattr(pipeline.oom_fallback, "batch_size", 8)

    result = ask(count=5)

    assert sizes == [5, 4, 2, 2, 1]
    assert [image.seed for image in result.images] == [0, 1, 2, 3, 4]
    assert "2 at once were painted" in result.warnings[0]


def test_previews_come_while_denoising(pipeline: GenerationPipeline, context: Context) -> None:
    request = GenerateRequest(prompt="an imp", inference_steps=3, guidance_scale=5.0)
    ticks = iter(range(0, 100, 2))
    canvas = make_canvas(pipeline.base, request, context)
    generator = ImageGenerator(
        pipeline,
        canvas,
        "DDIM",
        context,
        clock=lambda: float(next(ticks)),
    )

    generator.generate(
        [plan_image(image, ResolvedPrompt, "sd15", canvas) for image in image_requests(request)],
        tiling=False,
    )

    assert [len(said.previews) for said in context.said] == [1, 1, 0]
    assert context.said[0].previews[0].width == 8
    assert context.said[0].eta_s == 12.0  # one of three steps is done at the fourth tick, of 6 s
    assert context.said[-1].eta_s == 0.0


def test_cancelling_stops_between_two_steps(pipeline: GenerationPipeline, data_dir: Path) -> None:
    context = Context(data_dir, "ef", stop_at=1, directive="cancel")
    request = GenerateRequest(prompt="an imp", inference_steps=3)

    with pytest.raises(Cancelled):
        generate(pipeline, request, ResolvedPrompt, context)

    assert [said.step for said in context.said] == [1]


def test_a_sheet_has_fewer_columns_where_eight_are_too_wide() -> None:
    assert sheet_columns(8, (1152, 896)) == 7
    assert sheet_columns(3, (32, 32)) == 3
    assert sheet_columns(64, (32, 32)) == 8
    assert sheet_columns(64, (256, 1170)) == 10  # eight columns would be too high
    assert sheet_columns(64, (1152, 896)) == sheet_columns(1, (9000, 32)) == 0


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"pixel_art": PixelArt(enlarge=32), "width": 512, "height": 512}, "16384 × 16384"),
        (
            {"pixel_art": PixelArt(enlarge=16), "width": 512, "height": 512, "count": 5},
            "5 pictures",
        ),
        ({"poses": ["a"] * 60, "width": 1600, "height": 1600}, "sheet of 60 frames"),
    ],
)
def test_what_would_be_too_large_is_refused_before_anything_is_painted(
    ask: Ask, fields: dict[str, object], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageGenerator, "generate", None)  # it would fail

    with pytest.raises(InvalidRequest, match=sentence):
        ask(**fields)


def test_a_side_left_open_is_no_way_to_a_larger_picture(ask: Ask, context: Context) -> None:
    strip = ImageRef(blob=context.write_blob(bytes(8 * 800 * 4)), width=8, height=800)

    with pytest.raises(InvalidRequest, match="800 × 80000 pixels"):
        ask(init_image=strip, width=800)


def test_frames_that_would_not_fit_once_aligned_stay_as_they_are(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wide(images: list[Image.Image]) -> list[Image.Image]:
        return [Image.new("RGBA", (5000, 9000)) for _ in images]

    monkeypatch.setattr(generate_job, "align_sprites", wide)

    result = ask(poses=["asleep", "running"], transparent=True)

    assert [image.height for image in result.images] == [64, 64]
    assert any("were not aligned" in warning for warning in result.warnings)
