"""Logging of diffusers and transformers."""

from __future__ import annotations

import diffusers.utils.logging
import transformers.utils.logging


def silence_libraries() -> None:
    """Show only their errors, and no progress bars."""
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.disable_progress_bar()
        library.set_verbosity_error()
