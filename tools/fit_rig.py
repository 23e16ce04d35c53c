"""Fit mien's own head model, engine/assets/head.npz, to public rigs.

The layout is ours: a 2-D chart of the face with concentric rings round mouth and eyes, graded into a
Poisson-disc sampling of the rest, triangulated by Delaunay; an authored dental arch, gums and tongue;
spheres for eyes; a coarse shell for the back of the head. Where its vertices lie, how identities vary and
how ARKit's shapes move them is learned by sampling rigs in the data folder: ICT-FaceKit (MIT) for nearly all.
tongueOut is authored here. The 478 landmarks are found by detecting on pictures of the fitted head.
How lips really move is learned from the landmarks of filmed speech (GRID): ICT-FaceKit's jawOpen carries the
upper lip and the corners down with the jaw, which real ones hardly do, and its raised lip does not thin.

    python tools/label_grid.py --data ../shared/data --out build/grid_lips.npz --every 20
    python tools/fit_rig.py --data ../shared/data --film build/grid_lips.npz --out engine/assets/head.npz
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.path import Path as Outline
from matplotlib.tri import Triangulation
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import Delaunay, cKDTree

from mien.engine.face_points import INNER_LIPS_BOTTOM, INNER_LIPS_TOP
from mien.engine.head import INNER_LOWER_LIP, INNER_UPPER_LIP, PARTS, HeadModel
from mien.engine.head_fit import distances, interpolate, smoothstep
from mien.engine.landmarks import FaceLandmarker
from mien.engine.motion import INDEX, SHAPES
from mien.kernels.raster import raster_attributes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

IDENTITIES = 60
SEED = 20
MOUTH_LEVELS = (0.0, 0.18, 0.34, 0.48, 0.58, 0.68, 0.8, 0.95, 1.12, 1.33, 1.56, 1.8, 2.05)
EYE_LEVELS = (0.0, 0.1, 0.2, 0.32, 0.46, 0.64, 0.86, 1.12)
"""Rings round mouth and eyes by their distance along the skin from the rim, in centimetres."""
MOUTH_POINTS, EYE_POINTS = 64, 40
FACE_VERTICES = 9409
"""ICT-FaceKit lays its parts out one after another: the face's vertices come first."""
ICT_PARTS = {
    "back": (9409, 11248),
    "gums_tongue": (14062, 17039),
    "upper_teeth": (17039, 19247),
    "lower_teeth": (19247, 21451),
    "left_sclera": (21451, 22221),
    "right_sclera": (23021, 23791),
}
LIP_LANDMARKS = sorted(
    {
        *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409),
        *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415),
        *(76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408),
        *(62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407),
    }
)
OUTER_LIPS_TOP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
OUTER_LIPS_BOTTOM = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
LIP_CONTOURS = tuple(sorted({*INNER_LIPS_TOP, *INNER_LIPS_BOTTOM, *OUTER_LIPS_TOP, *OUTER_LIPS_BOTTOM}))
FILMED_SHAPES = {
    "the chin falls": ("jawOpen",),
    "the upper lip rises": ("mouthUpperUpLeft", "mouthUpperUpRight"),
    "the mouth widens": ("mouthPucker",),
}
"""The shapes that take their lips from film, and what drives them there; a pucker is its opposite."""
REST_SHARE = 0.15
"""A clip's mouth counts as at rest in so many of its frames, those with the smallest gap."""
CORNER_RIM, RIM_RISES, LIP_RIM = 3.0, 0.4, 6.0
"""On which ring of the mouth its corners lie, by how many rings a column the lips' edge climbs from there,
and how far at most."""
LINING_COLUMNS = 14
"""How many columns on either side of a corner have the lips' lining hidden."""
FILM_NEAR, FILM_FADE = 0.03, 0.13
FILM_SMOOTHING = 0.02
"""Corrections from film are whole this near to the lips' landmarks, and fade over so much, in face widths."""


@dataclass(frozen=True)
class SourceRig:
    """ICT-FaceKit, in its own frame: x right, y up, z towards the viewer, in centimetres."""

    vertices: Floats
    shapes: Floats
    """[52, vertices, 3], Apple's names and order; tongueOut is zero."""
    identities: Floats
    triangles: Ints
    chart: Floats
    """[face vertices, 2]: its flattening of the face."""
    landmarks: Ints
    """68 vertex indices."""


@dataclass(frozen=True)
class Samples:
    """Points on the source's surface: three vertices each, and their weights."""

    corners: Ints
    weights: Floats

    def of(self, values: Floats) -> Floats:
        """Interpolate [..., vertices, k] at the points."""
        result: Floats = (values[..., self.corners, :] * self.weights[..., None]).sum(axis=-2)
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--film", type=Path, required=True, help="lips of filmed speech, by label_grid.py")
    parser.add_argument("--out", type=Path, default=Path("engine/assets/head.npz"))
    parser.add_argument("--sheet", type=Path, help="also write a picture of the fitted head here")
    options = parser.parse_args()
    cv2.setNumThreads(1)

    rig = read_source(options.data)
    face = FaceLayout(rig, np.random.default_rng(SEED))
    bare = assemble(rig, face)
    marked = place_landmarks(bare, face, rig, options.data)
    head = normalise(marked)
    head = follow_film(head, FilmedLips.read(options.film, head))
    head = hide_corner_lining(head)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    head.save(options.out)
    report(HeadModel.load(options.out), head, options.out)
    if options.sheet:
        width = float(np.ptp(marked.landmarks(marked.vertices)[[234, 454], 0]))
        back = (head.shapes * np.array([1, -1, -1]) * width).astype(np.float32)
        draw_sheet(replace(marked, shapes=back), face, rig, options.sheet)


def read_source(data: Path) -> SourceRig:
    stored = np.load(data / "rigs/ict_facekit/ict_facekit_light_compact.npz")
    quads, names = stored["faces"].astype(np.int64), [str(name) for name in stored["expr_names"]]
    triangles = np.concatenate([quads[:, :3], quads[quads[:, 3] >= 0][:, [0, 2, 3]]])
    deltas = stored["expr_deltas"].astype(np.float64)
    shapes = np.zeros((len(SHAPES), *deltas.shape[1:]))
    for index, name in enumerate(SHAPES):
        short = name.replace("Left", "_L") if name not in ("jawLeft", "mouthLeft") else name
        short = short.replace("Right", "_R") if name not in ("jawRight", "mouthRight") else short
        if name in ("browInnerUp", "cheekPuff"):
            shapes[index] = deltas[names.index(name + "_L")] + deltas[names.index(name + "_R")]
        elif name != "tongueOut":
            shapes[index] = deltas[names.index(short)]
    chart = np.zeros((FACE_VERTICES, 2))
    on_face = quads.max(axis=1) < FACE_VERTICES
    for quad, places in zip(quads[on_face], stored["faces_uv"][on_face], strict=True):
        count = 4 if quad[3] >= 0 else 3
        chart[quad[:count]] = stored["uv"][places[:count]]
    indices = json.loads((data / "rigs/ict_facekit/FaceXModel/vertex_indices.json").read_text())
    return SourceRig(
        vertices=stored["neutral"].astype(np.float64),
        shapes=shapes,
        identities=stored["id_deltas"].astype(np.float64),
        triangles=triangles,
        chart=chart,
        landmarks=np.array(indices["idx_to_landmark_verts"]),
    )


