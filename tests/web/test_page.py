"""The page in a real browser: headless Chromium against a real server, sessions over real WebRTC.

The face is a stand-in that is quick to draw: a dark bar for a mouth, as high as the sound is loud.
"""

import io
import shutil
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray
from PIL import Image
from waiting import wait_until

from mien.engine.animator import Animator
from mien.engine.emotion import Emotion, Style, StyleVector
from mien.engine.motion import INDEX, MotionWindow, neutral_motion
from mien.engine.timebase import SAMPLES_PER_FRAME
from mien.engine.visibility import FaceCovered
from mien.streaming.lobby import Lobby
from mien.streaming.session import SessionSettings
from mien.streaming.synthesis import SpeechSynthesizer
from mien.web import studio
from mien.web.doctor import bind
from mien.web.messages import MESSAGE_BYTES
from mien.web.portraits import PortraitShelf
from mien.web.server import DoorConfig, build_app
from mien.web.studio import Studio

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt install chromium"),
]

DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
FLAGS = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
JAW = INDEX["jawOpen"]

MOUTH_HEIGHTS = """async (seconds) => {
  // Counts the rows of the mouth's bar in every decoded frame.
  const video = document.getElementById("video");
  const canvas = new OffscreenCanvas(64, 64);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const heights = [];
  await new Promise((resolve) => {
    const end = performance.now() + 1000 * seconds;
    video.requestVideoFrameCallback(function look() {
      pen.drawImage(video, 0, 0, 64, 64);
      const { data } = pen.getImageData(32, 32, 1, 32);
      heights.push(data.filter((value, index) => index % 4 === 0 && value < 60).length);
      if (performance.now() < end) video.requestVideoFrameCallback(look);
      else resolve();
    });
  });
  return heights;
}"""


class BarRenderer:
    """A light picture with a dark bar from the middle down: the further the jaw opens, the longer."""

    size = (256, 256)

    def render(self, motion: NDArray[np.float32], awake: float | None = None) -> NDArray[np.uint8]:
        picture = np.full((256, 256, 3), 200, np.uint8)
        picture[128 : 128 + round(120 * float(motion[JAW])), 96:160] = 20
        return picture

    def close(self) -> None:
        pass


