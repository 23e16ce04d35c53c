"""Export the trained nets to ONNX, as the engine reads them, and write the training record.

Writes motion_lips.onnx (from --lips), motion_encoder.onnx and motion_denoiser.onnx (from --sampler) into
--out, and enters them in motion.json there; what is not exported stays as it is. Each graph is checked
against torch on random input before anything is kept. The lip refiner's graph ends with the step from the
wanted lip gap to mouthClose (tools/lip_gap.py), so what leaves it are ARKit weights, 0..1.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
import torch
from build_motion_data import DOMAINS, GAP
from lip_gap import FULL_GAP, MOUTH_GAP, STYLE_GAP
from motion_nets import BINS, CHANNELS, ROWS, STYLES, WIDTH, WINDOW, LipRefiner
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from train_sampler import Sampler
from training import MotionData

from mien.engine.timebase import FRAME_RATE

Array = NDArray[np.float32]

OPSET: Final = 20
LARGEST_DIFFERENCE: Final = 1e-4
"""Between torch and ONNX Runtime, on random input, before the weights are made smaller."""

LOOK_AHEAD_FRAMES: Final = 2
STRONG_FACES: Final = 1.35
"""How much more sneer than the mean the lips are ready to close against: people differ."""

FIRM: Final = 0.08
"""How much further than contact firmly closed lips go, as a share of what the jaw parts them."""

NEIGHBOURS: Final = 0.12
"""Share of each of the two frames beside it in a frame of the mouth: takes off the net's own tremble."""

ERRORS: Final = ("position", "velocity", "acceleration")
FAINT: Final = 0.025
"""Weights under this are noise of the net, not movement."""


class ShippedLips(nn.Module):
    """The lip refiner with the lips' geometry: features and style -> ARKit weights float32[B, W, 28]."""

    gap_weights: Tensor
    style_gap: Tensor

    def __init__(self, refiner: LipRefiner) -> None:
        super().__init__()
        self.refiner = refiner
        open_weights = torch.from_numpy(MOUTH_GAP.copy())
        open_weights[GAP] = 0
        self.register_buffer("gap_weights", open_weights)
        self.register_buffer("style_gap", torch.from_numpy(STRONG_FACES * STYLE_GAP.astype(np.float32)))
        self.closing = -float(MOUTH_GAP[GAP])

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """Return the mouth."""
        said = self.refiner(features, style)
        before = torch.cat([said[:, :1], said[:, :-1]], dim=1)
        after = torch.cat([said[:, 1:], said[:, -1:]], dim=1)
        said = (1 - 2 * NEIGHBOURS) * said + NEIGHBOURS * (before + after)
        weights = ((said - FAINT) / (1 - FAINT)).clamp(0, 1)
        gap = said[..., GAP]
        parted = (weights * self.gap_weights).sum(-1) + (style * self.style_gap).sum(-1, keepdim=True)
        firmness = 1 + FIRM * (-gap / 0.2).clamp(0, 1)
        closed = (firmness * parted - FULL_GAP * gap.clamp(min=0)) / self.closing
        return torch.cat([weights[..., :GAP], closed.clamp(0, 1)[..., None], weights[..., GAP + 1 :]], dim=-1)


@dataclass(frozen=True, slots=True)
class Graph:
    """One net to export: its module, an example of each input, and the output's name."""

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    output: str
    per_frame: frozenset[str] = frozenset()
    """Inputs whose second axis may be any number of frames up to a window's."""


def lip_graphs(lips: LipRefiner) -> list[Graph]:
    """Return the lip refiner's graph with example inputs, batch 2."""
    features, style = torch.rand(2, ROWS * WINDOW, BINS), torch.rand(2, STYLES)
    return [Graph("motion_lips", ShippedLips(lips), {"features": features, "style": style}, "mouth")]


