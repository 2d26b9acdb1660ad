"""Animate a character: drawings of it and what is wanted; key views and frames in return."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from modelsheet.api.types import ApiModel, Count, ImageRef, Note, Pixels, Prompt

ViewName = Literal["front", "left", "back", "right"]
ActionName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
MAX_MANNEQUINS = 64


class Drawing(ApiModel):
    """A drawing of the character. A `view` of None is the front for the first, else found out."""

    image: ImageRef
    view: ViewName | None = None


class FigureFit(ApiModel):
    """Place of a mannequin of body type `body` in a drawing, in its px; rows go down."""

    body: str
    top: float
    neck: float
    feet: float
    centre: float
    head_width: Annotated[float, Field(gt=0)]
    body_width: Annotated[float, Field(gt=0)]


class OwnAction(ApiModel):
    """An action of one's own: grey figures as frames, one list a view."""

    name: ActionName
    view: ViewName
    mannequins: Annotated[list[ImageRef], Field(min_length=1, max_length=MAX_MANNEQUINS)]
    frame_ms: Annotated[int, Field(ge=10, le=10_000)] = 100


class AnimateRequest(ApiModel):
    """Draw a character's key views, and frames of actions from them.

    Drawings are one's own or corrected key views; without any, `subject` ("@hero") gives its
    pictures. Without `actions` the result is the key views alone. `size` is the height and width of
    a frame, by default the drawings' own scale.
    """

    kind: Literal["animate"] = "animate"
    drawings: Annotated[list[Drawing], Field(max_length=4)] = []
    subject: Prompt | None = None
    views: Annotated[list[ViewName], Field(min_length=1, max_length=4)] = [
        "front",
        "left",
        "back",
        "right",
    ]
    actions: Annotated[list[ActionName], Field(max_length=16)] = []
    own_actions: Annotated[list[OwnAction], Field(max_length=16)] = []
    fit: FigureFit | None = None
    size: Pixels | None = None

    @model_validator(mode="after")
    def _check_drawings(self) -> AnimateRequest:
        if not self.drawings and self.subject is None:
            raise ValueError("give a drawing of the character, or a subject that has some")
        return self


class AnimationFrame(ImageRef):
    """One picture of the character: raw straight-alpha BGRA8, as all images."""

    view: ViewName
    action: str  # "" for a key view
    index: Count = 0
    frame_ms: Count = 0
    is_own: bool = False  # the artist's own drawing, unchanged


class AnimateResult(ApiModel):
    """Key views, then frames action by action, view by view; all of one size.

    `mannequins` are those of the key views, fitted, for the artist to see; `origin_x` and
    `origin_y` say where the pictures' top left corner lies in the first drawing, in its px.
    """

    kind: Literal["animate"] = "animate"
    key_views: list[AnimationFrame]
    frames: list[AnimationFrame]
    mannequins: list[AnimationFrame]
    fit: FigureFit
    scale: float  # px of the result for a px of the model's 64 × 64 picture
    origin_x: int
    origin_y: int
    warnings: list[Note] = []


class Action(ApiModel):
    """An action that characters can do; `loops` if the last frame leads to the first."""

    name: str
    title: str
    views: list[ViewName]
    frames: Count
    frame_ms: Count
    loops: bool


class ActionList(ApiModel):
    """All actions of the motion model, those that most games need first."""

    actions: list[Action]
    bodies: list[str]
