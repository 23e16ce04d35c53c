"""Trained nets as they ship: ONNX files with their own description, run by ONNX Runtime on one thread."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mien.engine.errors import AssetError
from mien.engine.features import BINS
from mien.engine.motion import CHANNELS

ASSETS: Final = Path(__file__).parent / "assets"

VERSION: Final = 1
"""The version of the nets' inputs, outputs and description that this code reads."""

_REBUILD: Final = "Install mien again, or train the nets anew with tools/build_motion.sh."


@dataclass(frozen=True, slots=True, eq=False)
class GraphCard:
    """What a motion net says of itself."""

    window_frames: int
    """Frames of motion (and of features) in its window."""

    mean: NDArray[np.float32]
    """float32[CHANNELS]: motion = clean * std + mean."""

    std: NDArray[np.float32]
    """float32[CHANNELS], above 0."""


class Graph:
    """One ONNX file, opened. Safe to run from several threads at once; keeps nothing between runs."""

    def __init__(self, path: Path) -> None:
        """Open a net. Raises AssetError if the file is missing, damaged, foreign or of another version."""
        if not path.is_file():
            raise AssetError(f"The net {path.name} is missing from {path.parent}.", remedy=_REBUILD)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # A spinning worker would eat the core that the renderer and the encoder need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except _load_failures() as error:
            raise AssetError(f"The net {path.name} cannot be read.", remedy=_REBUILD) from error
        self.name = path.name
        self.card = _read_card(path.name, self._session.get_modelmeta().custom_metadata_map)

    def check_names(self, inputs: set[str], outputs: set[str]) -> None:
        """Raise AssetError unless the net takes and gives just these tensors."""
        found_inputs = {tensor.name for tensor in self._session.get_inputs()}
        found_outputs = {tensor.name for tensor in self._session.get_outputs()}
        if found_inputs != inputs or not outputs <= found_outputs:
            raise AssetError(
                f"The net {self.name} takes {sorted(found_inputs)} and gives {sorted(found_outputs)}, "
                f"not {sorted(inputs)} and {sorted(outputs)}.",
                remedy=_REBUILD,
            )

    def width_of(self, name: str) -> int:
        """Return how many values an input takes in its last axis."""
        shapes = {tensor.name: tensor.shape for tensor in self._session.get_inputs()}
        return int(shapes[name][-1])

    def run(self, output: str, inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return one output for these inputs."""
        result: NDArray[np.float32] = self._session.run([output], inputs)[0]
        return result


@cache
def open_graph(path: Path) -> Graph:
    """Open a net once a process: all performers share it."""
    return Graph(path)


def _load_failures() -> tuple[type[Exception], ...]:
    """Return what ONNX Runtime raises for a file that is no graph of its own version."""
    state = onnxruntime.capi.onnxruntime_pybind11_state
    return (
        state.Fail,
        state.InvalidProtobuf,
        state.InvalidGraph,
        state.NotImplemented,
        state.InvalidArgument,
    )


def _read_card(name: str, metadata: dict[str, str]) -> GraphCard:
    try:
        card = json.loads(metadata["mien"])
        version, bins = card["version"], card["bins"]
        window_frames = int(card["window_frames"])
        mean, std = (np.asarray(card[key], np.float32) for key in ("mean", "std"))
    except (KeyError, TypeError, ValueError) as error:
        raise AssetError(f"The net {name} has no description that mien knows.", remedy=_REBUILD) from error
    if version != VERSION or bins != BINS:
        raise AssetError(
            f"The net {name} is of version {version} with {bins} bins; this mien reads version {VERSION} "
            f"with {BINS}.",
            remedy=_REBUILD,
        )
    if mean.shape != (CHANNELS,) or std.shape != (CHANNELS,) or not (std > 0).all() or window_frames < 1:
        raise AssetError(f"The description inside the net {name} is damaged.", remedy=_REBUILD)
    return GraphCard(window_frames, mean, std)
