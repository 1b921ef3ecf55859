"""The folder of a training run: where its files are, and the metrics file.

config.json         the whole configuration
metrics.csv         one line an iteration
samples/            sample panels, PNG
checkpoint.pt       to go on from
model.safetensors   the result
STOP                made by whoever wants the run to save and end
LOCK                held by the process that trains, while it does
progress.jsonl      what that process said, where a panel started it
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from ..errors import UserError
from ..files import disk_error, replacing_file
from ..locking import holding, is_held
from ..progress import StopFile


class RunFolder:
    """Paths of a run's files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.json"
        self.metrics = path / "metrics.csv"
        self.samples = path / "samples"
        self.checkpoint = path / "checkpoint.pt"
        self.model = path / "model.safetensors"
        self.log = path / "progress.jsonl"
        self.stop_file = StopFile(path)
        self._lock = path / "LOCK"

    @property
    def is_training(self) -> bool:
        """Whether a process trains here."""
        return is_held(self._lock)

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """For the time of the block nobody else may train here. Raises UserError where somebody does."""
        self._make(self.path)
        try:
            with holding(self._lock) as held:
                if not held:
                    raise UserError(
                        f"{self.path} is being trained already.", "Wait, stop it, or choose another --out."
                    )
                yield
        finally:
            with contextlib.suppress(
                OSError
            ):  # A run that was refused leaves no folder; one with files stays.
                self.path.rmdir()

    def require_new(self) -> None:
        """Raise UserError where a new run would spoil what is there."""
        if self.checkpoint.exists():
            raise UserError(
                f"{self.path} already holds a run with a checkpoint.",
                "Go on with it by --resume, or choose another --out.",
            )
        if self.path.exists() and not self.path.is_dir():
            raise UserError(
                f"{self.path} is a file; a folder is to be written there.", "Choose another --out."
            )
        others = self.path.is_dir() and {*self.path.iterdir()} - {self.log, self._lock}
        if others and not self.config.is_file():
            raise UserError(
                f"{self.path} holds other files (no {self.config.name} in it).",
                "Choose another --out, or an empty folder.",
            )

    def create(self) -> None:
        """Make the folders and take an old request to stop away."""
        self._make(self.samples)
        self.stop_file.clear()

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(error, self.path) from error


class MetricsFile:
    """`metrics.csv`: a header, then one line an iteration, each on the disk before the next begins."""

    def __init__(self, path: Path, names: Sequence[str], after_step: int) -> None:
        """Begin after `after_step`: lines of later steps, which a killed run left behind, are dropped."""
        self._path, self._names = path, ["step", *names]
        kept = _lines_until(path, after_step, len(self._names)) if after_step else []
        self._stream: TextIO | None = None
        with replacing_file(path) as part:
            part.write_text("\n".join([",".join(self._names), *kept]) + "\n", encoding="utf-8")

    def append(self, step: int, values: Mapping[str, float]) -> None:
        """Add the line of one iteration. Raises UserError where the disk is full."""
        # Nine digits carry a 32-bit number exactly. What an iteration does not have is left empty.
        numbers = [f"{values[name]:.9g}" if name in values else "" for name in self._names[1:]]
        try:
            if self._stream is None:
                # Buffered by the line: whoever reads the file meanwhile, or after a kill, finds whole ones.
                self._stream = self._path.open("a", buffering=1, encoding="utf-8")
            self._stream.write(",".join([str(step), *numbers]) + "\n")
        except OSError as error:
            raise disk_error(error, self._path) from error

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        if self._stream is not None:
            with contextlib.suppress(OSError):  # A line that found no place was told of by `append`.
                self._stream.close()
            self._stream = None


def _lines_until(path: Path, last_step: int, fields: int) -> list[str]:
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    # A line that was cut short belongs to a step after the checkpoint: lines are written before it.
    return [
        line
        for line in text.splitlines()[1:]
        if line.count(",") == fields - 1
        and (step := line.split(",")[0]).isdecimal()
        and int(step) <= last_step
    ]