def sampler_graphs(sampler: Sampler) -> list[Graph]:
    """Return the sampler's two graphs with example inputs, batch 2."""
    denoiser_inputs = {
        "noisy": torch.randn(2, WINDOW, CHANNELS),
        "shown": torch.randint(0, 2, (2, WINDOW)).float(),
        "tokens": torch.randn(2, WINDOW, WIDTH),
        "style": torch.rand(2, STYLES),
        "style_known": torch.tensor([0.0, 1.0]),
        "alpha": torch.rand(2),
    }
    features = torch.rand(2, ROWS * WINDOW, BINS)
    return [
        Graph("motion_encoder", sampler.encoder, {"features": features}, "tokens"),
        Graph(
            "motion_denoiser",
            sampler.denoiser,
            denoiser_inputs,
            "clean",
            per_frame=frozenset({"noisy", "shown", "tokens"}),
        ),
    ]


def card_of(mean: Tensor | None = None, std: Tensor | None = None) -> dict[str, Any]:
    """Return what a graph says of itself; mean and deviation of the motion are the sampler's alone."""
    mean = torch.zeros(CHANNELS) if mean is None else mean
    std = torch.ones(CHANNELS) if std is None else std
    return {
        "version": 1,
        "window_frames": WINDOW,
        "bins": BINS,
        "mean": [round(float(value), 6) for value in mean],
        "std": [round(float(value), 6) for value in std],
        "look_ahead_frames": LOOK_AHEAD_FRAMES,
    }


def export(graph: Graph, card: dict[str, Any], path: Path) -> tuple[float, float]:
    """Write one graph with its description.

    Returns how far it is from torch on the examples before its weights were made smaller (largest
    difference) and after (RMS of the difference, as a share of the output's deviation).
    """
    module = graph.module.eval()
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    frames = {1: torch.export.Dim("frames", min=1, max=WINDOW)}
    program = torch.onnx.export(
        module,
        tuple(graph.inputs.values()),
        dynamo=True,
        opset_version=OPSET,
        input_names=list(graph.inputs),
        output_names=[graph.output],
        dynamic_shapes=tuple(batch | frames if name in graph.per_frame else batch for name in graph.inputs),
        verbose=False,
    )
    model = program.model_proto
    strip(model)
    exact = max(float(np.abs(difference).max()) for difference, _ in differences(graph, model))
    if exact > LARGEST_DIFFERENCE:
        raise SystemExit(f"{graph.name}: ONNX Runtime and torch differ by {exact:.1e}")
    model = quantise_blocks(model)
    store_as_half(model)
    entry = model.metadata_props.add()
    entry.key, entry.value = "mien", json.dumps(card)
    onnx.checker.check_model(model)
    small = max(float(difference.std() / wanted.std()) for difference, wanted in differences(graph, model))
    path.write_bytes(model.SerializeToString())
    return exact, small


def differences(graph: Graph, model: onnx.ModelProto) -> Iterator[tuple[Array, Array]]:
    """Yield (made - wanted, wanted) for the examples, one and both at a time, one of them cut short."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in (1, 2):
        inputs = {
            name: value[:batch, -3 * batch :] if name in graph.per_frame else value[:batch]
            for name, value in graph.inputs.items()
        }
        with torch.no_grad():
            wanted = graph.module(*inputs.values()).numpy()
        made = session.run([graph.output], {name: value.numpy() for name, value in inputs.items()})[0]
        yield made - wanted, wanted


def strip(model: onnx.ModelProto) -> None:
    """Take out what the exporter says about its own source."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.initializer, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    del model.graph.value_info[:]


def quantise_blocks(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give the blocks' wide products 8-bit weights: half the time on one core.

    First and last layers and the attention's output stay as they are: in 8 bits they make the motion tremble.
    A range of 7 bits, because processors without VNNI add products of 8 bits in 16 and overflow.
    """
    sizes = {weight.name: sorted(weight.dims) for weight in model.graph.initializer}
    wide = [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul" and any(sizes.get(name) == [WIDTH, 3 * WIDTH] for name in node.input)
    ]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "quantised.onnx"
        quantize_dynamic(
            model,
            target,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=wide,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        quantised = onnx.load(target)
    del quantised.metadata_props[:]
    return quantised


def store_as_half(model: onnx.ModelProto) -> None:
    """Keep large weights as float16 and widen them when the net is loaded: half the file, the same speed.

    ONNX Runtime folds the casts of constants away as it opens a graph.
    """
    weights = [
        w for w in model.graph.initializer if w.data_type == onnx.TensorProto.FLOAT and len(w.raw_data) > 4096
    ]
    casts = []
    for weight in weights:
        half = onnx.numpy_helper.to_array(weight).astype(np.float16)
        wide = weight.name
        weight.CopyFrom(onnx.numpy_helper.from_array(half, f"{wide}_half"))
        casts.append(onnx.helper.make_node("Cast", [f"{wide}_half"], [wide], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def describe(
    kept: dict[str, Any], net: nn.Module, columns: Sequence[str], data: Path, note: str | None
) -> dict[str, Any]:
    """Return what is worth keeping of a training: data, size, steps and the curve of its losses."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    described: dict[str, Any] = {
        "commit": commit.stdout.strip(),
        "seed": 0,
        "data": describe_data(data),
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "steps": kept["step"],
    }
    if note:
        described["note"] = note
    return described | {"losses": {"columns": ["step", *columns], "rows": kept["losses"][::10]}}


