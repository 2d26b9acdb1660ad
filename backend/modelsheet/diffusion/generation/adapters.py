"""Cache LoRA adapters on the base model between jobs (LRU, 16) and switch them per image; also
caches prompt embeddings and decoder corrections.
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
    mean_correction,
    read_correction,
    scale_correction,
)
from modelsheet.diffusion.models.identifier_embedding import apply_embeddings

_MOST_ADAPTERS = 16  # each is a few MB; beyond them the least recently used one goes
_MOST_PROMPT_BYTES = 256 << 20  # of the cached embeddings; a language model's have 8 MB each
_MOST_CORRECTIONS = 64


@dataclass(frozen=True)
class AdapterFile:
    """A subject's adapter on disk: its checked file, and the sha256 it is cached by."""

    sha256: str
    path: Path


@dataclass(frozen=True)
class ActiveAdapters:
    """Adapters of one image or region, and their scales. Without files it is the bare base."""

    files: tuple[AdapterFile, ...] = ()
    unet_scale: float = 1.0
    text_encoder_scale: float = 1.0

    @property
    def sha256s(self) -> tuple[str, ...]:
        return tuple(file.sha256 for file in self.files)


class AdapterCache:
    """Adapters loaded on one base model; `unload` them before anything else uses the base."""

    def __init__(self, base: BaseModel) -> None:
        self.base = base
        self._names: OrderedDict[str, str] = OrderedDict()  # by sha256, most recently used last
        self._number = 0
        self._active: tuple[tuple[str, ...], float] | None = None  # on the denoiser
        self._embeds: OrderedDict[tuple[object, ...], PromptEmbeds] = OrderedDict()
        self._prompt_bytes = 0
        self._corrections: dict[str, Correction] = {}  # by sha256; each is a tenth of a MB

    @property
    def loaded(self) -> list[str]:
        """Adapters in memory, by sha256."""
        return list(self._names)

    def activate(self, adapters: ActiveAdapters) -> None:
        """Switch the denoiser to these adapters; does nothing when they are active already."""
        wanted = (adapters.sha256s, adapters.unet_scale)
        if wanted != self._active:
            _set_adapters(self.base.denoiser, self._load(adapters.files), adapters.unet_scale)
            self._active = wanted

    def encode_prompt(self, prompt: str, adapters: ActiveAdapters) -> PromptEmbeds:
        """Encode a prompt (1, tokens, width) with the adapters on the text encoders; cached."""
        key = (prompt, adapters.sha256s, adapters.text_encoder_scale if adapters.files else None)
        if key not in self._embeds:
            self._embeds[key] = self._encode(prompt, adapters)
            self._prompt_bytes += self._embeds[key].hidden.nbytes
        self._embeds.move_to_end(key)
        while self._prompt_bytes > _MOST_PROMPT_BYTES and len(self._embeds) > 1:
            self._prompt_bytes -= self._embeds.popitem(last=False)[1].hidden.nbytes
        return self._embeds[key]

    def decoder_correction(self, adapters: ActiveAdapters) -> Correction:
        """Return the adapters' correction of the VAE decoder, the mean of theirs, scaled by
        `unet_scale` up to 1. Raises UnsafeModel.
        """
        scale = max(0.0, min(1.0, adapters.unet_scale))
        corrections = [self._correction_of(file) for file in adapters.files]
        return scale_correction(mean_correction(corrections), scale) if corrections else {}

    def unload(self) -> None:
        """Remove all adapters; the base gives bit for bit what it gave before."""
        if self._names:
            self.base.pipeline.unload_lora_weights()
        self._names.clear()
        self._active = None

    def _encode(self, prompt: str, adapters: ActiveAdapters) -> PromptEmbeds:
        names, scale = self._load(adapters.files), adapters.text_encoder_scale
        for encoder in self.base.text_encoders:
            own = [name for name in names if name in getattr(encoder, "peft_config", {})]
            _set_adapters(encoder, own, scale)
        with apply_embeddings(self.base, [file.path for file in adapters.files], scale):
            return self.base.encode_weighted_prompt(prompt)

    def _correction_of(self, file: AdapterFile) -> Correction:
        if file.sha256 not in self._corrections:
            if len(self._corrections) >= _MOST_CORRECTIONS:
                self._corrections.clear()
            self._corrections[file.sha256] = read_correction(file.path, self.base)
        return self._corrections[file.sha256]

    def _load(self, files: Sequence[AdapterFile]) -> list[str]:
        """Load the adapters that are not in memory, and return peft's names of all."""
        missing = [file for file in files if file.sha256 not in self._names]
        self._evict(len(missing), {file.sha256 for file in files})
        for file in missing:
            self._number += 1
            name = f"subject_{self._number}"
            self._load_weights(file.path, name)
            self._names[file.sha256] = name
            self._active = None  # loading activates the new one
        for file in files:
            self._names.move_to_end(file.sha256)
        return [self._names[file.sha256] for file in files]

    def _evict(self, wanted: int, kept: Collection[str]) -> None:
        """Make room for so many more adapters: delete the least recently used, none of `kept`."""
        unused = [sha256 for sha256 in self._names if sha256 not in kept]
        excess = len(self._names) + wanted - _MOST_ADAPTERS
        evicted = [self._names.pop(sha256) for sha256 in unused[: max(0, excess)]]
        if evicted:
            self._active = None
            with warnings.catch_warnings():
                # peft activates another one instead; the next `activate` sets that right.
                warnings.filterwarnings("ignore", message="Adapter .* was active which is now")
                self.base.pipeline.delete_adapters(evicted)

    def _load_weights(self, path: Path, name: str) -> None:
        with warnings.catch_warnings():
            # Several adapters on one model are intended.
            warnings.filterwarnings("ignore", message="Already found a `peft_config` attribute")
            self.base.pipeline.load_lora_weights(
                path.parent, weight_name=path.name, adapter_name=name, local_files_only=True
            )


def _set_adapters(module: Any, names: Sequence[str], scale: float) -> None:
    """Activate exactly these adapters, or none. Any: peft adds its methods undeclared."""
    if not getattr(module, "peft_config", None):
        return
    if not names:
        module.disable_adapters()
        return
    module.enable_adapters()
    if hasattr(module, "set_adapters"):  # the denoiser; text encoders have no scales of their own
        module.set_adapters(list(names), [scale] * len(names))
    else:
        set_adapters_for_text_encoder(list(names), module, [scale] * len(names))
