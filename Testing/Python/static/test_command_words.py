"""What the tabs run is what the commands understand, with every choice in it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from USGanSimLib import cli
from USGanSimLib.gui.training import command_words
from USGanSimLib.model.recipes import RECIPES, choose_recipe
from USGanSimLib.recording.session import create_session

PARAMETERS = SimpleNamespace(
    dataRecordings="/a b/one.igs.mha\n/two.igs.mha\n",
    dataCalibration=Path("/cal.json"),
    dataLagS=-0.0125,
    dataSplit="sweeps",
    dataHoldoutPercent=30.0,
    dataBlocks=3,
    dataExclusionMm=1.5,
    dataSize="80x60",
    dataFolder=Path("/set"),
    trainDataset=Path("/set"),
    trainRun=Path("/my run"),
    trainRecipe="paper-l2",
    trainIterations=123,
    trainMinutes=1.5,
    trainDevice="cpu",
    trainWidth="quarter",
    trainBatch=8,
    evaluateDataset=Path("/set"),
    evaluateModels="/run/model.safetensors",
    evaluateObserver=Path("/observer.safetensors"),
    evaluateLandmarks=Path("/landmarks.json"),
    evaluateClassifier=True,
    evaluateFolder=Path("/report"),
    studyKind="landmarks",
    studyCount=7,
    studyBlurMm="1,0",
    studyFolder=Path("/data/study"),
)


def understood(words):
    return cli._parser(words).parse_args(words)


def changed(**changes):
    return SimpleNamespace(**{**vars(PARAMETERS), **changes})


def test_prepare_is_told_every_choice():
    given = understood(command_words.prepare_words(PARAMETERS))
    assert given.recording == [Path("/a b/one.igs.mha"), Path("/two.igs.mha")]
    assert (given.calibration, given.out, given.look) == (Path("/cal.json"), Path("/set"), None)
    assert float(given.lag_s) == pytest.approx(-0.0125)
    assert (given.split, given.holdout, given.blocks) == ("sweeps", 0.3, 3)
    assert (given.exclusion_mm, given.size) == (1.5, (80, 60))


def test_the_look_writes_a_picture_alone():
    given = understood(command_words.prepare_words(PARAMETERS, look=Path("/look.png")))
    assert (given.out, given.look) == (None, Path("/look.png"))


def test_train_is_told_every_choice():
    given = understood(command_words.train_words(PARAMETERS))
    assert (given.dataset, given.out, given.recipe, given.iterations) == (
        Path("/set"),
        Path("/my run"),
        "paper-l2",
        123,
    )
    assert (given.minutes, given.device, given.batch, given.resume) == (1.5, "cpu", 8, False)
    assert (given.generator_channels, given.discriminator_channels) == command_words.WIDTHS["quarter"]


def test_without_a_limit_and_at_full_width_nothing_is_said_of_either():
    given = understood(command_words.train_words(changed(trainMinutes=0.0, trainWidth="full")))
    assert (given.minutes, given.generator_channels, given.discriminator_channels) == (None, None, None)


def test_the_recipe_s_own_batch_is_not_said_and_the_narrow_recipe_is_made_no_wider():
    given = understood(command_words.train_words(changed(trainBatch=0, trainRecipe="beams")))
    assert (given.recipe, given.batch, given.generator_channels) == ("beams", None, None)


def test_resuming_keeps_what_a_run_began_with():
    given = understood(command_words.train_words(PARAMETERS, resume=True, dataset=Path("/first")))
    assert (given.resume, given.dataset, given.recipe, given.batch, given.generator_channels) == (
        True,
        Path("/first"),
        None,
        None,
        None,
    )
    assert given.iterations == 123


def test_every_width_can_be_built_by_every_recipe():
    for name in RECIPES:
        for channels in filter(None, command_words.WIDTHS.values()):
            choose_recipe(name, generator_channels=channels[0], discriminator_channels=channels[1]).network(
                80, 60
            )


def test_evaluate_is_told_every_choice():
    given = understood(command_words.evaluate_words(PARAMETERS))
    assert (given.model, given.dataset, given.out) == (
        [Path("/run/model.safetensors")],
        Path("/set"),
        Path("/report"),
    )
    assert (given.observer, given.landmarks, given.classifier) == (
        Path("/observer.safetensors"),
        Path("/landmarks.json"),
        True,
    )
    plain = understood(
        command_words.evaluate_words(changed(evaluateObserver=Path(), evaluateClassifier=False))
    )
    assert (plain.observer, plain.landmarks, plain.classifier) == (None, None, False)


def test_a_study_has_its_key_beside_its_folder():
    made = understood(command_words.make_study_words(PARAMETERS))
    assert (made.kind, made.model, made.count, made.sigma_mm, made.landmarks) == (
        "landmarks",
        Path("/run/model.safetensors"),
        7,
        "1,0",
        Path("/landmarks.json"),
    )
    assert made.key == Path("/data/study.key.json")
    scored = understood(command_words.score_study_words(Path("/data/study")))
    assert (scored.study, scored.key, scored.answers) == (Path("/data/study"), made.key, None)


def test_a_session_brings_its_calibration(tmp_path):
    without = changed(dataCalibration=Path(), dataRecordings=str(tmp_path / "one.igs.mha"))
    assert not command_words.has_calibration(without)
    create_session(tmp_path / "session")
    assert command_words.has_calibration(
        changed(dataCalibration=Path(), dataRecordings=str(tmp_path / "session"))
    )


def test_a_path_is_listed_once():
    text = command_words.with_added("/a\n/b", [Path("/b"), Path("/c")])
    assert text == "/a\n/b\n/c"
    assert command_words.listed(text + "\n\n") == [Path("/a"), Path("/b"), Path("/c")]
