"""A photo through the door with the real face finder and the real preparation."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from mien.engine.landmarks import FaceLandmarker
from mien.engine.renderer import open_renderer
from mien.web.portraits import PortraitShelf
from mien.web.server import build_app
from mien.web.studio import Studio

pytestmark = pytest.mark.shared
MODEL = Path("models/face_landmarker/public/face_landmarker.task")


def test_photo_becomes_a_face_that_rests_as_the_photo(
    shared_data: Path, shelf: PortraitShelf, lobby: Any
) -> None:
    studio = Studio(lambda: FaceLandmarker(shared_data / MODEL))
    photo = (shared_data / "portraits" / "s3.jpg").read_bytes()
    with TestClient(build_app(lobby, shelf, studio), base_url="http://localhost") as client:
        answer = client.post("/v1/portraits", content=photo, headers={"Content-Type": "image/jpeg"})
        assert answer.status_code == 201, answer.text
        card = answer.json()["portrait"]
        shown = Image.open(BytesIO(client.get("/" + card["picture"]).content))
    assert shown.size == (512, 512)
    renderer = open_renderer(shelf.open(card["id"]), size=(512, 512))
    first = renderer.render(np.zeros(60, np.float32))
    renderer.close()
    assert np.abs(first.astype(int) - np.asarray(shown)).mean() < 3  # the still is a JPEG


def test_people_side_by_side_are_told_apart(shared_data: Path, shelf: PortraitShelf, lobby: Any) -> None:
    one, other = (
        Image.open(shared_data / "portraits" / name).convert("RGB") for name in ("s3.jpg", "s5.jpg")
    )
    pair = Image.new("RGB", (1200, 600))
    pair.paste(one.resize((600, 600)), (0, 0))
    pair.paste(other.resize((600, 600)), (600, 0))
    buffer = BytesIO()
    pair.save(buffer, "JPEG", quality=92)
    studio = Studio(lambda: FaceLandmarker(shared_data / MODEL))
    with TestClient(build_app(lobby, shelf, studio), base_url="http://localhost") as client:
        error = client.post("/v1/portraits", content=buffer.getvalue()).json()["error"]
    assert error["code"] == "several_faces"
    assert error["picture"] == [1200, 600]
    middles = sorted((left + right) / 2 for left, _, right, _ in error["boxes"])
    assert len(middles) == 2
    assert middles[0] < 600 < middles[1]
