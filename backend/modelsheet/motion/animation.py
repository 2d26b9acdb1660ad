"""Draw a character's key views, and frames of actions from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from modelsheet.api.animate import ViewName
from modelsheet.motion.character import CharacterDrawings
from modelsheet.motion.figures.mannequin import Warp
from modelsheet.motion.figures.mannequin_archive import Figure, MannequinArchive
from modelsheet.motion.figures.pictures import (
    MAX_DRAWINGS,
    VIEWS,
    Picture,
    channels_first,
)
from modelsheet.motion.figures.placement import from_model
from modelsheet.motion.network.model import MotionModel


@dataclass(frozen=True)
class KeyView:
    """The standing character from one side: the model's picture, and one at the drawing's scale."""

    view: ViewName
    picture: Picture
    image: Image.Image
    is_own: bool


class Animator:
    """A model with the mannequins that it follows, for one character.

    `views` of the character's drawings must be known before key views and frames are drawn.
    """

    def __init__(
        self, model: MotionModel, mannequins: MannequinArchive, character: CharacterDrawings
    ) -> None:
        self._model, self._mannequins, self.character = model, mannequins, character

    def guess_views(self) -> list[ViewName]:
        """Guess the views of drawings that have none: what the model draws there is nearest."""
        first, *others = self.character.drawings
        assert first.view is not None, "the first drawing's view is known"
        known = [drawing.view for drawing in self.character.drawings if drawing.view]
        free: list[ViewName] = [view for view in VIEWS if view not in known]  # type: ignore[misc]
        drawn: dict[ViewName, Picture] = {}
        if any(other.view is None for other in others):
            standing = [self.mannequin(view) for view in free]
            pictures = self._draw([(first.picture, first.view)], self._figure(), standing, free)
            drawn = dict(zip(free, pictures, strict=True))
        views: list[ViewName] = [first.view]
        for other in others:
            view = other.view or _nearest(drawn, other.picture)
            drawn.pop(view, None)
            views.append(view)
        return views

    def key_views(self, views: Sequence[ViewName]) -> list[KeyView]:
        """Return own drawings as they are, and draw the other views from them."""
        own = {drawing.view: drawing for drawing in self.character.drawings}
        missing = [view for view in views if view not in own]
        given = [(d.picture, view) for view, d in own.items() if view][:MAX_DRAWINGS]
        standing = [self.mannequin(view) for view in missing]
        pictures = self._draw(given, self._figure(), standing, missing) if missing else []
        drawn = dict(zip(missing, pictures, strict=True))
        return [
            KeyView(view, own[view].picture, own[view].image, is_own=True)
            if view in own
            else KeyView(view, drawn[view], self.image(drawn[view]), is_own=False)
            for view in views
        ]

    def frames(self, action: str, key_view: KeyView) -> Iterator[Image.Image]:
        """Draw the frames of an action from its key view."""
        figure = self._figure(action)
        mannequins = [self._fitted(figure, each) for each in figure.frames[action, key_view.view]]
        yield from self.follow(mannequins, key_view, figure)

    def follow(
        self, mannequins: Sequence[Picture], key_view: KeyView, figure: Figure | None = None
    ) -> Iterator[Image.Image]:
        """Draw the character in the poses of fitted mannequins, seen from the key view's side."""
        views = [key_view.view] * len(mannequins)
        given = [(key_view.picture, key_view.view)]
        for picture in self._draw(given, figure or self._figure(), mannequins, views):
            yield self.image(picture)

    def mannequin(self, view: str) -> Picture:
        """Return the standing mannequin of a view, fitted to the character."""
        figure = self._figure()
        return self._fitted(figure, figure.standing(view))

    def image(self, picture: Picture) -> Image.Image:
        """Bring the model's picture to the drawing's scale."""
        return from_model(picture, self.character.scale)

    def _figure(self, action: str | None = None) -> Figure:
        body = self.character.body
        return self._mannequins.figure(body, action) if action else self._mannequins.figure(body)

    def _fitted(self, figure: Figure, picture: Picture) -> Picture:
        return Warp(figure.proportions, self.character.proportions)(picture)

    def _draw(
        self,
        given: Sequence[tuple[Picture, ViewName]],
        figure: Figure,
        wanted: Sequence[Picture],
        views: Sequence[ViewName],
    ) -> list[Picture]:
        """Let the model draw wanted mannequins from given pictures and their views."""
        device = next(self._model.parameters()).device
        standing = [self._fitted(figure, figure.standing(view)) for _, view in given]
        pictures = self._model.draw(
            _stack([picture for picture, _ in given]).to(device),
            _stack(standing).to(device),
            _indices([view for _, view in given]).to(device),
            _stack(wanted).to(device),
            _indices(views).to(device),
        )
        return list(pictures.permute(0, 2, 3, 1).cpu().numpy())


def _stack(pictures: Sequence[Picture]) -> torch.Tensor:
    return torch.from_numpy(channels_first(pictures))


def _indices(views: Sequence[str]) -> torch.Tensor:
    return torch.tensor([VIEWS.index(view) for view in views])


def _nearest(drawn: Mapping[ViewName, Picture], picture: Picture) -> ViewName:
    """Find the view that is drawn most like the picture."""
    distances = {view: _distance(each, picture) for view, each in drawn.items()}
    return min(distances, key=lambda view: distances[view])


def _distance(one: Picture, other: Picture) -> float:
    """Compute the mean square distance of premultiplied pictures."""
    both = np.stack([one, other]).astype(np.float32) / 255
    both[..., :3] *= both[..., 3:]
    return float(np.square(both[0] - both[1]).mean())
