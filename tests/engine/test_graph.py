"""The trained nets' files: opened once, checked before use. The graphs here are made on the spot."""

import json
from pathlib import Path

import numpy as np
import pytest

from mien.engine.emotion import STYLE_SIZE
from mien.engine.errors import AssetError
from mien.engine.graph import Graph, open_graph
from mien.engine.lips import OnnxLipRefiner
from mien.engine.motion import CHANNELS
from mien.engine.performer import Performer
from mien.engine.sampler import OnnxDenoiser

onnx = pytest.importorskip("onnx", reason="building a graph needs the train extra's onnx")

W = 8
CARD = {
    "version": 1,
    "bins": 64,
    "window_frames": W,
    "look_ahead_frames": 2,
    "mean": [0.0] * CHANNELS,
    "std": [0.1] * CHANNELS,
}
INPUTS = {
    "features": ["B", 4 * W, 64],
    "noisy": ["B", "F", CHANNELS],
    "shown": ["B", "F"],
    "tokens": ["B", "F", 64],
    "style": ["B", STYLE_SIZE],
    "style_known": ["B"],
    "alpha": ["B"],
}


def write_graph(path: Path, nodes: list, inputs: list[str], output: str, card: object = CARD) -> Path:
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    constants = [
        helper.make_tensor("axes", onnx.TensorProto.INT64, [1], [2]),
        helper.make_tensor("rows", onnx.TensorProto.INT64, [4], [0, W, 4, 64]),
        helper.make_tensor("mouth_shape", onnx.TensorProto.INT64, [3], [1, 1, 28]),
        helper.make_tensor("half", number, [], [0.5]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, number, INPUTS[name]) for name in inputs],
        [helper.make_tensor_value_info(output, number, None)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if card is not None:
        helper.set_model_props(model, {"mien": json.dumps(card)})
    onnx.save(model, path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three small nets with the inputs and outputs of the trained ones."""
    node = onnx.helper.make_node
    write_graph(
        tmp_path / "motion_encoder.onnx",
        [
            node("Reshape", ["features", "rows"], ["cut"]),
            node("ReduceMean", ["cut"], ["tokens"], axes=[2], keepdims=0),
        ],
        ["features"],
        "tokens",
    )
    write_graph(
        tmp_path / "motion_denoiser.onnx",
        [
            node("ReduceMean", ["tokens"], ["sound"], axes=[2], keepdims=1),
            node("Mul", ["noisy", "half"], ["pulled"]),
            node("Add", ["pulled", "sound"], ["clean"]),
        ],
        ["noisy", "shown", "tokens", "style", "style_known", "alpha"],
        "clean",
    )
    write_graph(
        tmp_path / "motion_lips.onnx",
        [
            node("Reshape", ["features", "rows"], ["cut"]),
            node("ReduceMean", ["cut"], ["sound"], axes=[2, 3], keepdims=0),
            node("Unsqueeze", ["sound", "axes"], ["tall"]),
            node("Expand", ["tall", "mouth_shape"], ["mouth"]),
        ],
        ["features", "style"],
        "mouth",
    )
    return tmp_path


def test_a_performer_runs_on_files(folder: Path) -> None:
    performer = Performer(denoiser=OnnxDenoiser(folder), lip_refiner=OnnxLipRefiner(folder), seed=4)
    pcm = np.random.default_rng(0).normal(0, 0.1, 20 * 640).astype(np.float32)
    motion = np.concatenate([performer.push(pcm), performer.flush()])
    assert motion.shape == (20, CHANNELS)
    assert np.isfinite(motion).all()
    assert motion.std() > 0.0


def test_nets_answer_in_their_shapes(folder: Path) -> None:
    denoiser = OnnxDenoiser(folder)
    tokens = denoiser.encode(np.ones((2, 4 * W, 64), np.float32))
    assert tokens.shape == (2, W, 64)
    clean = denoiser.denoise(
        noisy=np.ones((2, 5, CHANNELS), np.float32),
        shown=np.zeros((2, 5), np.float32),
        tokens=tokens[:, -5:],
        style=np.zeros((2, STYLE_SIZE), np.float32),
        style_known=np.ones(2, np.float32),
        alpha=np.zeros(2, np.float32),
    )
    np.testing.assert_allclose(clean, np.full((2, 5, CHANNELS), 1.5))
    lips = OnnxLipRefiner(folder)
    assert lips.window_frames == W
    mouth = lips.articulate(np.ones((4 * W, 64), np.float32), np.zeros(STYLE_SIZE, np.float32))
    np.testing.assert_allclose(mouth, np.ones((W, 28)))


def test_a_file_is_opened_once(folder: Path) -> None:
    assert open_graph(folder / "motion_lips.onnx") is open_graph(folder / "motion_lips.onnx")


def test_a_damaged_file_is_named(folder: Path) -> None:
    path = folder / "motion_lips.onnx"
    path.write_bytes(b"not a graph" * 100)
    with pytest.raises(AssetError, match=r"motion_lips.onnx cannot be read"):
        OnnxLipRefiner(folder)


def test_a_file_cut_short_is_named(folder: Path) -> None:
    path = folder / "motion_denoiser.onnx"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(AssetError, match=r"motion_denoiser.onnx (cannot be read|has no description)"):
        OnnxDenoiser(folder)


def test_a_net_with_other_inputs_is_named(folder: Path) -> None:
    (folder / "motion_lips.onnx").write_bytes((folder / "motion_encoder.onnx").read_bytes())
    with pytest.raises(AssetError, match="takes"):
        OnnxLipRefiner(folder)


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (None, "no description"),
        ("text", "no description"),
        ({**CARD, "window_frames": "many"}, "no description"),
        ({**CARD, "version": 2}, "version 2"),
        ({**CARD, "bins": 80}, "80 bins"),
        ({**CARD, "mean": [0.0]}, "damaged"),
        ({**CARD, "std": [0.0] * CHANNELS}, "damaged"),
    ],
)
def test_a_net_of_another_make_is_refused(tmp_path: Path, card: object, reason: str) -> None:
    node = onnx.helper.make_node("Identity", ["style"], ["mouth"])
    path = write_graph(tmp_path / "net.onnx", [node], ["style"], "mouth", card)
    with pytest.raises(AssetError, match=reason):
        Graph(path)
