"""The live path without torch and without Slicer: what a renderer is, how its noise changes, the states of a pose, and
who counts what.

Poses arrive whenever the tracker sends them; images are made one at a time. `PoseQueue` keeps the newest pose alone
and counts the ones that a newer pose replaced, so that every pose is accounted for: received = rendered + superseded
+ unusable + waiting.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .errors import UserError
from .geometry.pose_distance import PoseRange
from .geometry.transforms import Matrix

STALE_AFTER_S = 0.5
SHORTEST_HALF_LIFE_S, LONGEST_HALF_LIFE_S = 0.1, 60.0

Pose = TypeVar("Pose")


class Renderer(Protocol):
    """Turns the pose of an image into the image."""

    @property
    def width_px(self) -> int: ...

    @property
    def height_px(self) -> int: ...

    @property
    def image_to_probe(self) -> Matrix:
        """(4, 4), pixels of this renderer's image to probe millimetres."""
        ...

    @property
    def pose_range(self) -> PoseRange:
        """The poses that the model was trained on."""
        ...

    def render(self, image_to_reference: Matrix) -> NDArray[np.uint8]:
        """(4, 4) ImageToReference of this renderer's pixels → (height_px, width_px) uint8."""
        ...


class SamplingRenderer(Renderer, Protocol):
    """A renderer whose images start from a noise, which stands until it is told to change: every pose has many images.
    `ml.renderer.ModelRenderer` is the real one."""

    def resample(self) -> None:
        """Draw new noise: the next images are others."""
        ...

    def drift(self, step: float) -> None:
        """Move the noise a little, so that its correlation with what it was is √(1 − step²); step from 0 to 1."""
        ...

    def sample(self, image_to_reference: Matrix, n: int, seed: int = 0) -> NDArray[np.uint8]:
        """n images (n, height_px, width_px) uint8 of one pose (4, 4), the same for the same seed; the noise that stands
        is left alone."""
        ...


class Variation(enum.Enum):
    """What happens to the noise before an image is made."""

    FIXED = "fixed"
    RESAMPLED = "new sample for each image"
    DRIFTING = "drifting"

    def change(self, renderer: SamplingRenderer, elapsed_s: float, half_life_s: float) -> bool:
        """Change the noise of a renderer, `elapsed_s` after the last time. Whether it did.

        A drift loses half of its likeness to where it was within `half_life_s`, at any rate of images.
        """
        if self is Variation.FIXED:
            return False
        if self is Variation.RESAMPLED:
            renderer.resample()
        else:
            renderer.drift(drift_step(elapsed_s, half_life_s))
        return True


def drift_step(elapsed_s: float, half_life_s: float) -> float:
    """The step of `SamplingRenderer.drift` after which the noise's correlation with itself `elapsed_s` ago is
    0.5^(elapsed_s / half_life_s). Raises UserError for a half-life out of range."""
    if not SHORTEST_HALF_LIFE_S <= half_life_s <= LONGEST_HALF_LIFE_S:
        raise UserError(
            f"Noise cannot drift with a half-life of {half_life_s:g} s.",
            f"Give {SHORTEST_HALF_LIFE_S:g} to {LONGEST_HALF_LIFE_S:g} s.",
        )
    # One step leaves the correlation √(1 − step²).
    return math.sqrt(1 - 0.25 ** (max(elapsed_s, 0.0) / half_life_s))


class PoseState(enum.Enum):
    """What a person must be told about the pose behind the image on the screen."""

    STOPPED = "stopped"
    NO_MODEL = "no model"
    NO_POSE = "no pose yet"
    INVALID = "tracking lost"
    STALE = "pose is stale"
    OUT_OF_RANGE = "outside the trained range"
    FROZEN = "frozen"
    GOOD = "live"

    @property
    def is_live(self) -> bool:
        """Whether the image on the screen belongs to the probe's pose of this moment, or to one held on purpose."""
        return self in (PoseState.GOOD, PoseState.OUT_OF_RANGE, PoseState.FROZEN)