class FaceLayout:
    """Our vertices and triangles on the face, laid out in the chart."""

    def __init__(self, rig: SourceRig, random: np.random.Generator) -> None:
        self._rig = rig
        self._triangles = rig.triangles[rig.triangles.max(axis=1) < FACE_VERTICES]
        self._surface = Triangulation(rig.chart[:, 0], rig.chart[:, 1], self._triangles)
        self._finder = self._surface.get_trifinder()
        mouth, eye, rim = self._rims()
        mouth_distance, eye_distance = self._distance(mouth), self._distance(eye)

        rings = [self._rings(mouth, mouth_distance, MOUTH_LEVELS, MOUTH_POINTS)]
        left = self._rings(eye, eye_distance, EYE_LEVELS, EYE_POINTS)
        mirrored = np.stack([1 - left[..., 0], left[..., 1]], axis=-1)
        # Mirrored, the columns run backwards from the other corner: turn them round.
        rings += [left, np.roll(mirrored[:, ::-1], EYE_POINTS // 2 + 1, axis=1)]
        points: list[Floats] = []
        bands, outer, self.rings = [], [], []
        for stack in rings:
            first = sum(len(p) for p in points)
            levels, count = stack.shape[:2]
            points.append(stack.reshape(-1, 2))
            bands.append(first + _band_triangles(levels, count))
            self.rings.append(first + np.arange(levels * count).reshape(levels, count))
            outer.append(self.rings[-1][-1])
        far = np.minimum(
            mouth_distance - MOUTH_LEVELS[-1],
            np.minimum(eye_distance, self._mirrored(eye_distance)) - EYE_LEVELS[-1],
        )
        inside = (mouth_distance < MOUTH_LEVELS[-1] + 0.15) | (
            np.minimum(eye_distance, self._mirrored(eye_distance)) < EYE_LEVELS[-1] + 0.15
        )
        border = self._resample(rig.chart[rim], 90)
        border = border[~_in_ear(border)]
        fixed = np.concatenate([*points, border])
        scattered = self._scatter(random, fixed, far, inside)
        self.chart = np.concatenate([fixed, scattered])
        holes = [Outline(self.chart[loop]) for loop in outer]
        self.triangles = np.concatenate([*bands, self._fill(holes, Outline(rig.chart[rim]), outer)])
        self._orient()
        self.samples = self.locate(self.chart)

    def locate(self, chart: Floats) -> Samples:
        """Find points of the chart on the source's surface; those just outside go to the nearest edge."""
        inward = 0.5 + (chart - 0.5) * 0.9995
        found = self._finder(chart[:, 0], chart[:, 1])
        again = self._finder(inward[:, 0], inward[:, 1])
        found = np.where(found >= 0, found, again)
        centres = self._rig.chart[self._triangles].mean(axis=1)
        lost = found < 0
        found[lost] = cKDTree(centres).query(chart[lost])[1]
        corners = self._triangles[found]
        return Samples(corners, _barycentric(self._rig.chart[corners], chart))

    def place(self, chart: Floats) -> tuple[Ints, Floats]:
        """Find points of the chart on OUR mesh: corners [n, 3] and weights [n, 3]."""
        ours = self.chart[self.triangles]
        corners = np.zeros((len(chart), 3), np.int64)
        weights = np.zeros((len(chart), 3))
        for index, point in enumerate(chart):
            inner = _barycentric(ours, np.broadcast_to(point, (len(ours), 2)), clip=False)
            best = int(np.argmax(inner.min(axis=1)))
            kept = np.clip(inner[best], 0, 1)
            corners[index], weights[index] = self.triangles[best], kept / kept.sum()
        return corners, weights

    def _rims(self) -> tuple[Ints, Ints, Ints]:
        """Return the vertices of the mouth's rim, the left eye's rim, and the outer rim in order."""
        edges = np.sort(self._triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        unique, counts = np.unique(edges, axis=0, return_counts=True)
        rim = unique[counts == 1]
        links = coo_matrix((np.ones(len(rim)), (rim[:, 0], rim[:, 1])), (FACE_VERTICES, FACE_VERTICES))
        _, label = connected_components(links, directed=False)
        loops = [np.flatnonzero(label == k) for k in np.unique(label[rim[:, 0]])]
        loops.sort(key=len)
        *eyes, mouth, outer = loops
        left = max(eyes, key=lambda loop: float(self._rig.vertices[loop, 0].mean()))
        neighbours: dict[int, list[int]] = {}
        for a, b in rim.tolist():
            neighbours.setdefault(a, []).append(b)
            neighbours.setdefault(b, []).append(a)
        walk = [int(outer[0])]
        while len(walk) < len(outer):
            walk.append(next(v for v in neighbours[walk[-1]] if v not in walk[-2:] and v not in walk))
        return mouth, left, np.array(walk)

    def _distance(self, sources: Ints) -> Floats:
        """Distance along the skin from a set of vertices, smoothed against the mesh's grain."""
        triangles, vertices = self._triangles, self._rig.vertices
        edges = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
        graph = coo_matrix((length, (edges[:, 0], edges[:, 1])), (FACE_VERTICES, FACE_VERTICES)).tocsr()
        distance: Floats = dijkstra(graph.maximum(graph.T), indices=sources, min_only=True)
        links = (graph > 0).astype(float)
        degree = np.asarray(links.sum(axis=1)).ravel()
        held = np.zeros(FACE_VERTICES, bool)
        held[sources] = True
        for _ in range(4):
            smooth = links @ distance / degree
            distance = np.where(held, distance, 0.5 * distance + 0.5 * smooth)
        return distance

    def _mirrored(self, values: Floats) -> Floats:
        mirror = self._rig.vertices[:FACE_VERTICES] * [-1, 1, 1]
        found = cKDTree(self._rig.vertices[:FACE_VERTICES]).query(mirror)[1]
        result: Floats = values[found]
        return result

    def _rings(self, rim: Ints, distance: Floats, levels: Sequence[float], count: int) -> Floats:
        """Return rings as [levels, count, 2]: half over the top from corner to corner, half below."""
        axes = Figure().subplots()
        floor = 0.004
        contours = axes.tricontour(self._surface, distance, [max(level, floor) for level in levels])
        centre = self._rig.chart[rim].mean(axis=0)
        rings = []
        for segments in contours.allsegs:
            round_it = [s for s in segments if len(s) > 8 and Outline(s).contains_point(centre)]
            loop = max(round_it, key=len)[:-1]
            if _signed_area(loop) < 0:
                loop = loop[::-1]
            left, right = int(np.argmin(loop[:, 0])), int(np.argmax(loop[:, 0]))
            loop = np.roll(loop, -right, axis=0)
            middle = (left - right) % len(loop)
            over = self._resample(loop[: middle + 1], count // 2 + 1, closed=False)
            under = self._resample(np.vstack([loop[middle:], loop[:1]]), count // 2 + 1, closed=False)
            rings.append(np.concatenate([over[:-1], under[:-1]]))
        return np.array(rings)

    def _resample(self, path: Floats, count: int, closed: bool = True) -> Floats:
        """Spread points evenly along a path of the chart, by length on the skin."""
        if closed:
            path = np.vstack([path, path[:1]])
        fine = np.concatenate([np.linspace(a, b, 6)[:-1] for a, b in pairwise(path)])
        fine = np.vstack([fine, path[-1:]])
        skin = self.locate(fine).of(self._rig.vertices)
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(skin, axis=0), axis=1))])
        at = np.linspace(0, length[-1], count, endpoint=not closed)
        return np.stack([np.interp(at, length, fine[:, k]) for k in range(2)], axis=1)

    def _scatter(
        self, random: np.random.Generator, fixed: Floats, far: Floats, inside: NDArray[np.bool_]
    ) -> Floats:
        """Poisson-disc points, mirrored about the middle, denser near the mouth, the eyes and the nose."""
        vertices, triangles = self._rig.vertices, self._triangles
        corners = vertices[triangles]
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        chosen = random.choice(len(triangles), 60_000, p=area / area.sum())
        weights = random.dirichlet([1, 1, 1], len(chosen))
        chart = (self._rig.chart[triangles[chosen]] * weights[..., None]).sum(axis=1)
        skin = (corners[chosen] * weights[..., None]).sum(axis=1)
        distance = (far[triangles[chosen]] * weights).sum(axis=1)
        nose = np.linalg.norm(skin - [0.0, -0.8, 12.0], axis=1)
        distance = np.minimum(distance, np.maximum(nose - 1.8, 0.0))
        spacing = np.clip(0.25 + 0.06 * distance, 0.25, 0.85)
        keep = ~inside[triangles[chosen]].any(axis=1) & ~_in_ear(chart) & (chart[:, 0] <= 0.5)
        middle = np.abs(chart[:, 0] - 0.5) < 0.006
        chart[middle, 0] = 0.5
        taken = list(self.locate(fixed).of(vertices))
        cells: dict[tuple[int, ...], list[Floats]] = {}
        for point in taken:
            cells.setdefault(tuple((point // 1.0).astype(int)), []).append(point)
        kept = []
        for index in np.flatnonzero(keep):
            point, radius = skin[index], spacing[index]
            cell = (point // 1.0).astype(int)
            near = [
                other
                for step in np.ndindex(3, 3, 3)
                for other in cells.get(tuple(cell + np.array(step) - 1), [])
            ]
            if near and np.linalg.norm(np.array(near) - point, axis=1).min() < radius:
                continue
            if not middle[index] and abs(point[0]) < radius * 0.5:
                continue
            for side in {1.0, -1.0} if not middle[index] else {1.0}:
                twin = point * [side, 1, 1]
                cells.setdefault(tuple((twin // 1.0).astype(int)), []).append(twin)
            kept.append(chart[index])
        left = np.array(kept)
        right = left[left[:, 0] < 0.5] * [-1, 1] + [1, 0]
        return np.concatenate([left, right])

    def _fill(self, holes: list[Outline], outer: Outline, loops: list[Ints]) -> Ints:
        """Triangulate between the outermost rings, the scattered points and the border."""
        used = np.concatenate([*loops, np.arange(loops[-1][-1] + 1, len(self.chart))])
        found: Ints = used[Delaunay(self.chart[used]).simplices]
        centres = self.chart[found].mean(axis=1)
        drop = ~outer.contains_points(centres) | _in_ear(centres)
        for hole, loop in zip(holes, loops, strict=True):
            drop |= hole.contains_points(centres) & np.isin(found, loop).all(axis=1)
        kept: Ints = found[~drop]
        return kept

    def _orient(self) -> None:
        a, b, c = (self.chart[self.triangles[:, k]] for k in range(3))
        area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        self.triangles = np.where(area[:, None] > 0, self.triangles, self.triangles[:, [0, 2, 1]])


def _in_ear(chart: Floats) -> NDArray[np.bool_]:
    """Ears are left to the shell: photos hide them, and nothing moves them."""
    sideways, up = np.abs(chart[:, 0] - 0.5), chart[:, 1]
    result: NDArray[np.bool_] = (sideways > 0.392) & (up > 0.36) & (up < 0.69)
    return result


def _signed_area(loop: Floats) -> float:
    x, y = loop[:, 0], loop[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def _band_triangles(levels: int, count: int) -> Ints:
    """Triangles between successive rings of `count` points."""
    level, step = (grid.ravel() for grid in np.mgrid[: levels - 1, :count])
    a, b = level * count + step, level * count + (step + 1) % count
    c, d = a + count, b + count
    flip = (step % count) >= count // 2
    first = np.where(flip[:, None], np.stack([a, b, c], 1), np.stack([a, b, d], 1))
    second = np.where(flip[:, None], np.stack([b, d, c], 1), np.stack([a, d, c], 1))
    return np.concatenate([first, second])


def _barycentric(corners: Floats, points: Floats, *, clip: bool = True) -> Floats:
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    one, two, to = b - a, c - a, points - a
    area = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    area = np.where(np.abs(area) < 1e-15, 1e-15, area)
    second = (to[:, 0] * two[:, 1] - to[:, 1] * two[:, 0]) / area
    third = (one[:, 0] * to[:, 1] - one[:, 1] * to[:, 0]) / area
    weights = np.stack([1 - second - third, second, third], axis=1)
    if clip:
        weights = np.clip(weights, 0, 1)
        weights /= weights.sum(axis=1, keepdims=True)
    return weights


# ---- the mouth's inside, the eyes, the shell


@dataclass(frozen=True)
class Piece:
    """One part of the head: its vertices in the source's frame, how they move, their triangles and paint."""

    vertices: Floats
    shapes: Floats
    identities: Floats
    triangles: Ints
    shade: Floats


def assemble(rig: SourceRig, face: FaceLayout) -> HeadModel:
    """Put all parts together, in the source's frame and unit still."""
    face_piece = _sampled(rig, face.samples, face.triangles)
    pieces = {"face": face_piece, "skirt": shell(rig)}
    pieces |= mouth_inside(rig)
    pieces |= {"left_eye": eyeball(rig, "left_sclera"), "right_eye": eyeball(rig, "right_sclera")}
    ordered = [pieces[name] for name in PARTS]
    starts = np.concatenate([[0], np.cumsum([len(p.vertices) for p in ordered])])
    identities = np.concatenate([p.identities for p in ordered], axis=1)
    components = principal_components(identities, len(face_piece.vertices))
    triangles = tuple((p.triangles + s).astype(np.int32) for p, s in zip(ordered, starts[:-1], strict=True))
    rings = [ring.astype(np.int32) for ring in face.rings]
    return HeadModel(
        vertices=np.concatenate([p.vertices for p in ordered]).astype(np.float32),
        shapes=np.concatenate([p.shapes for p in ordered], axis=1).astype(np.float32),
        identities=components.astype(np.float32),
        shade=np.concatenate([p.shade for p in ordered]).astype(np.float32),
        starts=starts.astype(np.int64),
        triangles=triangles,
        landmark_corners=np.zeros((478, 3), np.int32),
        landmark_weights=np.zeros((478, 3), np.float32),
        rings=(rings[0], rings[1], rings[2]),
    )


def principal_components(identities: Floats, weighted: int) -> Floats:
    """Components of identities drawn as the source draws them: independent, unit variance, on the face."""
    flat = identities.reshape(len(identities), -1)
    left, sizes, _ = np.linalg.svd(flat[:, : weighted * 3], full_matrices=False)
    share = np.cumsum(sizes**2) / (sizes**2).sum()
    print(
        f"identities: {IDENTITIES} components hold {share[IDENTITIES - 1]:.4f} of the variance of {len(flat)}"
    )
    kept: Floats = (left[:, :IDENTITIES].T @ flat).reshape(IDENTITIES, *identities.shape[1:])
    return kept


def _sampled(rig: SourceRig, samples: Samples, triangles: Ints) -> Piece:
    vertices = samples.of(rig.vertices)
    return Piece(
        vertices, samples.of(rig.shapes), samples.of(rig.identities), triangles, np.ones(len(vertices))
    )


def _following(rig: SourceRig, vertices: Floats, triangles: Ints, shade: Floats, leaders: Ints) -> Piece:
    """Make a piece of our own that moves as the nearest of the source's vertices do."""
    distance, nearest = cKDTree(rig.vertices[leaders]).query(vertices, k=8)
    weights = 1 / (distance + 0.05) ** 2
    samples = Samples(leaders[nearest], weights / weights.sum(axis=1, keepdims=True))
    return Piece(vertices, samples.of(rig.shapes), samples.of(rig.identities), triangles, shade)


def shell(rig: SourceRig) -> Piece:
    """Lay a coarse cylinder round head and neck: where rays from the axis leave the source's surface last."""
    used = rig.triangles[rig.triangles.max(axis=1) < ICT_PARTS["back"][1]]
    corners = rig.vertices[used]
    turns, heights = np.linspace(0, 2 * np.pi, 48, endpoint=False), np.linspace(13.8, -15.5, 30)
    found, weights = [], []
    for height in heights:
        origin = np.array([0.0, height, 0.0])
        near = (corners[:, :, 1].min(axis=1) <= height) & (corners[:, :, 1].max(axis=1) >= height)
        for turn in turns:
            ray = np.array([np.sin(turn), 0.0, np.cos(turn)])
            hit, where = _last_hit(origin, ray, corners[near])
            found.append(used[near][hit])
            weights.append(where)
    samples = Samples(np.array(found), np.array(weights))
    triangles = _sheet_triangles(len(heights), len(turns), closed=True)
    places = np.stack([grid.ravel() for grid in np.meshgrid(heights, np.cos(turns), indexing="ij")], axis=1)
    # The face itself lies there, and the shell would hide the mouth's inside.
    behind_face = (places[:, 0] > -12) & (places[:, 0] < 11) & (places[:, 1] > np.cos(np.deg2rad(57)))
    return _sampled(rig, samples, triangles[~behind_face[triangles].any(axis=1)])


def _last_hit(origin: Floats, ray: Floats, corners: Floats) -> tuple[int, Floats]:
    """Moeller and Trumbore 1997: the farthest triangle that a ray meets, else the one it passes nearest."""
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = np.cross(ray, two)
    area = (one * across).sum(axis=1)
    area = np.where(np.abs(area) < 1e-12, 1e-12, area)
    to = origin - corners[:, 0]
    second = (to * across).sum(axis=1) / area
    over = np.cross(to, one)
    third = (over @ ray) / area
    far = (two * over).sum(axis=1) / area
    weights = np.stack([1 - second - third, second, third], axis=1)
    met = (weights.min(axis=1) >= -1e-9) & (far > 0)
    if met.any():
        best = int(np.argmax(np.where(met, far, -np.inf)))
        return best, weights[best]
    direction = corners.mean(axis=1) - origin
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return int(np.argmax(direction @ ray)), np.full(3, 1 / 3)


def _sheet_triangles(rows: int, columns: int, *, closed: bool = False) -> Ints:
    """Triangles of a grid of vertices, row after row; closed joins the last column to the first."""
    row, column = (g.ravel() for g in np.mgrid[: rows - 1, : columns if closed else columns - 1])
    a, b = row * columns + column, row * columns + (column + 1) % columns
    c, d = a + columns, b + columns
    return np.concatenate([np.stack([a, c, b], 1), np.stack([b, c, d], 1)])


def _lattice(rows: Floats, columns: Floats) -> tuple[Floats, Floats]:
    """Spread two axes over a grid of vertices, row after row."""
    return np.repeat(rows, len(columns)), np.tile(columns, len(rows))


UPPER_CROWNS = ((0.86, 1.05), (0.66, 0.93), (0.76, 1.02), (0.7, 0.88), (0.67, 0.82), (1.0, 0.75), (0.95, 0.7))
LOWER_CROWNS = ((0.53, 0.84), (0.58, 0.86), (0.68, 0.96), (0.7, 0.86), (0.71, 0.8), (1.08, 0.75), (1.0, 0.7))
"""Mean widths and heights of an adult's crowns from the middle outwards, in centimetres."""


LOWER_EDGE = -3.36
"""Height of the lower incisors' edges: a resting bite hides them behind the upper ones and the lip."""
TONGUE_ROWS = (*np.linspace(0, 0.7, 9), 0.76, 0.82, 0.87, 0.91, 0.95, 0.98, 1.0, 1.03, 1.1, 1.18, 1.3, 1.45)
"""From the root, 0, over the top to the tip, 1, and back below it."""
FUNNEL_COVERS = 0.22
"""How far teeth keep behind funnelled lips, in centimetres."""
LOWER_FALL = 0.85
"""Lower teeth and tongue fall with the lip before them, and on film that falls less than in the source."""


def mouth_inside(rig: SourceRig) -> dict[str, Piece]:
    """Set teeth on arches fitted to the source's, gums over them, and a tongue."""
    pieces: dict[str, Piece] = {}
    jaw = np.linalg.norm(rig.shapes[INDEX["jawOpen"]], axis=1)
    gums = np.arange(*ICT_PARTS["gums_tongue"])
    lower_gums = gums[jaw[gums] > 0.5 * jaw[gums].max()]
    rows = (("upper", UPPER_CROWNS, -3.52, -1.0), ("lower", LOWER_CROWNS, LOWER_EDGE, 1.0))
    for name, crowns, edge, side in rows:
        leaders = np.arange(*ICT_PARTS[f"{name}_teeth"])
        arch = Arch.fit(rig.vertices[leaders])
        vertices, shade, triangles = [], [], []
        for hand in (-1.0, 1.0):
            along = 0.0
            for width, height in crowns:
                grid, paint = tooth(arch, hand, along, width, height, edge, side)
                triangles.append(_sheet_triangles(7, 7) + sum(len(v) for v in vertices))
                vertices.append(grid)
                shade.append(paint)
                along += width
        pieces[f"{name}_teeth"] = _following(
            rig, np.concatenate(vertices), np.concatenate(triangles), np.concatenate(shade), leaders
        )
        grid, paint = gum(arch, crowns, edge, side)
        pieces[f"{name}_gum"] = _following(rig, grid, _sheet_triangles(5, 61), paint, leaders)
    pieces["tongue"] = tongue(rig, lower_gums)
    for name in ("lower_teeth", "lower_gum", "tongue"):
        pieces[name].shapes[INDEX["jawOpen"]] *= LOWER_FALL
    # Lips that funnel stand off the teeth and cover them; the source's bare them, so the teeth keep behind.
    for name, side in (("upper_teeth", 1.0), ("upper_gum", 1.0), ("lower_teeth", -1.0), ("lower_gum", -1.0)):
        pieces[name].shapes[INDEX["mouthFunnel"], :, 1] += side * FUNNEL_COVERS
    return pieces


@dataclass(frozen=True)
class Arch:
    """A dental arch seen from above: z = front - depth (1 - (1 - (x / half)^power)^(1 / power))."""

    front: float
    depth: float
    half: float
    power: float

    @classmethod
    def fit(cls, teeth: Floats) -> "Arch":
        """Fit the outer envelope of teeth by least squares over a grid of powers."""
        across = np.abs(teeth[:, 0])
        bins = np.arange(0.1, 3.0, 0.2)
        outer = np.array([teeth[np.abs(across - b) < 0.12, 2].max() for b in bins])
        best, least = cls(float(outer.max()), 5.0, 3.2, 2.0), np.inf
        for power in np.arange(1.6, 3.2, 0.1):
            for half in np.arange(3.05, 3.5, 0.05):
                rise = 1 - (1 - (bins / half) ** power) ** (1 / power)
                depth, front = np.polyfit(rise, outer, 1)
                error = float(np.square(outer - depth * rise - front).sum())
                if error < least:
                    best, least = cls(float(front), -float(depth), float(half), float(power)), error
        print(f"dental arch: {best}, RMS {np.sqrt(least / len(bins)):.3f} cm")
        return best

    def at(self, along: Floats) -> tuple[Floats, Floats]:
        """Return points [n, 2] (x, z) at lengths along the right half of the arch, and outward normals."""
        x = self.half * np.sin(np.linspace(0, np.pi / 2 * 0.985, 400))
        z = self.front - self.depth * (1 - (1 - (x / self.half) ** self.power) ** (1 / self.power))
        curve = np.stack([x, z], axis=1)
        length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
        points = np.stack([np.interp(along, length, curve[:, k]) for k in range(2)], axis=1)
        ahead = np.stack([np.interp(along + 0.05, length, curve[:, k]) for k in range(2)], axis=1)
        tangent = (ahead - points) / np.linalg.norm(ahead - points, axis=1, keepdims=True).clip(1e-9)
        return points, np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)


def tooth(
    arch: Arch, hand: float, along: float, width: float, height: float, edge: float, side: float
) -> tuple[Floats, Floats]:
    """One crown as a 7x7 sheet: wider and rounder at its edge, bulging, shaded towards gaps and gum."""
    down, across = _lattice(np.linspace(0, 1, 7), np.linspace(-1, 1, 7))
    narrow = 1 - 0.05 * (1 - down) ** 2 - 0.03 * np.clip(down - 0.85, 0, 1) / 0.15
    middle = along + width / 2
    points, normals = arch.at(middle + across * width / 2 * 1.01 * narrow)
    bulge = 0.11 * (1 - across**2) * (0.5 + 0.5 * np.sin(np.pi * down)) - 0.05 * across**2
    lean = -0.10 * (1 - down)
    points = points + normals * (bulge + lean)[:, None]
    corner = 0.035 * np.abs(across) ** 4 * down**6
    rise = 0.10 * np.clip(along / 2.2, 0, 1) if side < 0 else 0.0
    y = edge + rise - side * ((1 - down) * height + corner)
    neck = 0.10 * across**2 * (1 - down) ** 3
    vertices = np.stack([hand * points[:, 0], y + side * neck, points[:, 1]], axis=1)
    gap = 1 - 0.16 * np.abs(across) ** 9
    root = 1 - 0.14 * (1 - down) ** 4
    return vertices, gap * root


def gum(arch: Arch, crowns: Sequence[tuple[float, float]], edge: float, side: float) -> tuple[Floats, Floats]:
    """Lay a band from the crowns' necks to beyond what a mouth can show, scalloped round the necks."""
    total = sum(width for width, _ in crowns)
    ends = np.cumsum([width for width, _ in crowns])
    along = np.linspace(-total, total, 61)
    index = np.searchsorted(ends, np.abs(along)).clip(0, len(crowns) - 1)
    heights = np.interp(np.abs(along), ends - [w / 2 for w, _ in crowns], [h for _, h in crowns])
    inside = (np.abs(along) - (ends - [w for w, _ in crowns])[index]) / np.array([w for w, _ in crowns])[
        index
    ]
    scallop = 0.10 * np.cos(2 * np.pi * inside)
    points, normals = arch.at(np.abs(along))
    rows, paint = [], []
    for level in np.linspace(0, 1, 5):
        out = -0.03 + 0.10 * level
        place = points + normals * out
        y = edge - side * (heights - 0.10 + scallop * (1 - level) + 2.2 * level)
        rows.append(np.stack([np.sign(along) * place[:, 0], y, place[:, 1]], axis=1))
        paint.append(np.full(len(along), 0.92 - 0.25 * level))
    return np.concatenate(rows), np.concatenate(paint)


def tongue(rig: SourceRig, leaders: Ints) -> Piece:
    """Raise a dome from root to tip and round it to its underside; it moves with the jaw.

    tongueOut carries its front straight out. How it rises on its way, to the upper teeth or over the lower
    ones, is the drawing's: it depends on the jaw.
    """
    along, across = _lattice(np.array(TONGUE_ROWS), np.linspace(-1, 1, 13))
    under = np.clip(along - 1, 0, None)
    front = np.where(along > 1, 1 - 1.2 * under, along)
    z = 5.0 + 4.75 * np.sin(front * np.pi / 2) ** 0.9
    half = 1.95 * np.sqrt(np.clip(1 - np.clip((z - 7.6) / 2.15, 0, 1) ** 4, 0.05, 1))
    tip = np.clip((front - 0.8) / 0.2, 0, 1)
    y = -3.55 - 0.62 * np.clip((z - 7.6) / 2.2, 0, 1) ** 1.6 - 0.2 * tip**2
    y = y - 0.38 * half * np.abs(across) ** 3 - 0.04 * np.exp(-((across / 0.15) ** 2)) * (under == 0)
    below = np.clip(under / 0.25, 0, 1) ** 0.6
    y = y - 0.25 * below
    half = half * (1 - 0.55 * below)
    z = z - 0.3 * across**2 * tip
    vertices = np.stack([across * half, y, z], axis=1)
    shade = 0.95 - 0.07 * np.exp(-((across / 0.15) ** 2)) * (1 - tip) - 0.25 * np.abs(across) ** 3
    shade = shade * (1 - 0.2 * below)
    piece = _following(rig, vertices, _sheet_triangles(len(TONGUE_ROWS), 13), shade, leaders)
    # The root of a tongue sinks as the jaw drops, and leaves the throat dark behind it.
    piece.shapes[INDEX["jawOpen"], :, 1] -= 1.1 * np.clip((9.2 - z) / 3.0, 0, 1)
    forward = np.clip((z - 5.0) / 4.75, 0, 1) ** 1.4
    out = np.stack([-0.2 * across * half, 0 * z, np.full(len(z), 4.0)], axis=1)
    piece.shapes[INDEX["tongueOut"]] = forward[:, None] * out
    return piece


def eyeball(rig: SourceRig, sclera: str) -> Piece:
    """Cut the front of a sphere fitted to the source's sclera; it moves as a whole, with identity alone."""
    own = np.arange(*ICT_PARTS[sclera])
    cloud = rig.vertices[own]
    system = np.concatenate([2 * cloud, np.ones((len(cloud), 1))], axis=1)
    solved = np.linalg.lstsq(system, (cloud**2).sum(axis=1), rcond=None)[0]
    centre = solved[:3]
    radius = float(np.sqrt(solved[3] + (centre**2).sum()))
    print(f"{sclera}: centre {centre.round(2)}, radius {radius:.2f} cm")
    polar, turn = (
        g.ravel()
        for g in np.meshgrid(
            np.linspace(0, 1.45, 10), np.linspace(0, 2 * np.pi, 32, endpoint=False), indexing="ij"
        )
    )
    unit = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=1)
    vertices = centre + radius * unit
    count = len(vertices)
    moved = rig.identities[:, own].mean(axis=1)
    identities = np.repeat(moved[:, None], count, axis=1)
    shapes = np.zeros((len(SHAPES), count, 3))
    return Piece(vertices, shapes, identities, _sheet_triangles(10, 32, closed=True), np.ones(count))


# ---- landmarks, frame, report


def place_landmarks(head: HeadModel, face: FaceLayout, rig: SourceRig, data: Path) -> HeadModel:
    """Detect on pictures of several heads; a landmark lies where the median of its chart places does.

    The lips' landmarks come from open mouths, where inner and outer rings lie apart.
    """
    landmarker = FaceLandmarker(data / "models/face_landmarker/public/face_landmarker.task")
    random = np.random.default_rng(SEED)
    paint = painted(head, rig)
    weights = [np.zeros(IDENTITIES), *(0.6 * random.standard_normal((7, IDENTITIES)))]
    seen: dict[str, list[Floats]] = {"skin": [], "lips": []}
    for identity in weights:
        for kind, jaw in (("skin", 0.0), ("lips", 0.35)):
            vertices = head.vertices + np.tensordot(identity, head.identities, 1)
            vertices = vertices + jaw * head.shapes[INDEX["jawOpen"]]
            for mirror in (1.0, -1.0):
                picture, chart = picture_of(head, face, vertices * [mirror, 1, 1], paint)
                faces = landmarker.detect(picture)
                if not faces:
                    continue
                places = _read_chart(chart, faces[0].points[:, :2])
                if mirror < 0:
                    places = places[_mirror_of(faces[0].points)]
                seen[kind].append(places)
    landmarker.close()
    places = np.nanmedian(seen["skin"], axis=0)
    places[LIP_LANDMARKS] = np.nanmedian(seen["lips"], axis=0)[LIP_LANDMARKS]
    spread = np.nanstd(seen["skin"], axis=0).mean()
    print(
        f"landmarks: from {len(seen['skin'])} + {len(seen['lips'])} pictures, "
        f"spread {spread:.4f} of the chart"
    )
    corners, inside = face.place(places)
    return HeadModel(
        vertices=head.vertices,
        shapes=head.shapes,
        identities=head.identities,
        shade=head.shade,
        starts=head.starts,
        triangles=head.triangles,
        landmark_corners=corners.astype(np.int32),
        landmark_weights=inside.astype(np.float32),
        rings=head.rings,
    )


def _mirror_of(points: NDArray[np.float32]) -> Ints:
    """Landmark numbers of the mirrored face: nearest partner across the middle line of a frontal face."""
    flat = points[:, :2].astype(np.float64)
    middle = (flat[10] + flat[152]) / 2
    mirrored = flat * [-1, 1] + [2 * middle[0], 0]
    # One to one: the nearest alone is not safe where the rings of the lips lie close.
    cost = np.linalg.norm(mirrored[:, None] - flat[None], axis=2)
    result: Ints = linear_sum_assignment(cost)[1]
    return result


def painted(head: HeadModel, rig: SourceRig) -> NDArray[np.float32]:
    """Colours, float32[vertices, 3] RGB: skin, lips, brows, teeth, and eyes with irises."""
    colours = np.zeros((len(head.vertices), 3), np.float32)
    face, vertices = head.part("face"), head.vertices
    colours[:] = (205, 168, 145)
    skin = vertices[face]
    marks = rig.vertices[rig.landmarks]
    lips = Outline(marks[48:60, :2]).contains_points(skin[:, :2]) & (skin[:, 2] > 8.5)
    colours[face][lips] = (172, 92, 92)
    for brow in (range(17, 22), range(22, 27)):
        line = np.concatenate([np.linspace(marks[i], marks[i + 1], 8) for i in list(brow)[:-1]])
        near = cKDTree(line[:, :2]).query(skin[:, :2])[0] < 0.33
        colours[face][near & (skin[:, 2] > 4)] = (80, 60, 50)
    for name, colour in (
        ("upper_teeth", (230, 225, 215)),
        ("lower_teeth", (230, 225, 215)),
        ("upper_gum", (150, 70, 75)),
        ("lower_gum", (150, 70, 75)),
        ("tongue", (165, 80, 85)),
    ):
        colours[head.part(name)] = np.array(colour) * head.shade[head.part(name), None]
    for name in ("left_eye", "right_eye"):
        ball = vertices[head.part(name)]
        off_axis = np.linalg.norm(ball[:, :2] - ball[0, :2], axis=1)
        eye = np.where(off_axis[:, None] < 0.62, (70, 48, 32), (238, 236, 232))
        colours[head.part(name)] = np.where(off_axis[:, None] < 0.25, (8, 8, 8), eye)
    return colours


def picture_of(
    head: HeadModel, face: FaceLayout, vertices: Floats, paint: NDArray[np.float32], size: int = 900
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Draw a head from the front: RGB, and the chart's coordinates a pixel (NaN off the face)."""
    scale = size / 40
    points = np.stack(
        [vertices[:, 0] * scale + size / 2, size / 2 - vertices[:, 1] * scale, -vertices[:, 2] * scale],
        axis=1,
    ).astype(np.float32)
    triangles = np.concatenate(head.triangles)
    normals = np.zeros((len(points), 3))
    facing = np.cross(
        points[triangles[:, 1]] - points[triangles[:, 0]], points[triangles[:, 2]] - points[triangles[:, 0]]
    )
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], facing)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
    light = 0.45 + 0.55 * np.abs(normals @ np.array([0.2, 0.4, 0.87]))
    chart = np.full((len(points), 2), np.nan, np.float32)
    chart[head.part("face")] = face.chart
    layers = np.concatenate([paint * light[:, None].astype(np.float32), chart], axis=1).astype(np.float32)
    drawn = np.full((size, size, 5), np.nan, np.float32)
    drawn[..., :3] = 90
    raster_attributes(points, triangles, layers, drawn, np.full((size, size), np.inf, np.float32))
    return np.clip(drawn[..., :3], 0, 255).astype(np.uint8), drawn[..., 3:]


def _read_chart(chart: NDArray[np.float32], places: NDArray[np.float32]) -> Floats:
    """Read the chart at points in pixels; where no face is drawn, at the nearest pixel that has it."""
    rows, columns = np.nonzero(np.isfinite(chart[..., 0]))
    nearest = cKDTree(np.stack([columns, rows], axis=1)).query(places)[1]
    result: Floats = chart[rows[nearest], columns[nearest]].astype(np.float64)
    return result


def normalise(head: HeadModel) -> HeadModel:
    """Turn to x right, y down, z away, centre between the ears' height and the face, width 1."""
    marks = head.landmarks(head.vertices)
    width = float(np.linalg.norm(marks[234] - marks[454]))
    centre = marks[[234, 454]].mean(axis=0)
    turn = np.array([1, -1, -1], np.float32)
    print(f"face width {width:.3f} cm")
    return HeadModel(
        vertices=((head.vertices - centre) * turn / width).astype(np.float32),
        shapes=(head.shapes * turn / width).astype(np.float32),
        identities=(head.identities * turn / width).astype(np.float32),
        shade=head.shade,
        starts=head.starts,
        triangles=head.triangles,
        landmark_corners=head.landmark_corners,
        landmark_weights=head.landmark_weights,
        rings=head.rings,
    )


@dataclass(frozen=True)
class FilmedLips:
    """How the lips of filmed faces move, in face widths, the same on both sides."""

    DRIVES: ClassVar = (
        "the chin falls",
        "the upper lip rises",
        "the lower lip leaves the chin",
        "the mouth widens",
    )
    moves: Floats
    """[drives, LIP_CONTOURS, 2]: x and y for one unit of each drive."""

    @classmethod
    def read(cls, path: Path, head: HeadModel) -> "FilmedLips":
        """Lay every frame over the head's eyes and brow, and regress the lips on four drives."""
        with np.load(path) as archive:
            place = {int(landmark): k for k, landmark in enumerate(archive["indices"])}
            clips = [archive[name].astype(np.float64) for name in archive.files if name != "indices"]
        still = [33, 133, 362, 263, 168, 10]
        marks = head.landmarks(head.vertices).astype(np.float64)
        onto = marks[still, :2]
        moved = []
        for clip in clips:
            seen = clip[np.isfinite(clip).all(axis=(1, 2))][..., :2]
            laid = np.stack([_similarity(frame[[place[k] for k in still]], onto, frame) for frame in seen])
            gap = laid[:, place[14], 1] - laid[:, place[13], 1]
            moved.append(laid - laid[gap <= np.quantile(gap, REST_SHARE)].mean(axis=0))
        offsets = np.concatenate(moved)

        def down(landmark: int) -> Floats:
            result: Floats = offsets[:, place[landmark], 1]
            return result

        wider = offsets[:, place[308], 0] - offsets[:, place[78], 0]
        drives = np.stack([down(152), -down(13), down(14) - down(152), wider], axis=1)
        mirror = dict(zip(LIP_CONTOURS, _across(), strict=True))
        twins = [place[mirror[k]] for k in LIP_CONTOURS]
        own = [place[k] for k in LIP_CONTOURS]
        even = (offsets[:, own] + offsets[:, twins] * [-1, 1]) / 2
        flat = even.reshape(len(even), -1)
        moves = np.linalg.lstsq(drives, flat, rcond=None)[0]
        left = np.sqrt(np.square(flat - drives @ moves).mean())
        print(
            f"filmed lips: {len(flat)} frames of {len(clips)} clips; the four drives leave {left:.4f} of "
            f"{np.sqrt(np.square(flat).mean()):.4f} face widths (RMS)"
        )
        return cls(moves.reshape(len(cls.DRIVES), len(LIP_CONTOURS), 2))

    def wanted(self, drive: str, moves: Floats) -> Floats:
        """Return where LIP_CONTOURS should go, [n, 2], in a shape that moves landmarks by [478, 3]."""
        unit = self.moves[self.DRIVES.index(drive)]
        filmed = np.zeros((478, 2))
        filmed[list(LIP_CONTOURS)] = unit
        if drive == "the mouth widens":
            filmed *= float(moves[308, 0] - moves[78, 0])
        else:
            filmed *= _gap(moves) / _gap(filmed)
        spared = (_gap(moves) - _gap(filmed)) / 2
        across = smoothstep(np.linspace(0, 1, len(INNER_LIPS_TOP) // 2 + 1))
        across = np.concatenate([across, across[-2::-1]])
        filmed[list(INNER_LIPS_TOP), 1] -= spared * across
        filmed[list(INNER_LIPS_BOTTOM), 1] += spared * across
        return filmed[list(LIP_CONTOURS)]


def _across() -> list[int]:
    """Return the landmark across the face from each of LIP_CONTOURS."""
    twins = {}
    for run in (INNER_LIPS_TOP, INNER_LIPS_BOTTOM, OUTER_LIPS_TOP, OUTER_LIPS_BOTTOM):
        twins.update(zip(run, run[::-1], strict=True))
    return [twins[k] for k in LIP_CONTOURS]


def _similarity(source: Floats, target: Floats, points: Floats) -> Floats:
    """Turn, scale and shift points [n, 2] as lays `source` on `target` best."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    a_complex, b_complex = a @ [1, 1j], b @ [1, 1j]
    factor = np.vdot(a_complex, b_complex) / np.vdot(a_complex, a_complex)
    laid = (points - source.mean(axis=0)) @ [1, 1j] * factor
    result: Floats = np.stack([laid.real, laid.imag], axis=-1) + target.mean(axis=0)
    return result


def follow_film(head: HeadModel, film: FilmedLips) -> HeadModel:
    """Make the lips of jawOpen, mouthUpperUp and mouthPucker move as filmed, for the same gap between them.

    What is scored and trained as motion keeps its unit: the gap. The corrections are radial-basis fields
    round the lips' landmarks, taken on an open mouth so that upper and lower lip do not share them, that fade
    into the face.
    """
    face = head.part("face")
    shapes = head.shapes.astype(np.float64)
    flat = np.array([1.0, 1.0, 0.3])
    opened = head.vertices + 0.35 * head.shapes[INDEX["jawOpen"]]
    places = opened[face] * flat
    centres = head.landmarks(opened).astype(np.float64)[list(LIP_CONTOURS)] * flat
    share = smoothstep(1 - (distances(places, centres).min(axis=1) - FILM_NEAR) / FILM_FADE)[:, None]
    left = smoothstep(head.vertices[face, :1] / 0.08 + 0.5)
    for drive, names in FILMED_SHAPES.items():
        own = [INDEX[name] for name in names]

        def marks() -> Floats:
            return head.landmarks(shapes[own].sum(axis=0).astype(np.float32)).astype(np.float64)  # noqa: B023

        before = marks()
        wanted = film.wanted(drive, before)
        for _ in range(4):
            off = wanted - marks()[list(LIP_CONTOURS), :2]
            field = interpolate(centres, off, places, smoothing=FILM_SMOOTHING) * share
            for index, part in zip(own, (left, 1 - left) if len(own) == 2 else (1.0,), strict=True):
                shapes[index, face, :2] += part * field
        after = marks()
        errors = [np.abs(m[list(LIP_CONTOURS), :2] - wanted).mean() for m in (before, after)]
        print(
            f"{names[0]}: the lips' landmarks {errors[0]:.4f} face widths off the film, now {errors[1]:.4f}; "
            f"gap {_gap(before):.4f}, now {_gap(after):.4f}"
        )
    return replace(head, shapes=shapes.astype(np.float32))


def hide_corner_lining(head: HeadModel) -> HeadModel:
    """Lay the lining of the mouth's corners straight behind their rim.

    The source's turns inwards there: an open mouth would end short of its corners, in a blunt edge of skin.
    """
    rings = head.rings[0]
    count = rings.shape[1]
    vertices, shapes, identities = head.vertices.copy(), head.shapes.copy(), head.identities.copy()
    for step in range(-LINING_COLUMNS, LINING_COLUMNS + 1):
        share = float(smoothstep(np.array(LINING_COLUMNS + 1 - abs(step)) / 5))
        rim = min(CORNER_RIM + RIM_RISES * max(abs(step) - 2, 0), LIP_RIM)
        outer, between = int(rim), rim % 1
        for corner in (0, count // 2):
            column = rings[:, (corner + step) % count]
            lining = column[: outer + 1]
            for values, axes in ((vertices, slice(2)), (shapes, slice(3)), (identities, slice(3))):
                one, two = values[..., column[outer], axes], values[..., column[outer + 1], axes]
                target = (1 - between) * one + between * two
                values[..., lining, axes] += share * (target[..., None, :] - values[..., lining, axes])
    return replace(head, vertices=vertices, shapes=shapes, identities=identities)


def _gap(moves: Floats) -> float:
    """How far landmarks' movements [478, k] part the inner lips."""
    return float((moves[list(INNER_LOWER_LIP), 1] - moves[list(INNER_UPPER_LIP), 1]).mean())


def report(stored: HeadModel, exact: HeadModel, path: Path) -> None:
    counts = {name: (stored.part(name).stop - stored.part(name).start) for name in PARTS}
    print("vertices:", counts, "of", len(stored.vertices))
    print("triangles:", {name: len(t) for name, t in zip(PARTS, stored.triangles, strict=True)})
    print(
        f"packing error: shapes {np.abs(stored.shapes - exact.shapes).max():.2e} face widths, "
        f"identities {np.abs(stored.identities - exact.identities).max():.2e}"
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def draw_sheet(head: HeadModel, face: FaceLayout, rig: SourceRig, path: Path) -> None:
    """Draw the mesh, the landmarks, and every shape at full weight."""
    paint = painted(head, rig)
    panels = []
    for name in ("mesh", "landmarks", *SHAPES):
        vertices = head.vertices.astype(np.float64)
        if name in SHAPES:
            vertices = vertices + head.shapes[INDEX[name]]
        if name == "tongueOut":
            vertices = vertices + 0.3 * head.shapes[INDEX["jawOpen"]]
        picture, _ = picture_of(head, face, vertices, paint)
        points = np.stack([vertices[:, 0] * 22.5 + 450, 450 - vertices[:, 1] * 22.5], axis=1)
        if name == "mesh":
            front = [np.round(points[t] * 8).astype(np.int32) for t in head.triangles[0]]
            cv2.polylines(picture, front, True, (0, 60, 0), 1, cv2.LINE_AA, 3)
        if name == "landmarks":
            for x, y in head.landmarks(points.astype(np.float32)):
                cv2.circle(picture, (round(float(x)), round(float(y))), 2, (0, 160, 0), -1)
        panel = cv2.resize(picture[170:720, 220:680], (368, 440), interpolation=cv2.INTER_AREA)
        panels.append(cv2.putText(panel, name, (6, 20), 0, 0.55, (255, 255, 0), 1, cv2.LINE_AA))
    while len(panels) % 9:
        panels.append(np.zeros_like(panels[0]))
    rows = [np.hstack(panels[i : i + 9]) for i in range(0, len(panels), 9)]
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
