"""Define the errors of setting up, each with its sentence."""

from __future__ import annotations


class SetupError(Exception):
    """It failed; the text is one sentence or two that say why and what to do."""


class NoTorchBuild(SetupError):
    """No index within reach has PyTorch for the graphics card."""


class SetupCancelled(Exception):
    """The user ended it; what was done is kept and is not done again."""