@dataclass(frozen=True)
class LiveStatus:
    """A state and what there is to say about it: the reason, the age, or the distance to the trained poses."""

    state: PoseState
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.state.value}: {self.detail}" if self.detail else self.state.value

    @classmethod
    def of_range(cls, pose_range: PoseRange, image_to_reference: Matrix) -> LiveStatus:
        """GOOD, or OUT_OF_RANGE with the distance to the nearest trained pose."""
        if pose_range.covers(image_to_reference):
            return _GOOD
        nearest = pose_range.nearest(image_to_reference)
        return cls(
            PoseState.OUT_OF_RANGE,
            f"{nearest.centre_mm:.0f} mm and {nearest.angle_deg:.0f}° from the nearest trained pose",
        )


_GOOD = LiveStatus(PoseState.GOOD)


@dataclass(frozen=True)
class PoseCounts:
    """Where the received poses went. `refreshed` images were made without a new pose and are not among them."""

    received: int = 0
    rendered: int = 0
    superseded: int = 0
    unusable: int = 0
    waiting: int = 0
    refreshed: int = 0

    @property
    def accounted_for(self) -> bool:
        """Whether every received pose has gone somewhere."""
        return self.received == self.rendered + self.superseded + self.unusable + self.waiting

    def as_dict(self) -> dict[str, int]:
        return dataclasses.asdict(self)


class PoseQueue(Generic[Pose]):
    """Holds the newest pose with its time of arrival, and counts what became of every pose. Used from one thread."""

    def __init__(self) -> None:
        self._waiting: tuple[Pose, float] | None = None
        self._received = self._rendered = self._superseded = self._unusable = self._refreshed = 0

    def put(self, pose: Pose, at_s: float) -> None:
        """A pose arrived at `at_s`; it replaces one that still waits."""
        self._received += 1
        if self._waiting is not None:
            self._superseded += 1
        self._waiting = (pose, at_s)

    def take(self) -> tuple[Pose, float] | None:
        """The newest pose and its time of arrival, or None. The taker must say `count_rendered` or `count_unusable`."""
        taken, self._waiting = self._waiting, None
        return taken

    def count_rendered(self) -> None:
        """The pose last taken became an image."""
        self._rendered += 1

    def count_unusable(self) -> None:
        """The pose last taken could not become an image."""
        self._unusable += 1

    def count_refreshed(self) -> None:
        """An image was made although no new pose had arrived."""
        self._refreshed += 1

    @property
    def counts(self) -> PoseCounts:
        return PoseCounts(
            self._received,
            self._rendered,
            self._superseded,
            self._unusable,
            int(self._waiting is not None),
            self._refreshed,
        )


@dataclass(frozen=True)
class Spread:
    """Median and 95th percentile of `count` durations, in milliseconds. Both are NaN when there are none."""

    count: int
    median_ms: float
    p95_ms: float

    @classmethod
    def of_seconds(cls, seconds: NDArray[np.float64]) -> Spread:
        if len(seconds) == 0:
            return cls(0, float("nan"), float("nan"))
        median, p95 = np.percentile(seconds, (50, 95)) * 1e3
        return cls(len(seconds), float(median), float(p95))

    def __str__(self) -> str:
        return f"median {self.median_ms:.2f} ms, 95 % below {self.p95_ms:.2f} ms"


@dataclass(frozen=True)
class LatencyReport:
    """The latest images: how old the pose was when rendering began, how long rendering and writing took, and their
    sum (from the pose's arrival to the finished volume). `rate_hz` is images per second over the same stretch."""

    pose_age: Spread
    render: Spread
    write: Spread
    total: Spread
    rate_hz: float

    def as_dict(self) -> dict[str, float]:
        """Flat, with units in the names, for JSON."""
        spreads = {"pose_age": self.pose_age, "render": self.render, "write": self.write, "total": self.total}
        figures = {
            f"{name}_{key}": value
            for name, spread in spreads.items()
            for key, value in (("median_ms", spread.median_ms), ("p95_ms", spread.p95_ms))
        }
        return {**figures, "rate_hz": self.rate_hz}


