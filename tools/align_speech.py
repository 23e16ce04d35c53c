"""Find when each phoneme is said in recordings whose words are known: pocketsphinx's forced alignment.

Covers GRID's clips, the accented readers of speechocean762 and the LJSpeech clips that have a transcript.
Writes JSON: "corpus/clip" -> [[phone, start_s, end_s], ...] in ARPABET, "SIL" between. Recordings whose
words pocketsphinx cannot place are left out, and counted. About 70 s on one core.
"""

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pocketsphinx
from augmentation import read_sound

SPHINX_FRAME_S = 0.01


def align(decoder: pocketsphinx.Decoder, sound: bytes, words: str) -> list[tuple[str, float, float]]:
    """Return (phone, start, end) in seconds. Raises RuntimeError where the words do not fit the sound.

    Two passes: the first places the words, the second the phones within them.
    """

    def listen() -> None:
        decoder.start_utt()
        decoder.process_raw(sound, full_utt=True)
        decoder.end_utt()

    decoder.set_align_text(words)
    listen()
    decoder.set_alignment()
    listen()
    return [
        (phone.name, phone.start * SPHINX_FRAME_S, (phone.start + phone.duration) * SPHINX_FRAME_S)
        for word in decoder.get_alignment()
        for phone in word
    ]


def recordings(data: Path) -> Iterator[tuple[str, Path, str]]:
    """Yield (corpus/clip, sound, words in lower case)."""
    for path in sorted((data / "grid/audio").glob("*.flac")):
        lines = (data / "grid/align" / f"{path.stem}.align").read_text().splitlines()
        words = (line.split()[2] for line in lines)
        yield f"grid/{path.stem}", path, " ".join(word for word in words if word not in ("sil", "sp"))
    for line in (data / "speech/speechocean/utts.tsv").read_text().splitlines()[1:]:
        name, _, _, text, *_ = line.split("\t")
        yield f"speechocean/{name}", data / f"speech/speechocean/flac/{name}.flac", text.lower()
    reader = data / "speech/ljspeech/tests/data/ljspeech"
    for line in (reader / "metadata.csv").read_text().splitlines():
        name, _, text = line.split("|")
        words_only = re.sub(r"[^a-z' ]+", " ", text.lower()).strip()
        yield f"ljspeech/{name}", reader / f"wavs/{name}.flac", words_only


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the shared data folder")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    arguments = parser.parse_args()

    decoder = pocketsphinx.Decoder(pocketsphinx.Config(bestpath=False, loglevel="FATAL"))
    aligned: dict[str, list[tuple[str, float, float]]] = {}
    failed: list[str] = []
    for name, path, words in recordings(arguments.data):
        sound = (32767 * read_sound(path).clip(-1, 1)).astype(np.int16)
        try:
            aligned[name] = align(decoder, sound.tobytes(), words)
        except RuntimeError:
            failed.append(name)
    arguments.out.write_text(json.dumps(aligned))
    print(f"{len(aligned)} recordings aligned, {len(failed)} not: {failed}")


if __name__ == "__main__":
    main()
