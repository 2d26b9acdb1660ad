"""The matting model's alpha becomes a cut-out without fringe or hole; the graph is a small one
whose right answer is known, and goes through the true loading.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from modelsheet.api.generate import GenerateRequest
from modelsheet.diffusion.generation.background_colour import FlatBackground
from modelsheet.diffusion.generation.background_removal import BackgroundRemover
from modelsheet.diffusion.generation.matting import MattingModel
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.errors import ModelMissing, UnsafeModel
from modelsheet.imaging.rgba import composite, resize
from tests.diffusion.generation.matting_graph import write_graph

SIDE = 64
WHITE_BACKGROUND = FlatBackground(", on a plain white background", (255, 255, 255))
Array = npt.NDArray[np.float64]


def figure() -> Image.Image:
    """Red throughout, with greens and blues of its own, and a smooth edge."""
    large = Image.new("RGBA", (8 * SIDE, 8 * SIDE), (255, 60, 20, 0))
    pencil = ImageDraw.Draw(large)
    pencil.ellipse((100, 60, 420, 460), fill=(255, 60, 20, 255))
    pencil.rectangle((200, 200, 320, 330), fill=(255, 220, 140, 255))
    return resize(large, SIDE, SIDE)


def scenery() -> Image.Image:
    """A background that no keying takes away: without red, and different everywhere."""
    y, x = np.mgrid[:SIDE, :SIDE]
    levels = np.stack([0 * x, 40 + 3 * x, 240 - 3 * y], axis=-1).astype(np.uint8)
    return Image.fromarray(levels)


def in_scenery() -> Image.Image:
    whole = scenery().convert("RGBA")
    whole.alpha_composite(figure())
    return whole.convert("RGB")


def alpha_of(picture: Image.Image) -> Array:
    return np.asarray(picture.convert("RGBA"))[..., 3] / 255.0


@pytest.fixture
def matting(tmp_path: Path) -> MattingModel:
    write_graph(tmp_path, SIDE)
    return MattingModel.load(tmp_path)


def test_a_figure_is_cut_out_of_scenery_without_fringe_or_hole(matting: MattingModel) -> None:
    cut = matting.cut_out(in_scenery())

    true = alpha_of(figure())
    error = np.abs(alpha_of(cut) - true)
    assert error.max() < 0.05
    assert (alpha_of(cut)[true == 1.0] == 1.0).all()
    assert (alpha_of(cut)[true == 0.0] == 0.0).all()
    for colour in ((0, 0, 0), (255, 255, 255), (0, 255, 0)):
        seen = np.asarray(composite(cut, colour)).astype(int)
        wanted = np.asarray(composite(figure(), colour)).astype(int)
        assert np.abs(seen - wanted).max() <= 24
        assert np.abs(seen - wanted).mean() < 0.6


def test_without_unmixing_there_would_be_a_fringe(matting: MattingModel) -> None:
    naive = np.dstack([np.asarray(in_scenery()), np.asarray(matting.cut_out(in_scenery()))[..., 3]])
    edge = (alpha_of(figure()) > 0.2) & (alpha_of(figure()) < 0.8)
    wanted = np.asarray(composite(figure(), (255, 255, 255))).astype(int)

    def fringe(picture: Image.Image) -> float:
        seen = np.asarray(composite(picture, (255, 255, 255))).astype(int)
        return float(np.abs(seen - wanted)[edge].mean())

    assert fringe(matting.cut_out(in_scenery())) < fringe(Image.fromarray(naive)) / 3


def test_opaque_pixels_keep_their_colours(matting: MattingModel) -> None:
    cut = np.asarray(matting.cut_out(in_scenery()))

    inside = alpha_of(figure()) == 1.0
    assert np.array_equal(cut[inside][:, :3], np.asarray(in_scenery())[inside])


def test_a_pinhole_is_filled_and_a_true_hole_stays(tmp_path: Path) -> None:
    write_graph(tmp_path, 256)
    matting = MattingModel.load(tmp_path)
    picture = Image.new("RGB", (256, 256), (0, 90, 200))
    picture.paste((255, 60, 20), (40, 40, 216, 216))
    picture.paste((0, 90, 200), (60, 60, 63, 63))
    picture.paste((0, 90, 200), (120, 120, 160, 160))
    assert matting.predict_alpha(picture)[61, 61] == 0.0

    alpha = alpha_of(matting.cut_out(picture, hard_edge=True))

    assert (alpha[55:67, 55:67] == 1.0).all()
    assert (alpha[125:155, 125:155] == 0.0).all()


def test_an_image_of_any_size_comes_back_in_its_size(matting: MattingModel) -> None:
    for size in ((32, 32), (300, 200), (7, 90)):
        cut = matting.cut_out(in_scenery().resize(size), hard_edge=True)

        assert cut.size == size
        assert set(np.unique(alpha_of(cut))) <= {0.0, 1.0}


def test_a_missing_model_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="modelsheet models download matting"):
        MattingModel.load(tmp_path)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    file = write_graph(tmp_path)
    file.write_bytes(file.read_bytes()[:100])

    with pytest.raises(UnsafeModel, match="download it again"):
        MattingModel.load(tmp_path)


def test_a_flat_background_is_keyed_and_another_goes_to_the_model(tmp_path: Path) -> None:
    write_graph(tmp_path, SIDE)
    remover = BackgroundRemover(tmp_path)
    flat = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
    flat.paste((0, 120, 60), (16, 16, 48, 48))  # without red: the model would see no figure

    keyed = remover.remove(flat, WHITE_BACKGROUND, "auto", hard_edge=False)
    matted = remover.remove(in_scenery(), WHITE_BACKGROUND, "auto", hard_edge=False)

    assert alpha_of(keyed).sum() == 32 * 32
    assert np.abs(alpha_of(matted) - alpha_of(figure())).max() < 0.05
    assert remover.warnings == []


def test_without_the_model_keying_does_it_and_says_so(tmp_path: Path, sd15: BaseModel) -> None:
    remover = BackgroundRemover(tmp_path)
    asked = GenerateRequest(prompt="an imp", transparent=True, cutout="matting")

    assert remover.choose_method(asked, sd15) == "keying"
    assert remover.warnings == [
        "The matting model is not here, so the background was keyed. Get it with: modelsheet "
        "models download matting"
    ]
    remover.remove(in_scenery(), WHITE_BACKGROUND, "auto", hard_edge=False)
    assert "did not come out flat" in remover.warnings[-1]