class LatencyLog:
    """The moments of the latest `length` images, all on one monotonic clock."""

    def __init__(self, length: int = 600) -> None:
        self._moments: deque[tuple[float, float, float, float]] = deque(maxlen=length)

    def add(self, arrived_s: float, began_s: float, rendered_s: float, written_s: float) -> None:
        """One image: its pose arrived, rendering began and ended, the volume was written."""
        self._moments.append((arrived_s, began_s, rendered_s, written_s))

    def clear(self) -> None:
        self._moments.clear()

    def report(self) -> LatencyReport:
        """Statistics of what is in the log."""
        moments = np.array(self._moments, dtype=np.float64).reshape(-1, 4)
        steps = np.diff(moments, axis=1)
        written = moments[:, 3]
        rate_hz = (len(written) - 1) / (written[-1] - written[0]) if len(written) > 1 else float("nan")
        return LatencyReport(
            Spread.of_seconds(steps[:, 0]),
            Spread.of_seconds(steps[:, 1]),
            Spread.of_seconds(steps[:, 2]),
            Spread.of_seconds(moments[:, 3] - moments[:, 0]),
            float(rate_hz),
        )


@dataclass
class ImageTiming:
    """The moments of one image, in seconds of the meter's clock. `arrived_s` of its pose is None for an image that is
    made without a new one."""

    arrived_s: float | None
    began_s: float
    rendered_s: float = math.nan


class LiveMeter(Generic[Pose]):
    """What a live simulation knows of itself: the poses that arrive, the images made of them, and the state to tell.

    Whoever follows a probe holds one, and calls `received` when a pose comes, `queue.take` for the newest, and `begin`,
    `rendered` and `finish` around its image. Used from one thread, or under a lock.

    status  what a person must be told
    queue   the newest pose, and what became of the others
    """

    def __init__(
        self, status: LiveStatus, stale_after_s: float, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """A pose older than `stale_after_s` does not pass for the probe's; inf where a hand moves it."""
        self.status = status
        self._stale_after_s, self._clock = stale_after_s, clock
        self.restart()

    def restart(self) -> None:
        """Counts and statistics begin anew; no pose has come."""
        self.queue: PoseQueue[Pose] = PoseQueue()
        self._log = LatencyLog()
        self.forget_pose()

    def forget_pose(self) -> None:
        """Who sends poses is another one: none has come of it yet."""
        self._arrived_s: float | None = None

    @property
    def counts(self) -> PoseCounts:
        """What became of every pose."""
        return self.queue.counts

    @property
    def latency(self) -> LatencyReport:
        """Statistics of the latest images."""
        return self._log.report()

    @property
    def age_s(self) -> float | None:
        """Since the newest pose came; None where none has."""
        return None if self._arrived_s is None else self._clock() - self._arrived_s

    def stale(self, why: str = "") -> LiveStatus | None:
        """The state STALE where the newest pose is too old to pass for the probe's, otherwise None."""
        age_s = self.age_s
        if age_s is None or age_s <= self._stale_after_s:
            return None
        words = f"no new one for more than {self._stale_after_s:g} s"
        return LiveStatus(PoseState.STALE, f"{words}; {why}" if why else words)

    def received(self, pose: Pose, at_s: float) -> None:
        """A pose came."""
        self._arrived_s = at_s
        self.queue.put(pose, at_s)

    def begin(self, arrived_s: float | None) -> ImageTiming:
        """Rendering begins, at the pose that came then."""
        return ImageTiming(arrived_s, self._clock())

    def rendered(self, timing: ImageTiming) -> None:
        """The image is there; writing it begins."""
        timing.rendered_s = self._clock()

    def finish(self, timing: ImageTiming, status: LiveStatus) -> None:
        """The image is written, and this is the state now."""
        self.status = status
        if timing.arrived_s is None:
            self.queue.count_refreshed()
        else:
            self.queue.count_rendered()
            self._log.add(timing.arrived_s, timing.began_s, timing.rendered_s, self._clock())
