"""The table of the field of view: what is found of recordings, clean and spoiled, beside the truth.

    python Testing/Measurements/field_of_view.py [FOLDER]

FOLDER holds the PLUS recordings and, beside it, `more/liver_sweep.igs.mha` (see the tests' USGANSIM_TEST_DATA); without
it the virtual phantom's probes alone are measured. The truth of these is the probe's; of recordings it is what was
found of them clean. Printed: the largest distance of a corner, how much of the true field is covered, and how much of
what was found lies beside it, in pixels and per cent of the true field, and seconds.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from USGanSimLib.cli import main
from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.phantom import probe as probes
from USGanSimLib.recording.field.find import find_field, spread_frames
from USGanSimLib.recording.sequence_file import read_sweep

Images = NDArray[np.uint8]
RECORDINGS = ("../more/liver_sweep", "SpinePhantomFreehand", "BoneUltrasound_L14", "NwirePhantomFreehand")
LETTERS = np.kron(
    np.array(
        [[int(bit) for bit in row] for row in ("1110110010", "1010101010", "1110110010", "1010101110")], bool
    ),
    np.ones((4, 4), bool),
)


def noisy(sd_grey: float) -> Callable[[Images], Images]:
    def spoil(images: Images) -> Images:
        rng = np.random.default_rng(0)
        return np.stack(
            [
                np.clip(np.rint(image + rng.normal(0, sd_grey, image.shape)), 0, 255).astype(np.uint8)
                for image in images
            ]
        )

    return spoil


def with_black(level: int) -> Callable[[Images], Images]:
    return lambda images: np.minimum(images.astype(np.int16) + level, 255).astype(np.uint8)


def with_letters(images: Images) -> Images:
    spoiled = images.copy()
    for corner in ((slice(4, 20), slice(4, 44)), (slice(-20, -4), slice(-44, -4))):
        spoiled[:, corner[0], corner[1]] = np.where(LETTERS, 200, spoiled[:, corner[0], corner[1]])
    return spoiled


SPOILED: dict[str, Callable[[Images], Images]] = {
    "clean": lambda images: images,
    "noise of SD 1": noisy(1),
    "noise of SD 3": noisy(3),
    "black level 2": with_black(2),
    "black level 20": with_black(20),
    "letters in corners": with_letters,
}


@dataclass(frozen=True)
class Sample:
    """Images of one recording, and the true field where it is known."""

    name: str
    images: Images
    truth: FieldOfView | None


def phantom_samples(folder: Path) -> Iterator[Sample]:
    """The virtual phantom's two probes, small and full-sized."""
    made = {"curvilinear": probes.curvilinear, "linear": probes.linear}
    for name, size in itertools.product(made, ((160, 120), (640, 480))):
        path = folder / f"{name}_{size[0]}.igs.mha"
        words = ["--out", str(path), "--frames", "40", "--probe", name, "--size", f"{size[0]}x{size[1]}"]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            main(["phantom", *words])
        yield Sample(
            f"virtual phantom, {name} {size[0]}×{size[1]}", images_of(path), truth_of(made[name](), size)
        )


def truth_of(probe: probes.Probe, size_px: tuple[int, int]) -> FieldOfView:
    """The field of a probe's own images."""
    matrix = probe.image_geometry(*size_px).image_to_probe
    mm = matrix[0, 0]

    def pixel(x_mm: float, y_mm: float) -> tuple[float, float]:
        return (x_mm - matrix[0, 3]) / mm, (y_mm - matrix[1, 3]) / mm

    if not probe.radius_mm:
        (left, top), (right, bottom) = pixel(-probe.half_field, 0), pixel(probe.half_field, probe.depth_mm)
        return FieldOfView.trapezoid(size_px, ((left, top), (right, top), (right, bottom), (left, bottom)))
    radii = probe.radius_mm / mm, (probe.radius_mm + probe.depth_mm) / mm
    return FieldOfView.fan(size_px, pixel(0, -probe.radius_mm), radii, (-probe.half_field, probe.half_field))


def recorded_samples(folder: Path) -> Iterator[Sample]:
    for name in RECORDINGS:
        yield Sample(Path(name).name, images_of(folder / f"{name}.igs.mha"), None)


def images_of(path: Path) -> Images:
    sweep = read_sweep(path)
    return np.stack(list(spread_frames(sweep.frames, np.flatnonzero(sweep.image_valid))))


def corner_error_px(found: FieldOfView, truth: FieldOfView) -> float:
    return float(np.linalg.norm(np.subtract(found.corners_px, truth.corners_px), axis=1).max())


def row(sample: Sample, spoiled: str, truth: FieldOfView | None) -> FieldOfView:
    images = SPOILED[spoiled](sample.images)
    begun_s = time.perf_counter()
    found = find_field(images)
    seconds = time.perf_counter() - begun_s
    truth = truth or found
    inside, true = found.mask(), truth.mask()
    covered, beside = (inside & true).sum() / true.sum(), (inside & ~true).sum() / true.sum()
    print(
        f"| {sample.name} | {spoiled} | {found.shape} | {corner_error_px(found, truth):.1f} | {100 * covered:.1f} | "
        f"{100 * beside:.1f} | {seconds:.1f} |",
        flush=True,
    )
    return found


def run(folder: Path | None) -> None:
    print("| recording | images | found | corners off, px | true field covered, % | beside it, % | s |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        samples = itertools.chain(
            phantom_samples(Path(temporary)), recorded_samples(folder) if folder else ()
        )
        for sample in samples:
            clean = row(sample, "clean", sample.truth)
            for spoiled in list(SPOILED)[1:]:
                row(sample, spoiled, sample.truth or clean)


if __name__ == "__main__":
    run(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
