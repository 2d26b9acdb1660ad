"""What can go wrong, each with one sentence for the artist that says what to do.

PluginError
├── BadInput             what was asked cannot be done as asked; nothing was touched
└── BackendError
    ├── BackendDown      nobody answers; worth trying again
    ├── BackendMissing   it cannot be started here; trying again alone does not help
    ├── BackendRefused   token, version or address are wrong
    └── RequestRefused   the backend understood and said no; `code` is its stable word for why
"""

from __future__ import annotations


class PluginError(Exception):
    """Base of the plugin's errors; its text is the sentence."""


class BadInput(PluginError):
    pass


class BackendError(PluginError):
    pass


class BackendDown(BackendError):
    pass


class BackendMissing(BackendError):
    pass


class BackendRefused(BackendError):
    pass


class RequestRefused(BackendError):
    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code
