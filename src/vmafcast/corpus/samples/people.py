"""Sample scenes of people and their machines: a rally car, a crowd on a square, a presenter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vmafcast.corpus.samples.camera import expose, handheld, over, smear, view
from vmafcast.corpus.samples.fields import Image, blur, colourise, ease, path, spectral_field
from vmafcast.corpus.samples.landscapes import GREENS
from vmafcast.corpus.samples.leaves import Leaves, dead_leaves
from vmafcast.corpus.samples.paint import Colour, capsule, ellipse, polygon, rectangle

_CLOTHES: tuple[Colour, ...] = (
    (0.58, 0.22, 0.20),
    (0.20, 0.27, 0.42),
    (0.84, 0.82, 0.78),
    (0.15, 0.16, 0.18),
    (0.70, 0.58, 0.30),
    (0.28, 0.40, 0.32),
    (0.52, 0.48, 0.56),
    (0.42, 0.34, 0.28),
)
_POSES = 8
# Rows above and below the picture that a shaking camera may see.
_MARGIN = 6
_SKIN: tuple[Colour, ...] = ((0.85, 0.66, 0.54), (0.62, 0.43, 0.32), (0.40, 0.27, 0.20), (0.76, 0.56, 0.43))


def rally_car(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Track a car on gravel: the background races past an open shutter, the car stays."""
    speed, tall = 11.0, height + 2 * _MARGIN
    wide = int(1.25 * speed * frames) + width + 60
    trees = dead_leaves(rng, tall, wide // 2, Leaves(GREENS, radius=(4, 34), count=2000, contrast=0.25))
    trees *= (0.70 + 0.22 * spectral_field(rng, tall, wide // 2, exponent=1.4))[..., None]
    rows = np.arange(tall, dtype=np.float32)[:, None] / tall
    pebble = spectral_field(rng, tall, wide, exponent=0.55, stretch=2.0)
    rut = spectral_field(rng, tall, wide, exponent=1.4, stretch=8.0)
    gravel = colourise(
        0.5 * pebble + 0.5 * rut,
        [(-1.5, (0.34, 0.27, 0.21)), (0.0, (0.60, 0.52, 0.43)), (1.5, (0.82, 0.75, 0.66))],
    )
    verge = ease(rows + 0.015 * spectral_field(rng, tall, wide, exponent=0.6), 0.55, 0.57)[..., None]
    road = np.concatenate([gravel * verge, verge], axis=-1)
    for post in range(30, wide, 74):
        rectangle(road, post, 0.40 * tall, post + 5, 0.60 * tall, (0.86, 0.85, 0.82))
        rectangle(road, post, 0.43 * tall, post + 5, 0.47 * tall, (0.75, 0.12, 0.10))
    # Half of each frame's travel passes while the shutter is open.
    trees, road = smear(trees, 0.25 * speed), smear(road, 0.5 * speed)
    bounce, drift = path(rng, frames, amplitude=5, exponent=1.0), path(rng, frames, amplitude=26)
    shake = path(rng, frames, amplitude=2.5, exponent=1.0)
    puffs = rng.uniform((0, -9, 5, 0), (26, 3, 16, 1), (20, 4))
    for t in range(frames):
        x = speed * t
        picture = view(trees, top=_MARGIN + shake[t], left=0.5 * x, height=height, width=width)
        picture = over(view(road, top=_MARGIN + shake[t], left=x, height=height, width=width), picture)
        car_x, car_y = 0.52 * width + drift[t], 0.70 * height + shake[t]
        for start, rise, size, tint in puffs:
            age = (start + t) % 26
            grow = size * (0.5 + age / 16)
            ellipse(
                picture,
                car_x - 66 - 5.2 * age,
                car_y + 14 + rise * age / 7,
                (1.5 * grow, grow),
                np.array((0.70, 0.63, 0.54)) + 0.08 * tint,
                soft=0.7 * grow,
                opacity=0.42 * (1 - age / 26),
            )
        _car(picture, car_x, car_y + bounce[t], 0.02 * bounce[t] / 5, 1.7 * t)
        yield expose(picture, rng, noise=0.005)


def square_crowd(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Film a square from a high window: a fixed camera and some hundred walkers with shadows."""
    count = 130
    rows = np.arange(height, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)[None, :]
    depth = 1 / (rows + 0.9 * height)
    tile_x = np.abs((columns - width / 2) * depth * height * 0.11 % 1 - 0.5)
    tile_y = np.abs(depth * height * 22 % 1 - 0.5)
    joint = np.maximum(ease(tile_x, 0.44, 0.5), ease(tile_y + 0 * columns, 0.42, 0.5))
    paving = np.array((0.63, 0.60, 0.56), np.float32) * (1 - 0.28 * joint)[..., None]
    paving = paving * (1 + 0.07 * spectral_field(rng, height, width, exponent=0.8))[..., None]
    shade = ease(columns * 0.5 + rows - 0.42 * height + 6 * spectral_field(rng, height, width), -3, 3)[..., None]
    paving = paving * (0.52 + 0.48 * shade)
    place = rng.uniform((-20, 8), (width + 20, height + 30), (count, 2))
    pace = rng.uniform(0.25, 0.62, count) * rng.choice((-1, 1), count)
    slant, phase = rng.normal(0, 0.16, count), rng.uniform(0, 6.28, count)
    scale = 0.8 + 0.9 * place[:, 1] / height
    poses = [_walker(rng, size, np.sign(step)) for size, step in zip(scale, pace, strict=True)]
    for t in range(frames):
        picture = paving.copy()
        at_y = place[:, 1] + pace * slant * t
        at_x = (place[:, 0] + pace * scale * t + 20) % (width + 40) - 20
        step = (phase + 0.5 * t * np.abs(pace)) / (2 * np.pi) % 1
        for i in np.argsort(at_y, kind="stable"):
            _stamp(picture, poses[i][int(_POSES * step[i])], at_x[i], at_y[i])
        yield expose(picture, rng, noise=0.004)


def presenter(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Film a talking head before a room out of focus: most of the picture rests, the face does not."""
    room = dead_leaves(
        rng,
        height,
        width,
        Leaves(
            ((0.35, 0.30, 0.27), (0.50, 0.44, 0.38), (0.22, 0.26, 0.32), (0.68, 0.58, 0.44)),
            radius=(14, 80),
            count=160,
            square=8,
            tilt=0.05,
        ),
    )
    room = 0.85 * blur(room, 6.0)
    for x, y in rng.uniform((0, 0), (width, 0.5 * height), (14, 2)):
        ellipse(room, x, y, (9, 9), (0.95, 0.80, 0.55), soft=2, opacity=0.3)
    scale = height / 240
    body, head = _bust(rng, height + 40, width + 40, scale)
    nod, turn = path(rng, frames, amplitude=3.5 * scale), path(rng, frames, amplitude=7 * scale)
    roll = path(rng, frames, amplitude=0.05)
    voice = np.clip(0.5 + path(rng, frames, amplitude=0.9, exponent=0.6), 0, 1)
    blinks = set(rng.integers(4, frames, 3).tolist())
    left, top = round(width / 2 - head.shape[1] / 2), round(0.43 * height - head.shape[0] / 2)
    for t in range(frames):
        shoulders = view(body, top=20 - 0.35 * nod[t], left=20 - 0.4 * turn[t], height=height, width=width)
        picture = over(shoulders, room)
        face = head.copy()
        _features(face, scale, openness=voice[t], turn=turn[t] / 7, lid=0.8 if t in blinks else 3.8)
        face = handheld(face, top=-nod[t], left=-turn[t], height=head.shape[0], width=head.shape[1], roll=roll[t])
        place = picture[top : top + head.shape[0], left : left + head.shape[1]]
        place[...] = over(face, place)
        yield expose(picture, rng, noise=0.005)


def _car(picture: Image, x: float, y: float, pitch: float, turn: float) -> None:
    """Paint a hatchback seen from the side, its wheels turned by ``turn`` radians."""

    def at(dx: float, dy: float) -> tuple[float, float]:
        return x + dx - dy * pitch, y + dy + dx * pitch

    paint, dark, glass = np.array((0.10, 0.28, 0.62)), (0.06, 0.06, 0.07), (0.20, 0.26, 0.31)
    ellipse(picture, x, y + 27, (76, 7), (0.10, 0.08, 0.07), soft=5, opacity=0.6)
    polygon(picture, [at(-40, -30), at(18, -30), at(38, -6), at(-62, -6)], paint * 0.9)
    polygon(picture, [at(-36, -27), at(-12, -27), at(-12, -8), at(-55, -8)], glass)
    polygon(picture, [at(-8, -27), at(15, -27), at(31, -8), at(-8, -8)], glass)
    polygon(picture, [at(-68, -8), at(40, -8), at(70, 0), at(72, 18), at(-70, 18)], paint)
    polygon(picture, [at(-69, 6), at(71, 4), at(72, 10), at(-69, 12)], (0.92, 0.92, 0.90))
    polygon(picture, [at(60, -2), at(69, 1), at(70, 6), at(60, 4)], (0.95, 0.93, 0.80))
    ellipse(picture, *at(-4, 5), (11, 9), (0.95, 0.95, 0.93))
    capsule(picture, at(-7, 1), at(-1, 1), 1.2, dark)
    capsule(picture, at(-1, 1), at(-5, 10), 1.2, dark)
    for wheel in (-43, 44):
        hub = at(wheel, 18)
        ellipse(picture, *hub, (15, 15), dark)
        ellipse(picture, *hub, (8.5, 8.5), (0.55, 0.56, 0.58))
        for spoke in range(5):
            angle = turn + spoke * 2 * np.pi / 5
            capsule(picture, hub, (hub[0] + 8 * np.cos(angle), hub[1] + 8 * np.sin(angle)), 1.2, (0.25, 0.25, 0.27))


def _walker(rng: np.random.Generator, scale: float, facing: float) -> list[Image]:
    """Return the layers of a walker's poses over one stride; the feet are at the middle, 3/4 down."""
    coat, trousers = (np.array(_CLOTHES[i]) for i in rng.integers(len(_CLOTHES), size=2))
    skin = _SKIN[rng.integers(len(_SKIN))]
    size = 4 * round(6.5 * scale)
    x, y = size / 2, 0.75 * size
    hip, shoulder = y - 7 * scale, y - 14 * scale
    poses = []
    for angle in np.arange(_POSES) * (2 * np.pi / _POSES):
        layer, stride = np.zeros((size, size, 4), np.float32), np.sin(angle)
        ellipse(layer, x + 5 * scale, y, (7 * scale, 2 * scale), (0.12, 0.12, 0.15), soft=1, opacity=0.5)
        for side in (-1, 1):
            capsule(layer, (x, hip), (x + side * 2.6 * scale * stride, y), 1.3 * scale, trousers * 0.8)
        capsule(layer, (x, hip), (x, shoulder), 2.6 * scale, coat)
        capsule(layer, (x, shoulder), (x - 2.8 * scale * stride, hip), 0.9 * scale, coat * 0.8)
        ellipse(layer, x + 0.4 * facing * scale, shoulder - 4.4 * scale, (2.0 * scale, 2.5 * scale), skin)
        ellipse(layer, x - 0.4 * facing * scale, shoulder - 5.8 * scale, (2.1 * scale, 1.5 * scale), (0.16, 0.11, 0.08))
        poses.append(layer)
    return poses


def _stamp(picture: Image, layer: Image, x: float, y: float) -> None:
    """Lay a walker whose feet are at (x, y) over the picture, between pixels where need be."""
    size = layer.shape[0]
    left, top = x - size / 2, y - 0.75 * size
    column, row = int(np.floor(left)), int(np.floor(top))
    moved = view(layer, top=row - top, left=column - left, height=size, width=size)
    first, last = max(row, 0), min(row + size, picture.shape[0])
    west, east = max(column, 0), min(column + size, picture.shape[1])
    if first < last and west < east:
        window = picture[first:last, west:east]
        window[...] = over(moved[first - row : last - row, west - column : east - column], window)


def _bust(rng: np.random.Generator, height: int, width: int, scale: float) -> tuple[Image, Image]:
    """Return the shoulders at full size, and the head as a layer of its own, lit from the left."""
    x, y = width / 2, 0.44 * height
    body = np.zeros((height, width, 4), np.float32)
    ellipse(body, x, y + 158 * scale, (104 * scale, 86 * scale), (0.20, 0.22, 0.29))
    body[..., :3] *= (1 + 0.16 * spectral_field(rng, height, width, exponent=0.4))[..., None]
    collar = [(x - 27 * scale, y + 66 * scale), (x + 27 * scale, y + 66 * scale), (x, y + 124 * scale)]
    polygon(body, collar, (0.88, 0.88, 0.90))
    capsule(body, (x, y + 40 * scale), (x, y + 74 * scale), 19 * scale, (0.58, 0.41, 0.32), soft=1.5)
    tall, wide = round(150 * scale), round(140 * scale)
    head = np.zeros((tall, wide, 4), np.float32)
    x, y = wide / 2, tall / 2
    ellipse(head, x, y - 9 * scale, (48 * scale, 54 * scale), (0.22, 0.14, 0.09))
    strands = 1 + 0.42 * spectral_field(rng, tall, wide, exponent=0.8, stretch=6)
    head[..., :3] *= np.clip(strands, 0.35, 2.2)[..., None]
    ellipse(head, x, y + 7 * scale, (38 * scale, 48 * scale), (0.84, 0.64, 0.53), soft=1.5)
    for side in (-1, 1):
        ellipse(
            head, x + 20 * side * scale, y + 17 * scale, (9 * scale, 7 * scale), (0.86, 0.56, 0.48), soft=4, opacity=0.5
        )
    rows, columns = np.mgrid[0:tall, 0:wide].astype(np.float32)
    light = 1.08 - 0.0055 / scale * (columns - x + 14 * scale) - 0.0022 / scale * (rows - y)
    pores = 1 + 0.018 * spectral_field(rng, tall, wide, exponent=0.5)
    head[..., :3] *= (np.clip(light, 0.45, 1.2) * pores)[..., None]
    return body, head


def _features(face: Image, scale: float, *, openness: float, turn: float, lid: float) -> None:
    """Paint eyes, brows, nose and mouth on the head.

    ``openness`` of the mouth is in [0, 1], ``turn`` of the head in [-1, 1], ``lid`` the height of an open eye.
    """
    y, x = face.shape[0] / 2 + 3 * scale, face.shape[1] / 2 + 3 * scale * turn
    brow, lip = (0.24, 0.16, 0.12), (0.66, 0.33, 0.31)
    for side in (-1, 1):
        eye = x + 16 * side * scale
        ellipse(face, eye, y - 4 * scale, (7.5 * scale, lid * scale), (0.88, 0.86, 0.84))
        if lid > 1:
            ellipse(face, eye, y - 4 * scale, (3.7 * scale, 3.7 * scale), (0.20, 0.15, 0.11))
            ellipse(face, eye - scale, y - 5 * scale, (scale, scale), (0.95, 0.95, 0.95))
        inner, outer = eye - 7 * side * scale, eye + 9 * side * scale
        capsule(face, (inner, y - 14 * scale), (eye + 2 * side * scale, y - 16 * scale), 1.5 * scale, brow)
        capsule(face, (eye + 2 * side * scale, y - 16 * scale), (outer, y - 13 * scale), 1.2 * scale, brow)
    capsule(
        face, (x + 4 * scale, y + 2 * scale), (x + 5 * scale, y + 14 * scale), 1.5 * scale, (0.72, 0.51, 0.42), soft=2
    )
    for side in (-1, 1):
        corner = (x + 13 * side * scale, y + 26 * scale)
        capsule(face, (x, y + 29 * scale), corner, 1.7 * scale, lip, soft=0.8)
    ellipse(face, x, y + 30 * scale, (11 * scale, (2.0 + 6 * openness) * scale), lip, soft=0.9)
    ellipse(face, x, y + 29.5 * scale, (8.5 * scale, max(0.5, 4.8 * openness) * scale), (0.22, 0.07, 0.07), soft=0.9)
    if openness > 0.3:
        ellipse(face, x, y + (29.5 - 3 * openness) * scale, (6 * scale, 1.4 * scale), (0.90, 0.88, 0.84))
