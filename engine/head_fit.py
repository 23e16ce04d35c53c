"""Lay the head model over 478 landmarks: pose, identity and expression, then the last pixels by a warp."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.head import HeadModel
from mien.engine.motion import INDEX, SHAPES
from mien.kernels.ridge import solve_in_box

Floats = NDArray[np.float64]

FITTED: Final = slice(0, 468)
"""The landmarks on the skin; the irises follow gaze, not the head."""

_ROUNDS: Final = 8
_DEPTH_TRUST: Final = 0.25
"""Landmark depth is a guess by a net: it counts a quarter of what a pixel across counts."""
_NOISE: Final = 0.02
"""Expected error of a landmark, in face widths. Neighbours err alike, so each counts for less than it would
alone: with 0.008 faces at rest were fitted with shapes that undo each other, a squint and wide eyes."""
_SHAPE_SPREAD: Final = 0.18
"""Expected distance of a shape's weight from the landmark net's score."""
_SCORE_TRUST: Final = 0.8
_IDENTITY_LIMIT: Final = 3.0
"""Identities stay within three standard deviations."""


@dataclass(frozen=True, slots=True)
class HeadFit:
    """Where a photo's head is: pixels = scale * rotation @ model + shift, a weak perspective."""

    scale: float
    """Pixels a face width."""

    rotation: Floats
    """float64[3, 3]."""

    shift: Floats
    """float64[3], pixels."""

    identity: Floats
    """float64[identities], standard deviations."""

    expression: Floats
    """float64[52], 0..1: the photo's own expression."""

    @property
    def yaw(self) -> float:
        """How far the face is turned towards the picture's right, in radians."""
        return float(np.arctan2(-self.rotation[0, 2], self.rotation[2, 2]))

    @property
    def pitch(self) -> float:
        """How far it looks up, in radians."""
        return float(np.arcsin(np.clip(self.rotation[1, 2], -1, 1)))

    def project(self, vertices: NDArray[np.floating]) -> Floats:
        """Model coordinates [..., 3] to pixels, z away in the same scale."""
        result: Floats = self.scale * (vertices @ self.rotation.T) + self.shift
        return result

    def project_deltas(self, deltas: NDArray[np.floating]) -> Floats:
        """Movements in the model to movements in pixels."""
        result: Floats = self.scale * (deltas @ self.rotation.T)
        return result


def fit_head(head: HeadModel, points: NDArray[np.float32], scores: dict[str, float]) -> HeadFit:
    """Fit pose, identity and expression to landmarks, float32[478, 3] in pixels.

    Alternates a least-squares pose with a ridge solve of identity and expression inside their ranges; the
    prior of an expression is what the landmark net scored.
    """
    target = points[FITTED].astype(np.float64)
    mean = head.landmarks(head.vertices)[FITTED].astype(np.float64)
    identities = head.landmarks(head.identities)[:, FITTED].astype(np.float64)
    shapes = head.landmarks(head.shapes)[:, FITTED].astype(np.float64)
    prior = _SCORE_TRUST * np.array([scores.get(name, 0.0) for name in SHAPES])
    looks = np.array([name.startswith("eyeLook") or name == "tongueOut" for name in SHAPES])
    prior[looks] = 0
    strength = np.where(looks, 20.0, 1.0) / _SHAPE_SPREAD

    identity, expression = np.zeros(len(identities)), prior.copy()
    for _ in range(_ROUNDS):
        model = mean + np.tensordot(identity, identities, 1) + np.tensordot(expression, shapes, 1)
        scale, rotation, shift = fit_pose(model, target)
        identity, expression = _fit_weights(
            (target - shift) @ rotation / scale - mean, rotation, identities, shapes, prior, strength
        )
    return HeadFit(scale, rotation, shift, identity, expression)


def fit_pose(model: Floats, target: Floats) -> tuple[float, Floats, Floats]:
    """Return the scale, rotation and shift that lay model points on target points, depth counting less.

    Umeyama 1991 starts it; Gauss-Newton on the rotation then trusts the depths less than the pixels.
    """
    trust = np.array([1.0, 1.0, _DEPTH_TRUST])
    model_mean, target_mean = model.mean(axis=0), target.mean(axis=0)
    a, b = model - model_mean, target - target_mean
    left, sizes, right = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation: Floats = (left * sign) @ right
    scale = float((sizes * sign).sum() / (a * a).sum())
    for _ in range(6):
        turned = a @ rotation.T
        residual = ((b - scale * turned) * trust).ravel()
        columns = [(np.cross(axis, turned) * scale * trust).ravel() for axis in np.eye(3)]
        columns.append((turned * trust).ravel())
        step = np.linalg.lstsq(np.stack(columns, axis=1), residual, rcond=None)[0]
        rotation = rotation_about(step[:3]) @ rotation
        scale += float(step[3])
    return scale, rotation, target_mean - scale * rotation @ model_mean


