"""The subjects' adapters, kept on the base between jobs and put on and off as pictures need them;
prompts once encoded are remembered too.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusers.loaders.lora_base import set_adapters_for_text_encoder

from modelsheet.diffusion.models.base_model import BaseModel, PromptEmbeds
from modelsheet.diffusion.models.decoder_correction import (
    Correction,
    mean_of,
    read_correction,
    scaled,
)
from modelsheet.diffusion.models.identifier_embedding import rows_applied
from modelsheet.diffusion.models.prompt_encoding import embed_prompt

_MOST_ADAPTERS = 16  # each is a few MB; beyond them whoever was not worn for longest goes
_MOST_PROMPTS = 256
_MOST_CORRECTIONS = 64


@dataclass(frozen=True)
class Garment:
    """A subject's adapter: its checked file, and the sha256 by which it is known again."""

    sha256: str
    file: Path


@dataclass(frozen=True)
class Outfit:
    """What the base wears for a picture. Without garments it is the base as it is."""

    garments: tuple[Garment, ...] = ()
    unet_scale: float = 1.0
    text_encoder_scale: float = 1.0


class Wardrobe:
    """Everything that generating leaves on one base; `empty` before anything else uses it."""

    def __init__(self, base: BaseModel) -> None:
        self.base = base
        self._names: OrderedDict[str, str] = OrderedDict()  # by sha256, the last worn at the end
        self._number = 0
        self._worn: tuple[tuple[str, ...], float] | None = None
        self._prompts: OrderedDict[tuple[object, ...], PromptEmbeds] = OrderedDict()
        self._corrections: dict[str, Correction] = {}  # by sha256; each is a tenth of a MB

    @property
    def adapters(self) -> list[str]:
        """The adapters in memory, by sha256."""
        return list(self._names)

    def put_on(self, outfit: Outfit) -> None:
        """Let the UNet paint with this outfit; nothing is done when it wears it already."""
        wanted = (tuple(each.sha256 for each in outfit.garments), outfit.unet_scale)
        if wanted != self._worn:
            names = self._hung_up(outfit.garments)
            _wear(self.base.unet, names, outfit.unet_scale)
            self._worn = wanted

    def embed(self, text: str, outfit: Outfit) -> PromptEmbeds:
        """Encode a prompt (1, tokens, width) as the text encoders read it in this outfit."""
        worn = tuple(each.sha256 for each in outfit.garments)
        key = (text, worn, outfit.text_encoder_scale if worn else None)
        if key not in self._prompts:
            self._prompts[key] = self._encode(text, outfit)
        self._prompts.move_to_end(key)
        while len(self._prompts) > _MOST_PROMPTS:
            self._prompts.popitem(last=False)
        return self._prompts[key]

    def correction(self, outfit: Outfit) -> Correction:
        """What this outfit changes in the decoder; of several subjects each has its share.

        Raises UnsafeModel.
        """
        share = max(0.0, min(1.0, outfit.unet_scale))
        worn = [self._correction_of(each) for each in outfit.garments]
        return scaled(mean_of(worn), share) if worn else {}

    def empty(self) -> None:
        """Take all adapters off; the base gives bit for bit what it gave before."""
        if self._names:
            self.base.pipeline.unload_lora_weights()
        self._names.clear()
        self._worn = None

    def _encode(self, text: str, outfit: Outfit) -> PromptEmbeds:
        names = self._hung_up(outfit.garments)
        for encoder in self.base.text_encoders:
            own = [name for name in names if name in getattr(encoder, "peft_config", {})]
            _wear(encoder, own, outfit.text_encoder_scale)
        files = [garment.file for garment in outfit.garments]
        with rows_applied(self.base, files, outfit.text_encoder_scale):
            return embed_prompt(self.base, text)

    def _correction_of(self, garment: Garment) -> Correction:
        if garment.sha256 not in self._corrections:
            if len(self._corrections) >= _MOST_CORRECTIONS:
                self._corrections.clear()
            self._corrections[garment.sha256] = read_correction(garment.file, self.base)
        return self._corrections[garment.sha256]

    def _hung_up(self, garments: Sequence[Garment]) -> list[str]:
        """Load what is not loaded yet, and give the names the base knows the garments by."""
        missing = [each for each in garments if each.sha256 not in self._names]
        self._make_room(len(missing), {each.sha256 for each in garments})
        for garment in missing:
            self._number += 1
            name = f"subject_{self._number}"
            self._load(garment.file, name)
            self._names[garment.sha256] = name
            self._worn = None  # loading puts the new one on
        for garment in garments:
            self._names.move_to_end(garment.sha256)
        return [self._names[each.sha256] for each in garments]

    def _make_room(self, wanted: int, kept: Collection[str]) -> None:
        spare = [sha256 for sha256 in self._names if sha256 not in kept]
        excess = len(self._names) + wanted - _MOST_ADAPTERS
        gone = [self._names.pop(sha256) for sha256 in spare[: max(0, excess)]]
        if gone:
            self._worn = None
            with warnings.catch_warnings():
                # Whichever is put on instead, another outfit comes next.
                warnings.filterwarnings("ignore", message="Adapter .* was active which is now")
                self.base.pipeline.delete_adapters(gone)

    def _load(self, file: Path, name: str) -> None:
        with warnings.catch_warnings():
            # Several adapters on one model are what we mean.
            warnings.filterwarnings("ignore", message="Already found a `peft_config` attribute")
            self.base.pipeline.load_lora_weights(
                file.parent, weight_name=file.name, adapter_name=name, local_files_only=True
            )


def _wear(module: Any, names: Sequence[str], scale: float) -> None:
    """Exactly these adapters, or none. Any: peft puts its methods on modules declared without."""
    if not getattr(module, "peft_config", None):
        return
    if not names:
        module.disable_adapters()
        return
    module.enable_adapters()
    if hasattr(module, "set_adapters"):  # the UNet; text encoders have no scales of their own
        module.set_adapters(list(names), [scale] * len(names))
    else:
        set_adapters_for_text_encoder(list(names), module, [scale] * len(names))