class LoudnessPerformer:
    """Opens the jaw as far as the sound is loud, two frames later."""

    delay_frames = 2

    def __init__(self, told: list[Any]) -> None:
        self.mouth_gain = 1.0
        self._told = told
        self._sound = np.zeros(0, np.float32)

    def push(self, pcm: NDArray[np.float32]) -> MotionWindow:
        self._sound = np.concatenate([self._sound, pcm])
        motion = neutral_motion(max(0, len(self._sound) // SAMPLES_PER_FRAME - self.delay_frames))
        for frame in motion:
            frame[JAW] = min(1.0, 8 * float(np.sqrt(np.mean(self._sound[:SAMPLES_PER_FRAME] ** 2))))
            self._sound = self._sound[SAMPLES_PER_FRAME:]
        return motion

    def set_style(self, style: Style | StyleVector) -> None:
        self._told.append(style)

    def interrupt(self) -> None:
        self._sound[:] = 0


class HummingSynthesizer:
    """Says every text as a hum of two seconds."""

    sample_rate = 16_000

    def stream(self, text: str) -> Iterator[NDArray[np.float32]]:
        yield 0.3 * np.sin(2 * np.pi * 200 * np.arange(2 * self.sample_rate) / self.sample_rate).astype(
            np.float32
        )


@dataclass
class House:
    """A running server."""

    url: str
    lobby: Lobby
    told: list[Any]
    stop: Callable[[], None]


@contextmanager
def open_house(
    shelf: PortraitShelf, landmarker: Any, *, capacity: int = 2, speech: bool = True
) -> Iterator[House]:
    """Run a server whose faces are stand-ins."""
    told: list[Any] = []

    def make_face(settings: SessionSettings) -> Animator:
        shelf.open(settings.portrait)
        return Animator(BarRenderer(), LoudnessPerformer(told))  # type: ignore[arg-type]

    with open_rooms(
        make_face, shelf, Studio(landmarker), capacity, HummingSynthesizer() if speech else None, told
    ) as house:
        yield house


@contextmanager
def open_rooms(
    make_face: Callable[[SessionSettings], Animator],
    shelf: PortraitShelf,
    studio: Studio,
    capacity: int,
    synthesizer: SpeechSynthesizer | None,
    told: list[Any] | None = None,
) -> Iterator[House]:
    """Run a server in a thread of its own."""
    lobby = Lobby(make_face, capacity, synthesizer)
    app = build_app(lobby, shelf, studio, config=DoorConfig(upload_bytes=300_000))
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", ws_max_size=MESSAGE_BYTES, timeout_graceful_shutdown=2)
    )
    with bind("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()

        def stop() -> None:
            server.should_exit = True
            thread.join(15)
            assert not thread.is_alive()

        url = f"http://localhost:{listener.getsockname()[1]}/"
        try:
            yield House(url, lobby, [] if told is None else told, stop)
        finally:
            stop()


@pytest.fixture
def house(shelf: PortraitShelf, counting_landmarker: Any, preparing: None) -> Iterator[House]:
    with open_house(shelf, counting_landmarker) as opened:
        yield opened


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of a voice-like buzz and a second of silence, for the browser to play in a circle."""
    path = tmp_path_factory.mktemp("sound") / "microphone.wav"
    time_s = np.arange(48_000) / 48_000
    buzz = sum(np.sin(2 * np.pi * 140 * k * time_s) / k for k in range(1, 20))
    syllables = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * time_s)
    sound = np.concatenate([0.25 * buzz * syllables, np.zeros(48_000)])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes((32767 * sound).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def browser(microphone: Path) -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        flags = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone}"]
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@dataclass
class Visit:
    """One page in the browser, and what it complained about."""

    page: Any
    complaints: list[str]

    def state(self, name: str, *, timeout_s: float = 15) -> None:
        self.page.wait_for_selector(f"#stage[data-state={name}]", timeout=1000 * timeout_s)

    def notice(self, text: str) -> None:
        self.page.wait_for_selector("#notice:not([hidden])")
        assert text in self.page.inner_text("#notice")

    def start(self) -> None:
        self.page.click("#start")
        self.state("live")


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visit]]:
    contexts = []

    def go(house: House, *, script: str = "", **options: Any) -> Visit:
        context = browser.new_context(**({"viewport": DESKTOP} | options))
        contexts.append(context)
        page = context.new_page()
        complaints: list[str] = []
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"{request.url} failed"))
        if script:
            page.add_init_script(script)
        page.goto(house.url)
        page.wait_for_selector(".portraits img")
        return Visit(page, complaints)

    yield go
    for context in contexts:
        context.close()


def refusing(name: str) -> str:
    return f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', '{name}'));"


def test_the_mouth_moves_with_the_voice(house: House, visit: Callable[..., Visit]) -> None:
    here = visit(house)
    here.start()
    heights = here.page.evaluate(MOUTH_HEIGHTS, 4.5)
    assert len(heights) > 60  # 25 a second, on a machine that may be busy
    assert max(heights) >= 4
    assert sum(height == 0 for height in heights) > len(heights) / 5  # silence for half of the time
    here.page.click("#figures summary")
    here.page.wait_for_function("parseFloat(document.getElementById('f-fps').textContent) > 10")
    here.page.wait_for_function("parseFloat(document.getElementById('f-delay-50').textContent) > 0")
    here.page.click("#start")
    here.state("idle")
    wait_until(lambda: not house.lobby.sessions)
    assert here.complaints == []


def test_mute_shuts_the_mouth(house: House, visit: Callable[..., Visit]) -> None:
    here = visit(house)
    here.start()
    here.page.click("#mute")
    assert here.page.get_attribute("#mute", "aria-pressed") == "true"
    here.page.wait_for_timeout(600)
    assert max(here.page.evaluate(MOUTH_HEIGHTS, 2.2)) <= 1
    here.page.click("#mute")
    assert max(here.page.evaluate(MOUTH_HEIGHTS, 2.2)) >= 4
    assert here.complaints == []


def test_say_needs_no_microphone(house: House, visit: Callable[..., Visit]) -> None:
    here = visit(house, script=refusing("NotAllowedError"))
    here.page.check("input[value=say]")
    here.page.fill("#text", "Good morning.")
    here.page.click("#say")
    here.state("live")
    here.page.wait_for_selector("#interrupt:not([disabled])")
    assert max(here.page.evaluate(MOUTH_HEIGHTS, 1)) >= 4
    here.page.click("#interrupt")
    here.page.wait_for_selector("#interrupt[disabled]")
    here.page.wait_for_timeout(300)
    assert max(here.page.evaluate(MOUTH_HEIGHTS, 1)) == 0
    assert here.page.evaluate("document.getElementById('video').muted") is False
    assert here.complaints == []


def test_mode_changes_in_a_live_session(house: House, visit: Callable[..., Visit]) -> None:
    here = visit(house)
    here.page.check("input[value=say]")
    here.start()
    here.page.check("input[value=mirror]")
    heights = here.page.evaluate(MOUTH_HEIGHTS, 4)
    assert max(heights) >= 4
    here.page.check("input[value=say]")
    here.page.wait_for_timeout(600)
    assert max(here.page.evaluate(MOUTH_HEIGHTS, 2.2)) <= 1
    assert len(house.lobby.sessions) == 1
    assert here.complaints == []


def test_expression_reaches_the_face(house: House, visit: Callable[..., Visit]) -> None:
    here = visit(house)
    here.start()
    here.page.check("input[value=happy]")
    here.page.fill("#intensity", "2.5")
    wait_until(lambda: Style(Emotion.HAPPY, 2.5) in house.told)
    here.page.fill("#feeling-words", "sad 1 + angry 2")
    here.page.press("#feeling-words", "Enter")
    wanted = Style(Emotion.SAD, 1.0).vector() + Style(Emotion.ANGRY, 2.0).vector()
    wait_until(lambda: isinstance(house.told[-1], np.ndarray) and np.allclose(house.told[-1], wanted))
    assert here.page.is_disabled("#intensity")
    here.page.check("#voice-leads")
    wait_until(lambda: not house.told[-1].any())
    here.page.fill("#mouth-gain", "0")
    here.page.wait_for_timeout(300)
    assert here.page.inner_text("#mouth-gain-value") == "0 %"
    assert here.complaints == []


def test_another_portrait_takes_the_same_place(
    shelf: PortraitShelf, counting_landmarker: Any, visit: Callable[..., Visit]
) -> None:
    with open_house(shelf, counting_landmarker, capacity=1) as house:
        here = visit(house)
        here.start()
        (first,) = house.lobby.sessions
        here.page.check("input[value=ben]")
        wait_until(lambda: bool(house.lobby.sessions) and first not in house.lobby.sessions)
        here.page.wait_for_selector("#stage[data-state=live][data-picture=video]")
        (session,) = house.lobby.sessions.values()
        assert session.settings.portrait == "ben"
        assert here.complaints == []


def test_stop_and_start_at_once_keeps_the_place(
    shelf: PortraitShelf, counting_landmarker: Any, visit: Callable[..., Visit]
) -> None:
    with open_house(shelf, counting_landmarker, capacity=1) as house:
        here = visit(house)
        here.start()
        here.page.evaluate("for (let k = 0; k < 3; k++) document.getElementById('start').click()")
        here.state("idle")
        here.page.evaluate("document.getElementById('start').click()")
        here.state("live")
        assert here.page.is_hidden("#notice")
        assert here.complaints == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("NotAllowedError", "may not use the microphone"),
        ("NotFoundError", "No microphone was found"),
        ("NotReadableError", "in use"),
    ],
)
def test_microphone_failures_offer_text_instead(
    house: House, visit: Callable[..., Visit], name: str, text: str
) -> None:
    here = visit(house, script=refusing(name))
    here.page.click("#start")
    here.notice(text)
    assert here.page.evaluate("document.activeElement.id") == "notice-first"
    here.page.click("text=Use text instead")
    assert here.page.is_checked("input[value=say]")
    assert here.page.evaluate("document.activeElement.id") == "text"
    assert here.complaints == []


def test_insecure_page_says_so(house: House, visit: Callable[..., Visit]) -> None:
    script = (
        "Object.defineProperty(navigator, 'mediaDevices', { value: undefined });"
        "Object.defineProperty(window, 'isSecureContext', { value: false });"
    )
    here = visit(house, script=script)
    here.page.click("#start")
    here.notice("secure address")


def test_full_server_is_tried_again(
    shelf: PortraitShelf,
    counting_landmarker: Any,
    visit: Callable[..., Visit],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Lobby, "RETRY_AFTER_S", 2)
    with open_house(shelf, counting_landmarker, capacity=1) as house:
        first, second = visit(house), visit(house)
        first.start()
        second.page.click("#start")
        second.notice("taken")
        second.notice("Try again (")
        first.page.click("#start")
        second.state("live")


def test_lost_server_can_be_reached_again(
    shelf: PortraitShelf, counting_landmarker: Any, visit: Callable[..., Visit]
) -> None:
    with open_house(shelf, counting_landmarker) as house:
        here = visit(house)
        here.start()
        house.stop()
        here.state("idle")
        here.notice("connection was lost")
        here.page.get_by_role("button", name="Connect again").click()
        here.notice("server does not answer")


def test_blocked_media_says_so(house: House, visit: Callable[..., Visit]) -> None:
    script = """
      const real = RTCPeerConnection.prototype.setRemoteDescription;
      RTCPeerConnection.prototype.setRemoteDescription = function (answer) {
        const closed = answer.sdp.replace(/a=candidate:.*\\r\\n/g, "");
        const sdp = closed.replace(/ice-pwd:.*/g, "ice-pwd:" + "x".repeat(24));
        return real.call(this, { type: answer.type, sdp });
      };"""
    here = visit(house, script=script)
    here.page.click("#start")
    here.page.wait_for_selector("#notice:not([hidden])", timeout=40_000)
    here.notice("cannot get through")


def test_upload_becomes_the_chosen_portrait(
    house: House, visit: Callable[..., Visit], photo: Callable[..., bytes]
) -> None:
    here = visit(house)
    here.page.set_input_files("#file", {"name": "me.png", "mimeType": "image/png", "buffer": photo(1)})
    here.page.wait_for_selector("input[value^=upload-]:checked", state="attached")
    assert "upload-" in here.page.get_attribute("#still", "src")
    here.page.reload()
    here.page.wait_for_selector("input[value^=upload-]", state="attached")
    here.page.click(".forget")
    here.page.wait_for_selector("input[value^=upload-]", state="detached")
    assert here.page.is_checked("input[value=anna]")
    assert here.complaints == []


@pytest.mark.parametrize(("faces", "size", "text"), [(0, (320, 240), "No face"), (1, (20, 20), "too few")])
def test_upload_refusals_say_what_to_do(
    house: House,
    visit: Callable[..., Visit],
    photo: Callable[..., bytes],
    faces: int,
    size: tuple[int, int],
    text: str,
) -> None:
    here = visit(house)
    file = {"name": "me.png", "mimeType": "image/png", "buffer": photo(faces, size=size)}
    here.page.set_input_files("#file", file)
    here.page.wait_for_selector("#upload-state[data-kind=error]")
    assert text in here.page.inner_text("#upload-state")
    here.page.click("#upload-state button")
    assert here.page.is_hidden("#upload-state")


def test_upload_too_large_or_no_picture(house: House, visit: Callable[..., Visit]) -> None:
    here = visit(house)
    for buffer, text in ((bytes(300_001), "too many bytes"), (b"words", "not a picture")):
        here.page.set_input_files("#file", {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": buffer})
        here.page.wait_for_function(
            "text => document.getElementById('upload-state').textContent.includes(text)", arg=text
        )


def test_one_of_several_faces_is_chosen(
    house: House, visit: Callable[..., Visit], photo: Callable[..., bytes]
) -> None:
    here = visit(house)
    tiff = io.BytesIO()
    Image.open(io.BytesIO(photo(3))).save(tiff, "TIFF")  # which the server reads, and browsers do not show
    file = {"name": "we.tiff", "mimeType": "image/tiff", "buffer": tiff.getvalue()}
    here.page.set_input_files("#file", file)
    here.page.wait_for_selector("#chooser[open] [aria-label='Face 3 of 3']")
    assert here.page.evaluate("document.getElementById('chooser-image').naturalWidth") == 320
    assert here.page.locator("#chooser-photo button").count() == 3
    here.page.keyboard.press("Escape")
    here.page.wait_for_selector("#chooser", state="hidden")
    here.page.set_input_files("#file", file)
    here.page.click("[aria-label='Face 2 of 3']", force=True)
    here.page.wait_for_selector("input[value^=upload-]:checked", state="attached")


def test_a_doubtful_photo_is_used_on_the_users_word(
    house: House, visit: Callable[..., Visit], photo: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise FaceCovered("The mouth cannot be seen well.", remedy="Use another photo.")

    monkeypatch.setattr(studio, "check_visible", refuse)
    here = visit(house)
    here.page.set_input_files("#file", {"name": "me.png", "mimeType": "image/png", "buffer": photo(1)})
    here.page.click("#upload-state button:has-text('Use it anyway')")
    here.page.wait_for_selector("input[value^=upload-]:checked", state="attached")
    assert here.page.is_hidden("#upload-state")


def test_server_without_a_voice_says_so(
    shelf: PortraitShelf, counting_landmarker: Any, visit: Callable[..., Visit]
) -> None:
    with open_house(shelf, counting_landmarker, speech=False) as house:
        here = visit(house)
        here.page.check("input[value=say]")
        assert here.page.is_disabled("#say")
        assert "mien[tts]" in here.page.inner_text("#say-note")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE, {"width": 320, "height": 568}])
def test_nothing_sticks_out(house: House, visit: Callable[..., Visit], viewport: dict[str, int]) -> None:
    here = visit(house, viewport=viewport)
    wide = here.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= viewport["width"]
    start = here.page.locator("#start").bounding_box()
    assert start["y"] + start["height"] <= viewport["height"]  # seen without scrolling


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE, {"width": 844, "height": 390}])
@pytest.mark.parametrize("size", [(360, 640), (640, 360)])
def test_stage_has_the_pictures_shape(
    shelf: PortraitShelf,
    counting_landmarker: Any,
    visit: Callable[..., Visit],
    viewport: dict[str, int],
    size: tuple[int, int],
) -> None:
    shelf.size = size
    with open_house(shelf, counting_landmarker) as house:
        page = visit(house, viewport=viewport).page
        page.wait_for_function("document.documentElement.style.getPropertyValue('--shape') !== ''")
        stage = page.locator("#stage").bounding_box()
        assert stage["width"] / stage["height"] == pytest.approx(size[0] / size[1], rel=0.02)
        assert stage["width"] <= viewport["width"]
        if viewport["height"] > 600:
            start = page.locator("#start").bounding_box()
            assert start["y"] + start["height"] <= viewport["height"]  # seen without scrolling


def test_everything_has_a_name(house: House, visit: Callable[..., Visit]) -> None:
    """Ask the browser's own accessibility tree for controls that a screen reader could not name."""
    here = visit(house)
    tree = here.page.context.new_cdp_session(here.page).send("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "radio", "slider", "textbox", "combobox", "meter", "radiogroup", "image", "link"}
    seen = [node for node in tree if not node.get("ignored") and node["role"]["value"] in controls]
    assert len(seen) > 20
    assert [node["role"]["value"] for node in seen if not node.get("name", {}).get("value")] == []
    assert here.page.evaluate("document.documentElement.lang") == "en"
    assert here.page.locator("h1").count() == 1
    doubled = here.page.evaluate(
        "[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, i, all) => all.indexOf(id) !== i)"
    )
    assert doubled == []


def test_everything_is_reached_by_keyboard(house: House, visit: Callable[..., Visit]) -> None:
    here = visit(house)
    reached = []
    for _ in range(12):
        here.page.keyboard.press("Tab")
        reached.append(here.page.evaluate("document.activeElement.id || document.activeElement.name"))
    wanted = ["start", "sound", "mode", "portrait", "upload", "emotion", "feeling-words"]
    wanted += ["voice-leads", "intensity", "mouth-gain"]
    assert [name for name in reached if name in wanted] == wanted
    here.page.focus("#start")
    here.page.keyboard.press("Enter")
    here.state("live")


FACE_CHANGES = """async ({ seconds, boxes }) => {
  // For each box of the picture, how much its pixels change from one frame to the next, 0 to 255: speech is
  // quick, where a swaying head is slow.
  const video = document.getElementById("video");
  const canvas = new OffscreenCanvas(256, 256);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const seen = boxes.map(() => []);
  await new Promise((resolve) => {
    const end = performance.now() + 1000 * seconds;
    video.requestVideoFrameCallback(function look() {
      pen.drawImage(video, 0, 0, 256, 256);
      boxes.forEach((box, index) => {
        const { data } = pen.getImageData(...box);
        seen[index].push(Float32Array.from({ length: data.length / 4 }, (_, k) => data[4 * k + 1]));
      });
      if (performance.now() < end) video.requestVideoFrameCallback(look);
      else resolve();
    });
  });
  return seen.map((frames) => {
    let total = 0;
    for (let n = 1; n < frames.length; n++) {
      total += frames[n].reduce((sum, value, k) => sum + Math.abs(value - frames[n - 1][k]), 0);
    }
    return total / (frames.length - 1) / frames[0].length;
  });
}"""

LIPS = (61, 291, 0, 17)
FOREHEAD = (54, 284, 10, 9)


def box_of(points: NDArray[np.float32], names: tuple[int, ...], scale: float) -> list[int]:
    """Return left, top, width, height of some landmarks, in a picture of 256 pixels."""
    corners = points[list(names), :2] * scale
    left, top = np.floor(corners.min(axis=0)).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int)
    return [int(left), int(top), int(right - left), int(bottom - top)]


@pytest.mark.slow
def test_a_real_face_says_a_text(visit: Callable[..., Visit]) -> None:
    """The whole product, nothing put in its place: text to voice to motion to picture to browser."""
    pytest.importorskip("hibari")
    from mien.streaming.synthesis import HibariSynthesizer
    from mien.web.casting import open_animator

    shelf = PortraitShelf()
    portrait = shelf.open(shelf.cards()[0].id)

    def make_face(settings: SessionSettings) -> Animator:
        return open_animator(shelf.open(settings.portrait), size=(256, 256), style=settings.style, seed=1)

    boxes = [box_of(portrait.landmarks, names, 256 / portrait.size[0]) for names in (LIPS, FOREHEAD)]
    with open_rooms(make_face, shelf, Studio(lambda: None), 1, HibariSynthesizer()) as house:  # type: ignore[arg-type, return-value]
        here = visit(house)
        here.page.check("input[value=say]")
        here.start()
        here.page.fill("#text", "Mamma made many marmalade muffins on Monday morning, and papa ate them all.")
        here.page.wait_for_timeout(2000)  # the first second of video is coarse
        still, _ = here.page.evaluate(FACE_CHANGES, {"seconds": 1.5, "boxes": boxes})
        here.page.click("#say")
        here.page.wait_for_selector("#interrupt:not([disabled])")
        lips, forehead = here.page.evaluate(FACE_CHANGES, {"seconds": 2.5, "boxes": boxes})
        assert lips > 3 * still
        assert lips > forehead  # which moves too: heads go with speech
        assert here.complaints == []