def describe_data(path: Path) -> dict[str, Any]:
    """Return clips and minutes of each domain that trains, copies counted once."""
    data = MotionData.read(path)
    with np.load(path) as archive:
        copies = int(archive["copies"])
    domains = {}
    for place, domain in enumerate(DOMAINS):
        frames = data.frames[(data.domain == place) & ~data.kept_out]
        count = len(frames) // (copies + 1)
        domains[domain] = {"clips": count, "minutes": round(float(frames[:count].sum()) / FRAME_RATE / 60, 1)}
    return {"domains": domains, "spoilt_copies": copies}


SOURCES: Final = {
    "grid": "GRID corpus talker s1 (Cooke et al. 2006), CC BY 4.0: filmed lips, jaw, brows, head",
    "kokoro": "speech made with Kokoro-82M (Apache-2.0), six languages; authored mouths, fitted to GRID",
    "aligned": "speechocean762 (free for any use), LJSpeech (public domain); forced alignment, authored",
    "facegood": "FACEGOOD Audio2Face (MIT): animator-made jaw, to test with; earlier releases trained on it",
    "noise": "made: silence, noise, hum, knocks, breath, with a resting mouth",
    "emotion": "authored from FACS prototypes with person-to-person variation; nothing filmed",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lips", type=Path, help="checkpoint of tools/train_lips.py")
    parser.add_argument("--sampler", type=Path, help="checkpoint of tools/train_sampler.py")
    parser.add_argument("--data", type=Path, required=True, help="npz of tools/build_motion_data.py")
    parser.add_argument("--scores", type=Path, help="JSON of tools/score_motion.py, to put into the record")
    parser.add_argument("--note", help="anything the record should say of this training")
    parser.add_argument("--out", type=Path, default=Path("engine/assets"), help="folder of the engine's nets")
    arguments = parser.parse_args()

    record_path: Path = arguments.out / "motion.json"
    record: dict[str, Any] = json.loads(record_path.read_text()) if record_path.exists() else {"nets": {}}
    record["sources"] = SOURCES
    if arguments.lips:
        kept = torch.load(arguments.lips, weights_only=True)
        lips = LipRefiner()
        lips.load_state_dict(kept["average"])
        export_all(lip_graphs(lips), card_of(), arguments.out)
        record["nets"]["lips"] = describe(kept, lips, (*ERRORS, "viseme"), arguments.data, arguments.note)
    if arguments.sampler:
        kept = torch.load(arguments.sampler, weights_only=True)
        sampler = Sampler()
        sampler.load_state_dict(kept["average"])
        export_all(sampler_graphs(sampler), card_of(sampler.mean, sampler.std), arguments.out)
        record["nets"]["sampler"] = describe(kept, sampler, ERRORS, arguments.data, arguments.note)
    if arguments.scores:
        record["scores"] = json.loads(arguments.scores.read_text())
    record_path.write_text(json.dumps(record, indent=1) + "\n")


def export_all(graphs: list[Graph], card: dict[str, Any], folder: Path) -> None:
    """Write the graphs and print how far each is from torch."""
    for graph in graphs:
        path = folder / f"{graph.name}.onnx"
        exact, small = export(graph, card, path)
        size = path.stat().st_size / 1e6
        print(f"{path}: {size:.1f} MB, differs from torch by {exact:.1e}, in 8 bits by {small:.1%}")


if __name__ == "__main__":
    main()
