"""Exceptions of the plugin; the text of each is one sentence for the artist that says what to do.

PluginError
├── BadInput             the request is impossible as entered; nothing was changed
└── BackendError
    ├── BackendDown      no backend answers; worth trying again
    ├── BackendMissing   the backend cannot be started here; trying again alone does not help
    │   └── BackendNotSetUp   there is none here, and the plugin can set one up
    ├── BackendRefused   token, version or address are wrong
    │   └── BackendOfOtherVersion   it knows the token, but speaks another API
    └── RequestRefused   the backend answered with an error; `code` is its stable name
"""

from __future__ import annotations


class PluginError(Exception):
    """Base class of the plugin's errors; its text is the sentence."""


class BadInput(PluginError):
    """A request that is impossible as entered."""


class BackendError(PluginError):
    """Base class of what can fail between the plugin and the backend."""


class BackendDown(BackendError):
    """No backend answers; a later attempt may succeed."""


class BackendMissing(BackendError):
    """The backend cannot be started on this computer."""


class BackendNotSetUp(BackendMissing):
    """No backend is on this computer, and the plugin can set one up."""


class BackendRefused(BackendError):
    """A wrong token, version or address."""


class BackendOfOtherVersion(BackendRefused):
    """A backend that knows the token and speaks another API."""


class RequestRefused(BackendError):
    """An error response of the backend; `code` is its stable name, such as not-found."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code
