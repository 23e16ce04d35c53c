"""One TensorFlow Lite net, NumPy in and NumPy out, run by OpenCV."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import AssetError


class TfliteNet:
    """A net with one input and float32 outputs. Not for use by two threads at once."""

    def __init__(self, model: bytes, *, name: str, input_shape: Sequence[int]) -> None:
        """Load the net, which must take `input_shape`. Raises AssetError when it does not or cannot load."""
        try:
            self._net = _read_net(model)
            self._outputs: tuple[str, ...] = tuple(self._net.getUnconnectedOutLayersNames())
            self.run(np.zeros(input_shape, np.float32))
        except cv2.error as error:
            raise AssetError(
                f"The net {name} cannot be used: {error.err or error}.",
                remedy="Remove its model, and it is fetched again: `mien doctor` says where it is.",
            ) from error

    def run(self, values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return the outputs by name, copies that belong to the caller. Pictures come as [1, H, W, 3]."""
        planes: Any = np.ascontiguousarray(values.transpose(0, 3, 1, 2)) if values.ndim == 4 else values
        self._net.setInput(planes)
        outputs = self._net.forward(self._outputs)
        return {output: array.copy() for output, array in zip(self._outputs, outputs, strict=True)}


def _read_net(model: bytes) -> Any:
    """Load a net into OpenCV's classic engine: the new one of OpenCV 5 gives a single output of each net.

    It goes through a file because the loader that takes bytes does not heed the choice of engine.
    """
    with TemporaryDirectory(prefix="mien-") as folder:
        file = Path(folder) / "net.tflite"
        file.write_bytes(model)
        classic = getattr(cv2.dnn, "ENGINE_CLASSIC", None)
        return cv2.dnn.readNetFromTFLite(str(file), *([] if classic is None else [classic]))
