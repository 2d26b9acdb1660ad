"""Subjects in the DreamBooth data set's layout: a few opaque pictures each, one list of prompts."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from modelsheet_benchmarks.fidelity.dreambooth_dataset import LIST

_LIST = """Classes

subject_name,class
soda_can,can
cat2,cat
absent,teapot

Prompts

Object Prompts

prompt_list = [
'a {0} {1} on the beach'.format(unique_token, class_token),
'a red {0} {1}'.format(unique_token, class_token)
]

Live Subject Prompts

prompt_list = [
'a {0} {1} on the beach'.format(unique_token, class_token),
'a {0} {1} in a hat'.format(unique_token, class_token)
]
"""


def write_photographs(folder: Path) -> None:
    """Two subjects of three JPEG files each; a third of the list has no folder."""
    (folder / LIST).write_text(_LIST)
    for name, colour in (("soda_can", "#c22"), ("cat2", "#a63")):
        (folder / name).mkdir()
        for number in range(3):
            picture = Image.new("RGB", (96, 72), (40 * number, 120, 90))
            ImageDraw.Draw(picture).rectangle((20 + 9 * number, 12, 60, 70), fill=colour)
            picture.save(folder / name / f"{number:02}.jpg")
