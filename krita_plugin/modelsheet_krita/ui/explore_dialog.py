"""Dialog to explore strengths, and the window with the generated grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..backend.api_requests import Axis, Explore
from ..backend.api_responses import MOST_RESULTS
from ..i18n import tr
from ..qt import QtCore, QtGui, QtWidgets, Signal, not_none, plain, plain_label
from .estimate_text import format_duration
from .parts.elided import HintLabel
from .widgets import IconLoader, buddy, push_button

DEFAULT_VALUES = {
    "unet_scale": "0, 0.4, 0.7, 1, 1.3",
    "text_encoder_scale": "0, 0.5, 1, 1.5",
    "guidance_scale": "2, 4, 7, 10",
    "inference_steps": "10, 25, 50",
    "seed": "1, 2, 3, 4",
}
MOST_VALUES = 16


class ExploreDialog(QtWidgets.QDialog):
    """Asks for the parameter along each side of the grid, and for its values."""

    sent = Signal()

    def __init__(
        self,
        icon: IconLoader,
        parent: QtWidgets.QWidget | None,
        seconds_per_image: float | None = None,
    ) -> None:
        """`seconds_per_image`: as measured in the last jobs, None if there were none."""
        super().__init__(parent)
        self._seconds_per_image = seconds_per_image
        self.setObjectName("modelsheet_explore_form")
        self.setWindowTitle(tr("Explore Strengths"))
        self.across, self.across_values = self._side("across", "unet_scale", optional=False)
        self.down, self.down_values = self._side("down", "text_encoder_scale", optional=True)
        self.hint = HintLabel("modelsheet_explore_hint")
        self.paint = push_button(icon, "media-playback-start", tr("Paint the Grid"), "")
        self.paint.setObjectName("modelsheet_explore_paint")
        self.paint.clicked.connect(self.sent)
        explain = plain_label(
            tr("The prompt is painted once for each pair of values, with one seed, side by side.")
        )
        explain.setWordWrap(True)
        form = QtWidgets.QFormLayout()
        form.addRow(buddy(tr("Across"), self.across), self.across)
        form.addRow("", self.across_values)
        form.addRow(buddy(tr("Down"), self.down), self.down)
        form.addRow("", self.down_values)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(explain)
        layout.addLayout(form)
        layout.addWidget(self.hint)
        layout.addWidget(self.paint)
        self.resize(self.fontMetrics().height() * 24, self.sizeHint().height())
        self._check()

    def _side(
        self, name: str, axis: str, *, optional: bool
    ) -> tuple[QtWidgets.QComboBox, QtWidgets.QLineEdit]:
        box, values = QtWidgets.QComboBox(), QtWidgets.QLineEdit(DEFAULT_VALUES[axis])
        box.setObjectName(f"modelsheet_{name}")
        values.setObjectName(f"modelsheet_{name}_values")
        values.setAccessibleName(tr("Values, with commas between them"))
        values.setToolTip(tr("Values, with commas between them"))
        for key in DEFAULT_VALUES:
            box.addItem(axis_title(key), key)
        if optional:
            box.addItem(tr("Nothing"), "")
        box.setCurrentIndex(box.findData(axis))
        box.currentIndexChanged.connect(
            lambda: values.setText(DEFAULT_VALUES.get(box.currentData(), ""))
        )
        box.currentIndexChanged.connect(self._check)
        values.textChanged.connect(self._check)
        return box, values

    def explore(self) -> Explore | None:
        """Return the entered grid, or None while the entries are none."""
        across = _axis(self.across.currentData(), self.across_values.text())
        name = self.down.currentData()
        down = _axis(name, self.down_values.text()) if name else None
        if across is None or (name and down is None) or name == across.name:
            return None
        cells = len(across.values) * (len(down.values) if down else 1)
        return Explore(across, down) if cells <= MOST_RESULTS else None

    def _check(self) -> None:
        if not hasattr(self, "paint"):
            return
        self.down_values.setVisible(bool(self.down.currentData()))
        explore = self.explore()
        self.paint.setEnabled(explore is not None)
        if explore is None:
            self.hint.setText(
                tr(
                    "Two different things with numbers between commas, at most {most} pictures "
                    "together.",
                    most=MOST_RESULTS,
                )
            )
            return
        down = len(explore.down.values) if explore.down else 1
        across = len(explore.across.values)
        self.hint.setText(
            tr(
                "{across} × {down} pictures: {time}.",
                across=across,
                down=down,
                time=self._time(across * down),
            )
        )

    def _time(self, images: int) -> str:
        if self._seconds_per_image is None:
            return tr("the time is known after your first pictures")
        return format_duration(images * self._seconds_per_image)


@dataclass(frozen=True)
class GridCell:
    """Thumbnail and tooltip of one cell."""

    pixmap: QtGui.QPixmap
    description: str


class ExploreGrid(QtWidgets.QDialog):
    """Window with the generated grid; a click on a cell picks its values."""

    picked = Signal(int)  # the number of the cell, row by row

    def __init__(
        self,
        title: str,
        cells: Sequence[GridCell],
        explore: Explore,
        parent: QtWidgets.QWidget | None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_grid")
        self.setWindowTitle(tr("Explored: {title}", title=title))
        across, down = explore.across, explore.down
        rows = [f"{value:g}" for value in down.values] if down else [""]
        self.table = QtWidgets.QTableWidget(len(rows), len(across.values))
        self.table.setObjectName("modelsheet_grid_cells")
        self.table.setAccessibleName(tr("Pictures by their values"))
        self.table.setHorizontalHeaderLabels([f"{value:g}" for value in across.values])
        self.table.setVerticalHeaderLabels(rows)
        self.table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setIconSize(cells[0].pixmap.size() / cells[0].pixmap.devicePixelRatioF())
        for number, cell in enumerate(cells):
            item = QtWidgets.QTableWidgetItem(QtGui.QIcon(cell.pixmap), "")
            item.setToolTip(plain(cell.description))
            item.setData(QtCore.Qt.ItemDataRole.AccessibleTextRole, cell.description)
            self.table.setItem(number // len(across.values), number % len(across.values), item)
        self.table.resizeColumnsToContents()
        self.table.resizeRowsToContents()
        self.table.cellClicked.connect(
            lambda row, column: self.picked.emit(row * len(across.values) + column)
        )
        self.table.cellActivated.connect(
            lambda row, column: self.picked.emit(row * len(across.values) + column)
        )
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(plain_label(_legend(explore)))
        layout.addWidget(self.table, 1)
        self.hint = plain_label(tr("Click a picture to go on with its values."))
        self.hint.setObjectName("modelsheet_grid_said")
        self.hint.setWordWrap(True)
        layout.addWidget(self.hint)
        self.resize(self._size_of_all_cells())

    def _size_of_all_cells(self) -> QtCore.QSize:
        """Return the size that shows all cells, within limits."""
        em = self.fontMetrics().height()
        across = not_none(self.table.horizontalHeader())
        down = not_none(self.table.verticalHeader())
        margins = not_none(self.layout()).contentsMargins()
        frame = 2 * self.table.frameWidth()
        width = across.length() + down.sizeHint().width() + frame
        width += margins.left() + margins.right()
        height = down.length() + across.sizeHint().height() + frame + 5 * em
        return QtCore.QSize(width, height).boundedTo(QtCore.QSize(60 * em, 44 * em))


def axis_title(name: str) -> str:
    """Return the title of a parameter."""
    return {
        "unet_scale": tr("Character strength"),
        "text_encoder_scale": tr("Name strength"),
        "guidance_scale": tr("Prompt strictness"),
        "inference_steps": tr("Steps"),
        "seed": tr("Seed"),
    }[name]


def _legend(explore: Explore) -> str:
    across = axis_title(explore.across.name)
    if explore.down is None:
        return tr("Across: {across}", across=across)
    down = axis_title(explore.down.name)
    return tr("Across: {across} · down: {down}", across=across, down=down)


def _axis(name: str, text: str) -> Axis | None:
    """Parse numbers between commas; None for anything else."""
    try:
        values = tuple(float(word) for word in text.split(",") if word.strip())
    except ValueError:
        return None
    return Axis(name, values) if 0 < len(values) <= MOST_VALUES else None
