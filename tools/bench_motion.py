"""Time the motion path: milliseconds a hop on one thread, for several numbers of steps.

    python tools/bench_motion.py --data ../shared/data

A hop is everything between one frame's worth of sound and one frame of motion: features, encoder, K steps
of the denoiser (with guidance: batches of two), lip refiner, idle life. Thread CPU time tells what the work
costs; wall time beside it tells how busy the machine was. The baseline is the same stream with the lip
refiner alone, a plain regressor: what an avatar without a sampler would pay.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import av
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mien.engine.config import MotionConfig
from mien.engine.emotion import Emotion, Style
from mien.engine.features import LogMelState, log_mel, silent_features
from mien.engine.graph import ASSETS
from mien.engine.idle import idle_motion, start_idle
from mien.engine.lips import OnnxLipRefiner, load_lip_refiner, refine_lips, start_lips
from mien.engine.motion import neutral_motion
from mien.engine.performer import Performer
from mien.engine.sampler import OnnxDenoiser, WindowRequest, load_denoiser, sample_windows, start_sampler
from mien.engine.timebase import SAMPLE_RATE, SAMPLES_PER_FRAME

WARM_UP: Final = 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the shared data folder")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="the folder of the three nets")
    parser.add_argument("--frames", type=int, default=500, help="frames timed for each row")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 4, 8])
    arguments = parser.parse_args()

    pcm = read_speech(arguments.data, arguments.frames + WARM_UP)
    denoiser, lips = load_denoiser(arguments.assets), load_lip_refiner(arguments.assets)
    print(f"{machine()}; onnxruntime {onnxruntime.__version__}, one thread; {arguments.frames} frames a row")
    heads = ("cpu p50", "p95", "p99", "wall p50", "p95", "p99")
    print("milliseconds a hop".ljust(44), *(head.rjust(9) for head in heads))
    report("baseline: lip refiner alone, no sampler", time_calls(lips_alone(lips), pcm))
    for scale in (1.0, 1.5):
        for steps in arguments.steps:
            stream = open_stream(denoiser, lips, MotionConfig(steps=steps, guidance_scale=scale))
            guidance = "guidance" if scale != 1.0 else "no guidance"
            report(f"performer, K = {steps}, {guidance}", time_calls(stream.push, pcm))
    for hop in (2, 4):
        stream = open_stream(denoiser, lips, MotionConfig(hop_frames=hop))
        report(f"performer, defaults, hop {hop}", time_calls(stream.push, pcm, frames=hop))
    report("part: features", time_calls(features_alone(), pcm))
    report("part: idle life", time_calls(idle_alone(), pcm))
    window = silent_features(denoiser.card.window_frames)
    report("part: encoder", time_calls(lambda _: denoiser.encode(window[None]), pcm))
    for sessions in (1, 4, 8):
        times = time_calls(sampler_of(denoiser, sessions), pcm) / sessions
        report(f"part: sampler, K = 4, guidance, {sessions} in a run, each", times)


def open_stream(denoiser: OnnxDenoiser, lips: OnnxLipRefiner, config: MotionConfig) -> Performer:
    """Begin a stream with an emotion, so that guidance has something to guide to."""
    stream = Performer(config, denoiser=denoiser, lip_refiner=lips)
    stream.set_style(Style(Emotion.HAPPY, 2.0))
    stream.push(np.zeros(config.delay_frames * SAMPLES_PER_FRAME, np.float32))
    return stream


def sampler_of(denoiser: OnnxDenoiser, sessions: int) -> Callable[[NDArray[np.float32]], object]:
    """Return a call that samples one frame for several sessions at once."""
    config, style = MotionConfig(guidance_scale=1.2), Style(Emotion.HAPPY, 2.0).vector()
    window = silent_features(denoiser.card.window_frames)
    requests = [WindowRequest(window, style, start_sampler(config, seed)) for seed in range(sessions)]

    def push(_: NDArray[np.float32]) -> object:
        nonlocal requests
        made = sample_windows(denoiser, requests, config=config, frames=1)
        requests = [WindowRequest(window, style, state) for _, state in made]
        return made

    return push


def lips_alone(lips: OnnxLipRefiner) -> Callable[[NDArray[np.float32]], object]:
    ears, window, mouth = LogMelState(), silent_features(lips.window_frames), start_lips()
    style, face = Style().vector(), neutral_motion(1)

    def push(pcm: NDArray[np.float32]) -> object:
        nonlocal ears, window, mouth
        rows, ears = log_mel(pcm, ears)
        window = np.concatenate([window[len(rows) :], rows])
        made, mouth = refine_lips(lips, window, style, mouth, face=face, look_ahead=2, mouth_gain=1.0)
        return made

    return push


def features_alone() -> Callable[[NDArray[np.float32]], object]:
    ears = LogMelState()

    def push(pcm: NDArray[np.float32]) -> object:
        nonlocal ears
        rows, ears = log_mel(pcm, ears)
        return rows

    return push


def idle_alone() -> Callable[[NDArray[np.float32]], object]:
    idle = start_idle(0)

    def push(_: NDArray[np.float32]) -> object:
        nonlocal idle
        motion, idle = idle_motion(1, idle)
        return motion

    return push


def time_calls(
    call: Callable[[NDArray[np.float32]], object], pcm: NDArray[np.float32], *, frames: int = 1
) -> NDArray[np.float64]:
    """Return CPU and wall milliseconds of each call, float64[calls, 2]; a call is given so many frames."""
    times = []
    for block in pcm.reshape(-1, SAMPLES_PER_FRAME * frames):
        wall, cpu = time.perf_counter(), time.thread_time()
        call(block)
        times.append((time.thread_time() - cpu, time.perf_counter() - wall))
    return 1000.0 * np.array(times[WARM_UP // frames :])


def report(name: str, times: NDArray[np.float64]) -> None:
    cpu, wall = np.percentile(times, [50, 95, 99], axis=0).T
    print(
        f"{name:44s} {cpu[0]:8.2f} {cpu[1]:7.2f} {cpu[2]:7.2f} {wall[0]:9.2f} {wall[1]:7.2f} {wall[2]:7.2f}"
    )


def read_speech(data: Path, frames: int) -> NDArray[np.float32]:
    """Read speech from the shared data, repeated to length, float32[frames * 640], frames a multiple of 4."""
    samples = (frames - frames % 4) * SAMPLES_PER_FRAME
    blocks: list[NDArray[np.float32]] = []
    resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
    for path in sorted((data / "speech" / "ljspeech").rglob("*.flac"))[:4]:
        with av.open(str(path)) as container:
            for frame in container.decode(audio=0):
                blocks += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
    if not blocks:
        raise SystemExit(f"No speech under {data / 'speech'}: give the data folder with --data.")
    return np.resize(np.concatenate(blocks), samples).astype(np.float32)


def machine() -> str:
    """Return the processor's name and the number of cores."""
    cpuinfo = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