def rotation_about(vector: Floats) -> Floats:
    """Rodrigues' formula: the rotation by |vector| radians about a vector, float64[3, 3]."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    result: Floats = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return result


def _fit_weights(
    observed: Floats, rotation: Floats, identities: Floats, shapes: Floats, prior: Floats, strength: Floats
) -> tuple[Floats, Floats]:
    """Solve for identity and expression given the residual of the mean face, in the model's frame."""
    trust = np.array([1.0, 1.0, _DEPTH_TRUST]) / _NOISE

    def seen(deltas: Floats) -> Floats:
        result: Floats = ((deltas @ rotation.T) * trust).reshape(*deltas.shape[:-2], -1)
        return result

    basis = np.concatenate([seen(identities), seen(shapes)])
    count = len(identities)
    weight = np.concatenate([np.ones(count), strength])
    gram = basis @ basis.T + np.diag(weight**2)
    pull = basis @ seen(observed) + weight**2 * np.concatenate([np.zeros(count), prior])
    low = np.concatenate([np.full(count, -_IDENTITY_LIMIT), np.zeros(len(shapes))])
    high = np.concatenate([np.full(count, _IDENTITY_LIMIT), np.ones(len(shapes))])
    start = np.clip(np.linalg.solve(gram, pull), low, high)
    solved = solve_in_box(gram, pull, low, high, start)
    return solved[:count], solved[count:]


def snap(head: HeadModel, fit: HeadFit, points: NDArray[np.float32], model: Floats) -> Floats:
    """Return how far to move each projected face vertex so that the landmarks lie on the photo's, [n, 2] px.

    A radial-basis warp of the residual (linear kernel, a constant, a little smoothing). Distances are
    taken on the face with mouth and eyes open, so that upper and lower lips and lids do not share
    residuals. It fades away from the landmarks.
    """
    face = head.part("face")
    fitted = head.landmarks(fit.project(model).astype(np.float32))[FITTED, :2]
    residual = points[FITTED, :2].astype(np.float64) - fitted
    opened = model + 0.8 * head.shapes[INDEX["jawOpen"]]
    opened = opened + 0.9 * (head.shapes[INDEX["eyeWideLeft"]] + head.shapes[INDEX["eyeWideRight"]])
    centres = head.landmarks(opened.astype(np.float32))[FITTED].astype(np.float64)
    kept = _distinct(centres, 0.0035)
    places = opened[face]
    moved = interpolate(centres[kept], residual[kept], places, smoothing=0.0015)
    nearest = distances(places, centres).min(axis=1)
    return moved * smoothstep(1 - (nearest - 0.07) / 0.28)[:, None]


def interpolate(centres: Floats, values: Floats, places: Floats, *, smoothing: float) -> Floats:
    """Interpolate values [n, k] given at centres [n, 3], at places [m, 3]: kernel -r, plus a constant."""
    count = len(centres)
    system = np.zeros((count + 1, count + 1))
    system[:count, :count] = -distances(centres, centres) + smoothing * np.eye(count)
    system[count, :count] = system[:count, count] = 1
    solved = np.linalg.solve(system, np.vstack([values, np.zeros((1, values.shape[1]))]))
    result: Floats = -distances(places, centres) @ solved[:count] + solved[count]
    return result


def distances(a: NDArray[np.floating], b: NDArray[np.floating]) -> Floats:
    """Distance of each of a [n, k] to each of b [m, k], [n, m]."""
    squared = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * a @ b.T
    result: Floats = np.sqrt(np.maximum(squared, 0)).astype(np.float64)
    return result


def smoothstep(x: NDArray[np.floating]) -> Floats:
    """0 below 0, 1 above 1, and 3 x^2 - 2 x^3 between."""
    clipped = np.clip(x, 0, 1)
    result: Floats = clipped * clipped * (3 - 2 * clipped)
    return result


def _distinct(points: Floats, apart: float) -> NDArray[np.bool_]:
    """Keep the first of any points that lie closer than `apart`."""
    near = np.triu(distances(points, points) < apart, k=1)
    result: NDArray[np.bool_] = np.logical_not(near.any(axis=0))
    return result
