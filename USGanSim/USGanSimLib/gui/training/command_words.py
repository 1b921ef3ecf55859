"""The commands that the tabs run, as words, from the parameter node; no Qt and no Slicer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import UserError
from ...model.recipes import RECIPES
from ...recording.session import SESSION_FILE

# Channels of generator and discriminator; None leaves the recipe's.
WIDTHS: dict[str, tuple[int, int] | None] = {
    "full": None,
    "half": (256, 16),
    "quarter": (128, 8),
    "small": (64, 8),
}
SIZES = ("160x120", "80x60", "320x240")
DEVICES = ("auto", "cpu", "cuda", "mps")
REAL_OR_SIMULATED, LANDMARKS = "real-or-simulated", "landmarks"
STUDIES = (REAL_OR_SIMULATED, LANDMARKS)


def listed(text: str) -> list[Path]:
    """The paths in a text with one on each line."""
    return [Path(line.strip()) for line in text.splitlines() if line.strip()]


def with_added(text: str, paths: list[Path]) -> str:
    """The text with more paths, none twice."""
    return "\n".join(map(str, dict.fromkeys([*listed(text), *paths])))


def has_calibration(parameters: Any) -> bool:
    """Whether one is chosen, or can come from a session."""
    return bool(parameters.dataCalibration.name) or any(
        (path / SESSION_FILE).is_file() for path in listed(parameters.dataRecordings)
    )


def prepare_words(parameters: Any, look: Path | None = None) -> list[str]:
    """`prepare`, or with `look` the look at what it would make, drawn to that file."""
    target = ["--look", str(look)] if look else ["--out", str(parameters.dataFolder)]
    return [
        "prepare",
        *map(str, listed(parameters.dataRecordings)),
        *target,
        *(["--calibration", str(parameters.dataCalibration)] if parameters.dataCalibration.name else []),
        # A value that begins with a minus would be read as an option.
        f"--lag-s={parameters.dataLagS:g}",
        "--split",
        parameters.dataSplit,
        "--holdout",
        f"{parameters.dataHoldoutPercent / 100:g}",
        "--blocks",
        str(parameters.dataBlocks),
        "--exclusion-mm",
        f"{parameters.dataExclusionMm:g}",
        "--size",
        parameters.dataSize,
    ]


def train_words(parameters: Any, resume: bool = False, dataset: Path | None = None) -> list[str]:
    """`train`, or its continuation; what a run began with cannot change, `dataset` is then that of the run."""
    limit = ["--minutes", f"{parameters.trainMinutes:g}"] if parameters.trainMinutes else []
    words = [
        "train",
        str(dataset or parameters.trainDataset),
        "--out",
        str(parameters.trainRun),
        "--iterations",
        str(parameters.trainIterations),
        "--device",
        parameters.trainDevice,
        *limit,
    ]
    if resume:
        return [*words, "--resume"]
    channels = WIDTHS[parameters.trainWidth] if can_be_narrower(parameters.trainRecipe) else None
    of_recipe = (
        ["--generator-channels", str(channels[0]), "--discriminator-channels", str(channels[1])]
        if channels
        else []
    )
    batch = ["--batch", str(parameters.trainBatch)] if parameters.trainBatch else []
    return [*words, "--recipe", parameters.trainRecipe, *batch, *of_recipe]


def pace_words(parameters: Any) -> list[str]:
    """`train --pace`: the same training, of which some iterations are timed. How long it shall be changes nothing."""
    begun = train_words(parameters)
    begin = begun.index("--iterations")
    words = [*begun[:2], *begun[begin + 2 :], "--pace"]
    if "--minutes" in words:
        place = words.index("--minutes")
        del words[place : place + 2]
    return words


def can_be_narrower(recipe: str) -> bool:
    """Whether a recipe's channels can be chosen: whether it is wider than every choice."""
    return RECIPES[recipe].shape.generator_channels > max(
        channels[0] for channels in WIDTHS.values() if channels
    )


def evaluate_words(parameters: Any) -> list[str]:
    """`evaluate`."""
    observer = (
        ["--observer", str(parameters.evaluateObserver), "--landmarks", str(parameters.evaluateLandmarks)]
        if parameters.evaluateObserver.name
        else []
    )
    return [
        "evaluate",
        *map(str, listed(parameters.evaluateModels)),
        "--dataset",
        str(parameters.evaluateDataset),
        "--out",
        str(parameters.evaluateFolder),
        *observer,
        *(["--classifier"] if parameters.evaluateClassifier else []),
    ]


def study_key(folder: Path) -> Path:
    """Where the key of a study is written: beside its folder, out of the reader's sight."""
    return folder.with_name(f"{folder.name}.key.json")


def study_result(folder: Path) -> Path:
    """Where the score of a study is written."""
    return folder.with_name(f"{folder.name}.result.json")


def make_study_words(parameters: Any) -> list[str]:
    """`study make`."""
    landmarks = (
        ["--landmarks", str(parameters.evaluateLandmarks)] if parameters.studyKind == LANDMARKS else []
    )
    return [
        "study",
        "make",
        parameters.studyKind,
        str(listed(parameters.evaluateModels)[0]),
        "--dataset",
        str(parameters.evaluateDataset),
        "--out",
        str(parameters.studyFolder),
        "--key",
        str(study_key(parameters.studyFolder)),
        "--count",
        str(parameters.studyCount),
        "--sigma-mm",
        parameters.studyBlurMm,
        *landmarks,
    ]


def study_size(kind: str, count: int, blur_mm: str) -> int:
    """How many pictures a study will have at most. Raises UserError where the blur is no list of numbers."""
    if kind == LANDMARKS:
        return 2 * count
    try:
        sigmas_mm = {float(word) for word in blur_mm.split(",")}
    except ValueError as error:
        raise UserError(
            f"The blur “{blur_mm}” is no list of numbers.",
            "Write SDs in mm with commas between them, such as 1,0.5,0.",
        ) from error
    return 2 * count * len(sigmas_mm)


def score_study_words(folder: Path) -> list[str]:
    """`study score`; the result is written beside the key."""
    return [
        "study",
        "score",
        str(folder),
        "--key",
        str(study_key(folder)),
        "--out",
        str(study_result(folder)),
    ]
