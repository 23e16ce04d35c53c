"""The command line: mien serve, render, say, dub, prepare, doctor, fetch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from typer.core import TyperGroup

from mien.engine.emotion import HIGHEST_INTENSITY, Emotion
from mien.engine.errors import AssetError, ConfigError, MienError
from mien.engine.framing import parse_size
from mien.engine.timebase import FRAME_RATE
from mien.web.film import Codec, FilmConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

    import av

    from mien.engine.emotion import StyleVector
    from mien.engine.framing import Size
    from mien.engine.portrait import Portrait

# Everything heavy is imported by the command that needs it: `mien --help` answers at once.

DEFAULT_PORT: Final = 8420
FAILED: Final = 2
"""Exit status of a command that met a foreseen failure."""

output = Console()
errors = Console(stderr=True)


class Commands(TyperGroup):
    """Tells foreseen failures in two lines, with no traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except MienError as error:
            errors.print(f"[bold red]Error:[/] {escape(error.problem)}", highlight=False, soft_wrap=True)
            errors.print(f"[bold]What to do:[/] {escape(error.remedy)}", highlight=False, soft_wrap=True)
            raise typer.Exit(FAILED) from error


app = typer.Typer(
    cls=Commands,
    name="mien",
    help="A photo and a stream of speech go in, a living face comes out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)

PortraitArgument = Annotated[
    str,
    typer.Argument(
        metavar="PORTRAIT", help="A built-in portrait's name, a portrait file, a photo, or a video."
    ),
]
FaceOption = Annotated[
    int | None,
    typer.Option(min=0, help="Which face, where there are several: 0 is the largest.", show_default=False),
]
EmotionOption = Annotated[
    str,
    typer.Option(
        metavar="WORDS",
        help=f"The face's emotion: {', '.join(Emotion)}, with intensities: sad 1 + surprised 2; or, with the "
        "extra mien\\[text], any words: barely amused.",
    ),
]
IntensityOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=HIGHEST_INTENSITY,
        help="How strong it is: 0 none, 3 strong. By default 1, or as the words say.",
        show_default=False,
    ),
]
StyleFromOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Take emotion and manner from a photo, a video, a track of blendshapes (.npz, .csv) or a sound.",
        show_default=False,
    ),
]
VoiceLeadsOption = Annotated[
    bool, typer.Option("--voice-leads", help="Take the emotion from how the speech sounds, as it goes on.")
]
MouthGainOption = Annotated[
    float, typer.Option(min=0, max=2, help="How far the mouth opens: 1 is as spoken.")
]
SizeOption = Annotated[
    str, typer.Option(metavar="WxH", help="Width and height of the picture in pixels, such as 1080x1920.")
]
BackgroundOption = Annotated[
    str,
    typer.Option(
        metavar="BACKGROUND",
        help='What stands behind the person: "photo" (their own), "blur", a colour such as "#2a6f4e", or the '
        "path of a picture.",
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, help="The same seed gives the same film.")]
CodecOption = Annotated[
    Codec, typer.Option(help="vp9 and av1 are free; h264 plays everywhere, by x264, which is GPL.")
]
CrfOption = Annotated[
    int | None,
    typer.Option(
        help="Quality: lower is better and larger. By default the codec's usual.", show_default=False
    ),
]


def main() -> None:
    """Run the command line."""
    app()


