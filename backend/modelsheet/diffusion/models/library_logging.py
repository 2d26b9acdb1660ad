"""What the libraries say while they load, kept out of a program's own figures."""

from __future__ import annotations

import diffusers.utils.logging
import transformers.utils.logging


def keep_libraries_quiet() -> None:
    """Show errors alone, and no bars."""
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.disable_progress_bar()
        library.set_verbosity_error()
