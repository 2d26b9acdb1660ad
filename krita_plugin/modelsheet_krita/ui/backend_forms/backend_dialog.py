"""Dialog to choose the backend: this computer's, or another one by URL and token."""

from __future__ import annotations

from urllib.parse import urlsplit

from ...backend.api_responses import Capabilities
from ...backend.url_safety import is_protected, unprotected
from ...i18n import tr
from ...qt import QtCore, QtWidgets, Signal, not_none, plain_label
from ..model_list import ModelListWidget
from ..widgets import IconLoader, buddy, dialog_buttons, heading


class BackendDialog(QtWidgets.QDialog):
    """Emits `sent` when the artist accepts entries that can be an address."""

    sent = Signal()

    def __init__(
        self,
        icon: IconLoader,
        parent: QtWidgets.QWidget | None,
        *,
        is_remote: bool,
        url: str,
        token: str,
        capabilities: Capabilities | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_backend_form")
        self.setWindowTitle(tr("Backend"))
        self.local = QtWidgets.QRadioButton(tr("This computer, started when needed"))
        self.remote = QtWidgets.QRadioButton(tr("Another one, at this address:"))
        self.remote.setObjectName("modelsheet_remote")
        self.url = QtWidgets.QLineEdit(url)
        self.url.setObjectName("modelsheet_url")
        self.url.setPlaceholderText("https://studio.example:8443")
        self.url.setToolTip(tr("Where the other computer's backend answers"))
        self.token = QtWidgets.QLineEdit(token)
        self.token.setObjectName("modelsheet_token")
        self.token.setEchoMode(QtWidgets.QLineEdit.EchoMode.Password)
        self.token.setPlaceholderText(tr("from its server.json"))
        self.token.setToolTip(
            tr("What whoever runs it gave you; it proves who you are and is never sent itself")
        )
        self.hint = plain_label()
        self.hint.setWordWrap(True)
        # Room for the longest sentence, so that the dialog does not jump.
        self.hint.setMinimumHeight(self.fontMetrics().height() * 3)
        self.models = ModelListWidget(capabilities)
        # Qt shows new widgets of a layout only when its event loop runs again.
        self.models.filled.connect(lambda: QtCore.QTimer.singleShot(0, self._grow))
        self._build(icon)
        (self.remote if is_remote else self.local).setChecked(True)
        self._check()

    def _build(self, icon: IconLoader) -> None:
        form = QtWidgets.QFormLayout()
        form.addRow(buddy(tr("URL"), self.url), self.url)
        form.addRow(buddy(tr("Token"), self.token), self.token)
        buttons, self.ok = dialog_buttons(self, icon, tr("OK"))
        self.ok.setObjectName("modelsheet_backend_ok")
        buttons.accepted.connect(self.sent)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self.local)
        layout.addWidget(self.remote)
        layout.addLayout(form)
        layout.addWidget(self.hint)
        layout.addWidget(heading(tr("What it has")))
        layout.addWidget(self.models)
        layout.addStretch(1)
        layout.addWidget(buttons)
        self.remote.toggled.connect(self._check)
        self.url.textChanged.connect(self._check)
        self.token.textChanged.connect(self._check)
        self.resize(self.fontMetrics().height() * 26, self.sizeHint().height())

    def _grow(self) -> None:
        """Make room for rows that were added."""
        layout = not_none(self.layout())
        layout.activate()
        height = layout.totalHeightForWidth(self.width())
        self.resize(self.width(), max(self.height(), height))

    def _check(self) -> None:
        is_remote = self.remote.isChecked()
        self.url.setEnabled(is_remote)
        self.token.setEnabled(is_remote)
        hint = address_error(self.url.text(), self.token.text()) if is_remote else ""
        self.ok.setEnabled(not hint)
        self.hint.setText(hint)


def address_error(url: str, token: str) -> str:
    """Return a sentence why these cannot be an address, or ""."""
    if not _is_url(url):
        return tr("Enter the URL as http://HOST:PORT or https://HOST:PORT.")
    if not is_protected(url):
        return unprotected()
    if not token.strip().isascii() or not token.strip():
        return tr("Enter the token; it stands in the other computer's server.json.")
    return ""


def _is_url(url: str) -> bool:
    try:
        split = urlsplit(url.strip())
        host, _ = split.hostname, split.port
    except ValueError:
        return False
    return split.scheme in ("http", "https") and bool(host)
