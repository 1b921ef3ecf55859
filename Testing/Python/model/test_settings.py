"""Numbers that cannot be are refused in one line, with the number and what to give."""

from __future__ import annotations

import math

import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.model.network_settings import NetworkSettings, NetworkShape
from USGanSimLib.model.ranges import Range
from USGanSimLib.model.recipes import choose_recipe
from USGanSimLib.model.settings import TrainSettings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"iterations": 0}, "--iterations is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**64}, "seed is 18446744073709551616"),
        ({"ema_decay": 1.0}, "EMA decay is 1.0"),
        ({"ema_decay": -0.1}, "EMA decay is -0.1"),
        ({"ema_decay": math.nan}, "EMA decay is nan"),
        ({"precision": "fp8"}, "no precision 'fp8'"),
        ({"checkpoint_every": 0}, "--checkpoint-every is 0"),
        ({"sample_every": -3}, "--sample-every is -3"),
        ({"threads": 0}, "--threads is 0"),
        ({"threads": -2}, "--threads is -2"),
        ({"minutes": 0.0}, "--minutes is 0.0. Give more than 0"),
        ({"minutes": -1.0}, "--minutes is -1"),
        ({"minutes": math.nan}, "--minutes is nan"),
        ({"minutes": math.inf}, "--minutes is inf"),
    ],
)
def test_settings_out_of_range_are_refused_with_the_number(changes, words):
    with pytest.raises(UserError, match=words) as caught:
        TrainSettings(**changes)
    assert "\n" not in str(caught.value)


def test_settings_at_the_ends_of_their_ranges_are_taken():
    TrainSettings(iterations=1, seed=2**63 - 1, ema_decay=0.0, threads=1, minutes=1e-3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"generator_channels": 0}, "generator channels 0 cannot be built. Give 1 to 4096"),
        ({"generator_channels": -32}, "generator channels -32"),
        ({"generator_channels": 48}, "48 generator channels cannot be halved 5 times. Use a multiple of 32"),
        ({"discriminator_channels": 0}, "discriminator channels 0"),
        ({"noise_size": 0}, "noise size 0"),
        ({"up_layers": 0}, "up layers 0"),
        ({"down_layers": -1}, "down layers -1"),
    ],
)
def test_networks_that_cannot_be_built_are_refused_by_shape_settings_and_recipe(changes, words):
    for build in (NetworkShape, NetworkSettings, lambda **numbers: choose_recipe("paper", **numbers)):
        with pytest.raises(UserError, match=words):
            build(**changes)


def test_an_image_too_small_for_the_layers_is_refused():
    with pytest.raises(UserError, match="16×64 px is too small for 5 up- and 4 down-sampling layers"):
        NetworkSettings(16, 64)


def test_network_settings_keep_their_names_in_model_files():
    names = [
        "width_px",
        "height_px",
        "noise_size",
        "up_layers",
        "generator_channels",
        "down_layers",
        "discriminator_channels",
    ]
    settings = choose_recipe("paper").network(160, 120)
    assert sorted(settings.as_dict()) == sorted(names)
    assert NetworkSettings.from_dict(settings.as_dict()) == settings


@pytest.mark.parametrize("changes", [{"dreams": 3}, {"up_layers": "many"}])
def test_network_settings_of_a_version_to_come_are_refused_in_a_sentence(changes):
    with pytest.raises(UserError, match="not understood.*newer version"):
        NetworkSettings.from_dict({**choose_recipe("paper").network(160, 120).as_dict(), **changes})


@pytest.mark.parametrize(
    ("allowed", "inside", "outside", "words"),
    [
        (Range(1), [1, 10**9], [0, -1, math.nan, math.inf], "1 or more"),
        (Range(0, above=True), [1e-9, 3], [0, -1, math.nan], "more than 0"),
        (Range(0, below=1), [0, 0.999], [1, -0.1, math.nan], "0 or more, and less than 1"),
    ],
)
def test_a_range_holds_what_its_words_say(allowed, inside, outside, words):
    assert all(number in allowed for number in inside)
    assert not any(number in allowed for number in outside)
    assert str(allowed) == words
