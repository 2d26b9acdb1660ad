"""Names of base models that an artist understands: what they paint, and at which size."""

from __future__ import annotations

from ..backend.api_responses import BaseModelView
from ..i18n import tr

PUBLISHED = {"sd15": "Stable Diffusion 1.5", "sdxl": "Stable Diffusion XL"}


def model_name(model: BaseModelView) -> str:
    """Return a base model's name and resolution; an added one keeps its own name."""
    side = model.resolution
    if model.family == model.id == "sprite32":
        return tr("Sprites, {width} × {height}", width=side, height=side)
    name = PUBLISHED.get(model.id, model.id)
    return tr("{name}, {width} × {height}", name=name, width=side, height=side)


def paints_sprites(model: BaseModelView) -> bool:
    """Return True if each pixel of what the model paints is a pixel of a sprite."""
    return model.family == "sprite32"
