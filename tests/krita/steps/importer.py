"""The plugin's zip goes through Krita's own importer, in a home without the plugin.

IMPORT_ZIP is the file. Krita's importer asks nothing when its module is called as its dialog does.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from krita import Krita


def steps(driver):
    end = time.monotonic() + 1.0
    yield lambda: time.monotonic() > end
    from plugin_importer.plugin_importer import PluginImporter

    driver.report["docker before"] = driver.docker() is not None
    resources = Krita.instance().getAppDataLocation()
    importer = PluginImporter(os.environ["IMPORT_ZIP"], resources, lambda plugin: True)
    driver.report["imported"] = [plugin["name"] for plugin in importer.import_all()]
    driver.report["files"] = sorted(
        path.relative_to(resources).as_posix()
        for path in (Path(resources) / "pykrita").glob("modelsheet_krita*")
    )
    driver.report["action"] = (Path(resources) / "actions/modelsheet_krita.action").is_file()
