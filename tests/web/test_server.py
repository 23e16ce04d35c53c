"""The door: its routes, its refusals, its headers, its description."""

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient

from mien.engine.errors import AssetError
from mien.engine.visibility import FaceCovered
from mien.web import studio
from mien.web.openapi import describe
from mien.web.server import PAGE_FILES, Door
from mien.web.studio import Studio

Photo = Callable[..., bytes]
PAGE = Path(__file__).parents[2] / "web" / "page"


def test_page_and_its_parts_are_served(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    for name, media_type in PAGE_FILES.items():
        answer = client.get(f"/page/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(media_type)
        again = client.get(f"/page/{name}", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


def test_every_file_of_the_page_is_served() -> None:
    assert {path.name for path in PAGE.iterdir()} == set(PAGE_FILES) | {"index.html"}


@pytest.mark.parametrize(
    "name", ["../server.py", "..%2fserver.py", "%2e%2e/server.py", "index.html", "nothing.js", ""]
)
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/page/{name}").status_code == 404


def test_page_asks_nobody_else() -> None:
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert not re.search(r"https?://[a-z0-9]", text), path.name
        assert not re.search(r"\s(style|on\w+)=\"", text), f"inline style or handler in {path.name}"


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/v1/health", "/v1/portraits", "/nothing"])
def test_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers


def test_health(client: TestClient) -> None:
    health = client.get("/v1/health").json()
    assert health["status"] == "ok"
    assert health["sessions"] == {"open": 0, "capacity": 2}
    assert health["speech"] is True
    assert health["limits"]["upload_bytes"] == 200_000


def test_portraits_are_listed_with_their_pictures(client: TestClient) -> None:
    listed = client.get("/v1/portraits").json()["portraits"]
    assert [portrait["id"] for portrait in listed] == ["anna", "ben"]
    assert listed[0]["credit"] == "Drawn for the tests. Public domain."
    for portrait in listed:
        picture = client.get("/" + portrait["picture"])
        assert picture.headers["content-type"] == "image/jpeg"
        assert Image.open(BytesIO(picture.content)).size == (64, 64)


def test_unknown_portrait(client: TestClient) -> None:
    answer = client.get("/v1/portraits/nobody/picture")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_portrait"


def test_upload_becomes_a_portrait_that_is_not_listed(client: TestClient, photo: Photo) -> None:
    answer = client.post(
        "/v1/portraits", content=photo(1, form="JPEG"), headers={"Content-Type": "image/jpeg"}
    )
    assert answer.status_code == 201
    portrait = answer.json()["portrait"]
    assert client.get("/" + portrait["picture"]).headers["cache-control"] == "no-store"
    assert portrait["id"] not in client.get("/v1/portraits").text


def test_upload_can_be_forgotten(client: TestClient, photo: Photo) -> None:
    portrait = client.post("/v1/portraits", content=photo(1)).json()["portrait"]
    assert client.delete(f"/v1/portraits/{portrait['id']}").status_code == 204
    assert client.get("/" + portrait["picture"]).status_code == 404
    assert client.delete(f"/v1/portraits/{portrait['id']}").status_code == 404


def test_built_in_portraits_stay(client: TestClient) -> None:
    assert client.delete("/v1/portraits/anna").status_code == 404
    assert client.get("/v1/portraits/anna/picture").status_code == 200


def test_several_faces_are_offered_for_choice(client: TestClient, photo: Photo) -> None:
    answer = client.post("/v1/portraits", content=photo(3))
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "several_faces"
    assert error["boxes"] == [[10, 10, 50, 50], [10, 10, 40, 40], [10, 10, 30, 30]]  # the largest first
    assert error["picture"] == [320, 240]
    assert error["preview"].startswith("data:image/jpeg;base64,")
    assert client.post("/v1/portraits?face=2", content=photo(3)).status_code == 201


def test_a_photo_refused_as_covered_is_taken_on_the_users_word(
    client: TestClient, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise FaceCovered("The mouth cannot be seen well.", remedy="Use another photo.")

    monkeypatch.setattr(studio, "check_visible", refuse)
    assert client.post("/v1/portraits", content=photo(1)).json()["error"]["code"] == "face_covered"
    assert client.post("/v1/portraits?anyway=false", content=photo(1)).status_code == 422
    assert client.post("/v1/portraits?anyway=true", content=photo(1)).status_code == 201


@pytest.mark.parametrize(
    ("body", "query", "status", "code"),
    [
        (lambda photo: photo(0), "", 422, "no_face"),
        (lambda photo: photo(2), "?face=2", 422, "photo_error"),
        (lambda photo: photo(1), "?face=-1", 422, "photo_error"),
        (lambda photo: photo(1), "?face=x", 422, "photo_error"),
        (lambda photo: photo(1), "?face=²", 422, "photo_error"),
        (lambda photo: photo(1, size=(16, 16)), "", 422, "picture_too_small"),
        (lambda photo: photo(1)[:60], "", 415, "not_a_picture"),
        (lambda _: b"", "", 415, "not_a_picture"),
        (lambda _: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "", 415, "not_a_picture"),
        (lambda _: bytes(200_001), "", 413, "picture_too_large"),
    ],
)
def test_upload_refusals(
    client: TestClient, photo: Photo, body: Callable[[Photo], bytes], query: str, status: int, code: str
) -> None:
    answer = client.post(f"/v1/portraits{query}", content=body(photo))
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["problem"]
    assert error["remedy"]
    assert "Traceback" not in answer.text


def test_upload_without_a_length_is_cut_off(client: TestClient) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield bytes(10_000)

    answer = client.post("/v1/portraits", content=endless())
    assert answer.status_code == 413


def test_form_upload_says_how_to_send(client: TestClient, photo: Photo) -> None:
    answer = client.post("/v1/portraits", files={"photo": photo(1)})
    assert answer.status_code == 415
    assert "--data-binary" in answer.json()["error"]["remedy"]


def test_crowded_studio_asks_to_come_again(
    client: TestClient, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("threading.BoundedSemaphore.acquire", lambda *_, **__: False)
    answer = client.post("/v1/portraits", content=photo(1))
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["error"]["code"] == "studio_busy"


def test_missing_asset_is_told_without_its_path(
    client: TestClient, photo: Photo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssetError("There is no /home/someone/model.", remedy="Run: mien fetch")

    monkeypatch.setattr("mien.web.studio.make_portrait", fail)
    answer = client.post("/v1/portraits", content=photo(1))
    assert answer.status_code == 500
    assert "mien doctor" in answer.json()["error"]["remedy"]
    assert "someone" not in answer.text
    assert "There is no /home/someone/model." in caplog.text


def test_a_bug_shows_nothing_of_itself(
    client: TestClient, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("mien.web.studio.make_portrait", fail)
    answer = client.post("/v1/portraits", content=photo(1))
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/v1/portraits", 405)]
)
def test_errors_are_json(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["remedy"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:8420"}, 200),
        ({"Origin": "https://friend.example"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://localhost:9000"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[broken"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[broken"}, 403),
    ],
)
def test_foreign_sites_are_refused(client: TestClient, headers: dict[str, str], status: int) -> None:
    assert client.get("/v1/portraits", headers=headers).status_code == status


def test_friends_are_told_that_they_may(client: TestClient) -> None:
    friend = {"Origin": "https://friend.example"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    allowed = "access-control-allow-origin"
    assert client.options("/v1/portraits", headers=friend | asked).headers[allowed] == friend["Origin"]
    assert client.get("/v1/portraits", headers=friend).headers[allowed] == friend["Origin"]
    assert allowed not in client.get("/v1/portraits").headers


def test_lobby_and_studio_close_with_the_app(client: TestClient, lobby: Any) -> None:
    client.get("/v1/health")
    assert not lobby.closed
    client.__exit__(None, None, None)
    assert lobby.closed
    client.__enter__()  # the fixture leaves it once more


def test_description_and_routes_agree() -> None:
    door = Door.__new__(Door)
    routed: dict[str, set[str]] = {}
    for route in door.routes():
        if isinstance(route, Route):
            routed.setdefault(route.path, set()).update(m.lower() for m in route.methods or () if m != "HEAD")
        elif isinstance(route, WebSocketRoute):
            routed.setdefault(route.path, set()).add("get")
    described = {path: set(operations) for path, operations in describe()["paths"].items()}
    assert described == routed


def test_description_is_whole(client: TestClient) -> None:
    description = client.get("/v1/openapi.json").json()
    assert description["openapi"] == "3.1.0"
    references = set(re.findall(r'"\$ref":\s*"([^"]+)"', client.get("/v1/openapi.json").text))
    for reference in references:
        found = description
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    named = {
        f"#/components/{kind}/{name}" for kind, parts in description["components"].items() for name in parts
    }
    used_outside = {"#/components/schemas/" + name for name in ("ClientMessage", "ServerMessage")}
    assert named - references <= used_outside
    operations = [one for path in description["paths"].values() for one in path.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["responses"] and one["summary"] for one in operations)
    for path, item in description["paths"].items():
        names = {
            p["name"] for one in item.values() for p in map(_resolve(description), one.get("parameters", []))
        }
        assert set(re.findall(r"{(\w+)}", path)) <= names


def _resolve(description: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def resolve(parameter: dict[str, Any]) -> dict[str, Any]:
        reference = parameter.get("$ref")
        if reference is None:
            return parameter
        found: dict[str, Any] = description["components"]["parameters"][reference.rsplit("/", 1)[1]]
        return found

    return resolve


async def test_studio_takes_only_so_many_at_once(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio
    import threading

    from mien.web.studio import StudioBusy

    go = threading.Event()
    monkeypatch.setattr("mien.web.studio.make_portrait", lambda *_, **__: go.wait(10))
    studio = Studio(lambda: None, waiting=2)  # type: ignore[arg-type, return-value]
    first = [asyncio.ensure_future(studio.prepare(b"", face=None)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(StudioBusy):
        await studio.prepare(b"", face=None)
    go.set()
    await asyncio.gather(*first)
    await studio.prepare(b"", face=None)
    studio.close()
    studio.close()
