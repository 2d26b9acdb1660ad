"""A small graph with the inputs and outputs of the matting model: it takes the redness of a pixel
for its share of the figure, so that the right answer is known.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from modelsheet.base_models.download_sources import DOWNLOAD_SOURCES

_MEAN, _DEVIATION = 0.485, 0.229  # of red, as the true model is fed
_CERTAIN = 1e-6


def write_graph(data_dir: Path, side: int = 64) -> Path:
    """Put the graph where the downloaded one would lie."""
    source = DOWNLOAD_SOURCES["matting"]
    file = source.target(data_dir) / source.mark
    file.parent.mkdir(parents=True)
    onnx.save(_graph(side), file)
    return file


def _graph(side: int) -> onnx.ModelProto:
    """logit(red), where red is undone from its normalization."""
    weights = np.array([_DEVIATION, 0, 0], np.float32).reshape(1, 3, 1, 1)
    constants = {
        "weights": weights,
        "bias": np.array([_MEAN], np.float32),
        "least": np.array(_CERTAIN, np.float32),
        "most": np.array(1 - _CERTAIN, np.float32),
        "one": np.array(1, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["input_image", "weights", "bias"], ["red"]),
        helper.make_node("Clip", ["red", "least", "most"], ["share"]),
        helper.make_node("Sub", ["one", "share"], ["rest"]),
        helper.make_node("Div", ["share", "rest"], ["odds"]),
        helper.make_node("Log", ["odds"], ["output_image"]),
    ]
    graph = helper.make_graph(
        nodes,
        "redness",
        [helper.make_tensor_value_info("input_image", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("output_image", TensorProto.FLOAT, [1, 1, side, side])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
