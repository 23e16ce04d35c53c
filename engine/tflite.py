"""One TensorFlow Lite net on one CPU thread, NumPy in and NumPy out."""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from mien.engine.errors import AssetError


class TfliteNet:
    """A net with one input and float32 outputs. Not for use by two threads at once."""

    def __init__(self, model: bytes, *, name: str, input_shape: Sequence[int]) -> None:
        """Load the net, which must take `input_shape`. Raises AssetError when it does not or cannot load."""
        try:
            self._interpreter = Interpreter(model_content=model, num_threads=1)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise _damaged(name, str(error)) from error
        (entry,) = self._interpreter.get_input_details()
        if tuple(entry["shape"]) != tuple(input_shape):
            raise _damaged(name, f"it takes {tuple(entry['shape'])}, not {tuple(input_shape)}")
        self._input = int(entry["index"])
        self._outputs = {
            str(output["name"]): int(output["index"]) for output in self._interpreter.get_output_details()
        }

    def run(self, values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return the outputs by name, copies that belong to the caller."""
        self._interpreter.set_tensor(self._input, values)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}


def _damaged(name: str, reason: str) -> AssetError:
    return AssetError(
        f"The net {name} of the landmark model cannot be used: {reason}.",
        remedy="Remove the landmark model so that it is fetched again; `mien doctor` says where it lies.",
    )
