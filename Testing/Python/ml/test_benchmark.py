"""What is measured is what is said: ratios of known times, and images that agree."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from USGanSimLib.ml import benchmark
from USGanSimLib.model.recipes import choose_recipe


def variant(name, sleep_s, grey, naive="naive"):
    def run(pose):
        time.sleep(sleep_s)
        image = np.full((1, 4, 6), 100, np.uint8)
        image[0, 1, 2] = grey
        return image

    return benchmark.Variant(name, 1, run, naive)


def test_times_ratios_and_differences_are_those_of_the_variants():
    rows = benchmark.measure(
        [variant("naive", 0.02, 100), variant("ours", 0.005, 97)], np.eye(4)[None], rounds=5
    )
    naive, ours = rows
    assert ours["median_ms"] == pytest.approx(5, rel=0.5)
    assert ours["p95_ms"] >= ours["median_ms"]
    assert ours["ratio_to_naive"] == pytest.approx(4, rel=0.5)
    assert naive["ratio_to_naive"] == 1
    assert (naive["grey_levels_from_naive"], ours["grey_levels_from_naive"]) == (0, 3)
    assert (ours["width_px"], ours["height_px"]) == (6, 4)


def test_variants_take_turns_and_poses_go_round():
    calls = []
    poses = np.stack([np.eye(4) * factor for factor in (1, 2, 3)])

    def noted(name):
        def run(pose):
            calls.append((name, int(pose[0, 0])))
            return np.zeros((1, 1, 1), np.uint8)

        return benchmark.Variant(name, 1, run, "a")

    benchmark.measure([noted("a"), noted("b")], poses, rounds=5)
    assert calls[:6] == [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3), ("b", 3)]


def test_every_variant_agrees_with_the_naive_path_within_a_grey_level():
    generator, info = benchmark.untrained_model(choose_recipe("paper", generator_channels=32), 40, 32)
    chosen = benchmark.variants(generator, info, torch.device("cpu"))
    rows = benchmark.measure(chosen, info.pose_range.poses, rounds=1)
    assert {row["batch"] for row in rows} == {1, *benchmark.SAMPLES}
    assert [row["grey_levels_from_naive"] <= 1 for row in rows] == [True] * 7
    first, second = (chosen[1].run(info.pose_range.poses[index]) for index in (0, 1))
    assert first.std() > 10
    assert np.abs(first.astype(int) - second).max() > 10