@app.callback(invoke_without_command=True)
def about(
    ctx: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """A photo and a stream of speech go in, a living face comes out."""  # noqa: D401
    if show_version:
        output.print(version("mien"), highlight=False)
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        output.print(ctx.get_help())


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on. Others than this machine need 0.0.0.0.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = DEFAULT_PORT,
    portrait: Annotated[
        str | None,
        typer.Option(
            help="The portrait to begin with: a built-in one's name, a portrait file, a photo, or a video "
            "of up to a minute, which plays there and back while its lips speak."
        ),
    ] = None,
    sessions: Annotated[
        int | None,
        typer.Option(min=1, help="Sessions at a time. By default what the cores hold.", show_default=False),
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="Another site whose pages may use this server; may be repeated.")
    ] = None,
    size: SizeOption = "512x512",
    background: BackgroundOption = "photo",
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve the page: open it, speak, and a portrait speaks with you."""
    from mien.web.hosting import ServeConfig, host_page

    config = ServeConfig(
        host=host,
        port=port,
        portrait=portrait,
        sessions=sessions,
        origins=tuple(allow_origin or ()),
        size=parse_size(size),
        background=background,
        open_page=open_page,
    )
    host_page(config, output)


@app.command()
def render(
    speech: Annotated[
        Path, typer.Argument(metavar="SPEECH", help="A sound file: WAV, FLAC, MP3, Opus, M4A.")
    ],
    portrait: PortraitArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The film: .mp4, .webm, .mkv or .mov.")],
    face: FaceOption = None,
    emotion: EmotionOption = "neutral",
    intensity: IntensityOption = None,
    style_from: StyleFromOption = None,
    voice_leads: VoiceLeadsOption = False,
    mouth_gain: MouthGainOption = 1.0,
    size: SizeOption = "512x512",
    background: BackgroundOption = "photo",
    codec: CodecOption = Codec.VP9,
    crf: CrfOption = None,
    seed: SeedOption = 0,
) -> None:
    """Make a film of a portrait that says a sound file."""
    from mien.web.film import read_speech, speech_seconds

    config = FilmConfig(codec=codec, crf=crf)
    seconds = speech_seconds(speech)
    style = _style(emotion, intensity, style_from)
    animator = _open_animator(
        portrait, face, parse_size(size), style, mouth_gain, voice_leads, seed, background
    )
    _film(read_speech(speech), animator, out, config, seconds)


@app.command()
def say(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say, in English.")],
    portrait: PortraitArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The film: .mp4, .webm, .mkv or .mov.")],
    face: FaceOption = None,
    emotion: EmotionOption = "neutral",
    intensity: IntensityOption = None,
    style_from: StyleFromOption = None,
    voice_leads: VoiceLeadsOption = False,
    mouth_gain: MouthGainOption = 1.0,
    size: SizeOption = "512x512",
    background: BackgroundOption = "photo",
    codec: CodecOption = Codec.VP9,
    crf: CrfOption = None,
    seed: SeedOption = 0,
) -> None:
    """Make a film of a portrait that says a text."""
    from mien.streaming.synthesis import HibariSynthesizer, check_text
    from mien.web.film import voice_frames

    config = FilmConfig(codec=codec, crf=crf)
    text = check_text(text)
    synthesizer = HibariSynthesizer()
    style = _style(emotion, intensity, style_from)
    animator = _open_animator(
        portrait, face, parse_size(size), style, mouth_gain, voice_leads, seed, background
    )
    _film(voice_frames(synthesizer.stream(text), synthesizer.sample_rate), animator, out, config, None)


@app.command()
def dub(
    video: Annotated[
        Path, typer.Argument(metavar="VIDEO", help="A person who looks at the camera, for up to 5 minutes.")
    ],
    speech: Annotated[
        Path, typer.Argument(metavar="SPEECH", help="A sound file: WAV, FLAC, MP3, Opus, M4A.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The film: .mp4, .webm, .mkv or .mov.")],
    face: FaceOption = None,
    emotion: EmotionOption = "neutral",
    intensity: IntensityOption = None,
    style_from: StyleFromOption = None,
    voice_leads: VoiceLeadsOption = False,
    mouth_gain: MouthGainOption = 1.0,
    codec: CodecOption = Codec.VP9,
    crf: CrfOption = None,
    seed: SeedOption = 0,
) -> None:
    """Give a video of a person new lips, which say a sound file.

    All but the lower face stays the video's own, at 25 frames a second and without its sound. Speech that
    lasts longer plays the video back and forth; after a shorter one the video goes on with its lips closed.
    Where the face is lost, turned away or covered, the video keeps its own mouth. Of several faces the
    largest speaks, or --face.
    """
    from mien.engine.clip_renderer import ClipRenderer
    from mien.web.casting import animate
    from mien.web.dubbing import LONGEST_VIDEO_S, clip_of_video, lasting, open_video
    from mien.web.film import check_film, read_speech, speech_seconds

    config = FilmConfig(codec=codec, crf=crf)
    check_film(out)
    seconds = speech_seconds(speech)
    with open_video(video, longest_s=LONGEST_VIDEO_S) as pictures:
        with _busy("Opening the video") as progress:
            clip = clip_of_video(pictures, face=face, name=video.stem, progress=progress)
        style = _style(emotion, intensity, style_from)
        animator = animate(
            ClipRenderer(clip, pictures),
            style=style,
            mouth_gain=mouth_gain,
            voice_leads=voice_leads,
            seed=seed,
        )
        length = len(clip) / FRAME_RATE
        _film(lasting(read_speech(speech), length), animator, out, config, max(seconds or 0.0, length))
    kept = int((clip.presence < 1).sum())
    if kept:
        output.print(
            f"[yellow]{kept} of the video's {len(clip)} frames[/] keep their own mouth, wholly or in part: "
            "the face is lost, turned away or covered there.",
            highlight=False,
            soft_wrap=True,
        )


@app.command()
def prepare(
    photo: Annotated[
        Path, typer.Argument(metavar="PHOTO", help="A photo of a face that looks at the camera.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The portrait file to write.")],
    face: FaceOption = None,
    name: Annotated[
        str | None, typer.Option(help="The portrait's name. By default the photo's.", show_default=False)
    ] = None,
    size: SizeOption = "512x512",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Take the photo even if mouth or eyes seem covered or closed.")
    ] = False,
) -> None:
    """Make a portrait file from a photo, to open in a moment later."""
    from mien.web.casting import portrait_of_photo

    wanted = parse_size(size)
    with _busy("Preparing the portrait") as progress:
        portrait = portrait_of_photo(
            photo, face=face, name=name or photo.stem, size=wanted, anyway=anyway, progress=progress
        )
        _save(portrait, out)
    output.print(f"[green]✓[/] {escape(str(out))}", highlight=False, soft_wrap=True)
    if not portrait.has_backdrop:
        errors.print(
            "[yellow]The person could not be told from the background,[/] which moves along with the head "
            "near it. `mien doctor` says whether the person finder is here.",
            highlight=False,
            soft_wrap=True,
        )


@app.command()
def doctor(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to look at.")] = DEFAULT_PORT,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what works on this machine and what doesn't, each with its remedy."""
    from mien.web.doctor import State, examine

    with _busy("Looking", quiet=as_json) as progress:
        checks = []
        for check in examine(port=port):
            checks.append(check)
            progress(check.name, None)
    if as_json:
        output.print_json(json.dumps([asdict(check) for check in checks]))
    else:
        output.print(_report(checks))
    if any(check.state is State.PROBLEM for check in checks):
        raise typer.Exit(1)


