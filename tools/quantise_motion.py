"""Make the motion nets smaller and faster: 8-bit weights in their matrix products.

    python tools/quantise_motion.py FROM TO [--data ../shared/data]

Reads the three nets of one folder and writes them into another, with their descriptions. Weights become int8
with a scale for each output channel; activations are scaled as they come (dynamic quantisation), so no
calibration data is needed. Convolutions stay as they are: in 8 bits they run slower on a CPU. Then it drives
a performer with both on real speech and prints how far they differ.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Final

import av
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic

from mien.engine.head import mouth_opening
from mien.engine.lips import OnnxLipRefiner
from mien.engine.motion import INDEX
from mien.engine.performer import Performer
from mien.engine.sampler import OnnxDenoiser
from mien.engine.timebase import SAMPLE_RATE

NETS: Final = ("motion_lips.onnx", "motion_encoder.onnx", "motion_denoiser.onnx")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("source", type=Path, metavar="FROM", help="the folder of the nets")
    parser.add_argument("target", type=Path, metavar="TO", help="another folder to write them to")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the shared data folder")
    arguments = parser.parse_args()
    if arguments.source.resolve() == arguments.target.resolve():
        parser.error("FROM and TO are the same folder")

    arguments.target.mkdir(parents=True, exist_ok=True)
    for name in NETS:
        quantise(arguments.source / name, arguments.target / name)
        before, after = ((folder / name).stat().st_size for folder in (arguments.source, arguments.target))
        print(f"{name}: {before / 1e6:.1f} -> {after / 1e6:.1f} MB")
    compare(arguments.source, arguments.target, read_speech(arguments.data))


def quantise(source: Path, target: Path) -> None:
    """Write one net with int8 matrix products."""
    described = {entry.key: entry.value for entry in onnx.load(source).metadata_props}
    with tempfile.TemporaryDirectory() as folder:
        # Weights kept in half precision are widened first: the quantiser wants plain initialisers.
        widened = Path(folder) / "widened.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(widened)
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        quantize_dynamic(
            str(widened),
            str(target),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,  # 7 bits: processors without VNNI add 8-bit products in 16 bits, and overflow
            op_types_to_quantize=["MatMul"],
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    model = onnx.load(target)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, described)
    onnx.save(model, target)


def compare(source: Path, target: Path, pcm: NDArray[np.float32]) -> None:
    """Print how the motion of both differs: correlation, and the ratio of mean accelerations."""
    plain, quantised = (perform(folder, pcm) for folder in (source, target))
    tracks = {
        name: (plain[:, INDEX[name]], quantised[:, INDEX[name]])
        for name in ("jawOpen", "mouthPucker", "mouthPressLeft", "browInnerUp", "headPitch", "headYaw")
    }
    tracks["lip gap"] = (mouth_opening(plain), mouth_opening(quantised))
    for name, (before, after) in tracks.items():
        ratio = np.abs(np.diff(after, 2)).mean() / np.abs(np.diff(before, 2)).mean()
        print(f"{name:16s} r {np.corrcoef(before, after)[0, 1]:.4f}  acceleration x {ratio:.2f}")


def perform(folder: Path, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    performer = Performer(seed=1, denoiser=OnnxDenoiser(folder), lip_refiner=OnnxLipRefiner(folder))
    return np.concatenate([performer.push(pcm), performer.flush()])


def read_speech(data: Path) -> NDArray[np.float32]:
    """Read about ten seconds of speech, float32 at 16 kHz."""
    blocks: list[NDArray[np.float32]] = []
    resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
    for path in sorted((data / "speech" / "ljspeech").rglob("*.flac"))[:2]:
        with av.open(str(path)) as container:
            for frame in container.decode(audio=0):
                blocks += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
    if not blocks:
        raise SystemExit(f"No speech under {data / 'speech'}: give the data folder with --data.")
    return np.concatenate(blocks)[: 10 * SAMPLE_RATE].astype(np.float32)


if __name__ == "__main__":
    main()