@app.command()
def fetch() -> None:
    """Fetch the models that find faces and people in photos, so that photos work offline later."""
    from mien.web.model_store import FACE_FINDER, PERSON_FINDER, model_path

    for model in (FACE_FINDER, PERSON_FINDER):
        with _busy(f"Fetching the {model.name}") as progress:
            path = model_path(model, progress)
        output.print(
            f"[green]✓[/] The {model.name} is at {escape(str(path))}", highlight=False, soft_wrap=True
        )


def _open_animator(
    portrait: str,
    face: int | None,
    size: Size,
    style: StyleVector,
    mouth_gain: float,
    voice_leads: bool,
    seed: int,
    background: str,
) -> Any:
    from mien.engine.scenery import parse_scenery
    from mien.web.casting import find_portrait, open_animator

    scenery = parse_scenery(background)
    with _busy("Opening the portrait") as progress:
        found = find_portrait(portrait, face=face, size=size, progress=progress)
        return open_animator(
            found,
            size=size,
            style=style,
            mouth_gain=mouth_gain,
            voice_leads=voice_leads,
            seed=seed,
            scenery=scenery,
        )


def _style(words: str, intensity: float | None, source: Path | None) -> StyleVector:
    """Read the style that the options ask for: of a file where there is one, else of the words."""
    from mien.engine.emotion_space import read_emotion, set_intensity

    if source is None:
        return read_emotion(words, intensity)
    if words != Emotion.NEUTRAL:
        raise ConfigError(
            "--emotion and --style-from both say what the face feels.", remedy="Give one of them."
        )
    from mien.web.style_source import style_of_file

    with _busy("Reading the style") as progress:
        style = style_of_file(source, progress=progress)
    return style if intensity is None else set_intensity(style, intensity)


def _save(portrait: Portrait, path: Path) -> None:
    try:
        portrait.save(path)
    except OSError as error:
        raise AssetError(
            f"{path} cannot be written: {error.strerror}.",
            remedy="Check the folder, its permissions and its space.",
        ) from error


def _film(
    speech: Iterable[av.AudioFrame], animator: Any, out: Path, config: FilmConfig, seconds: float | None
) -> None:
    from mien.web.film import write_film

    total = None if seconds is None else round(seconds * FRAME_RATE)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=errors, transient=True) as bar:
            task = bar.add_task("Filming", total=total)
            frames = write_film(
                speech, animator, out, config=config, progress=lambda done: bar.update(task, completed=done)
            )
    finally:
        animator.close()
    output.print(
        f"[green]✓[/] {escape(str(out))}: {frames / FRAME_RATE:.1f} s, {frames} frames, {config.codec.value}",
        highlight=False,
        soft_wrap=True,
    )


@contextmanager
def _busy(description: str, *, quiet: bool = False) -> Iterator[Any]:
    """Show that something goes on. Yields a function that is told what, and how far it has come (0..1)."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24))
    with Progress(*columns, console=errors, transient=True, disable=quiet) as bar:
        task: TaskID = bar.add_task(description, total=None)

        def tell(words: str, share: float | None) -> None:
            bar.update(
                task, description=escape(words), total=None if share is None else 1.0, completed=share or 0.0
            )

        yield tell


def _report(checks: Iterable[Any]) -> Table:
    marks = {"ok": "[green]✓[/]", "absent": "[dim]–[/]", "problem": "[bold red]✗[/]"}
    table = Table(box=None, show_header=False, padding=(0, 1))
    for check in checks:
        remedy = f"\n[yellow]{escape(check.remedy)}[/]" if check.remedy else ""
        table.add_row(
            marks[check.state.value], f"[bold]{escape(check.name)}[/]", escape(check.found) + remedy
        )
    return table


if __name__ == "__main__":
    main()
