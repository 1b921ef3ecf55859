"""Time stamps that repeat, go back or jump are counted; a steady or a slowly changing rate is not."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.recording.stamps import StampWatch


def watch(stamps_s) -> StampWatch:
    watched = StampWatch()
    for stamp_s in stamps_s:
        watched.see(float(stamp_s))
    return watched


def counts(watched: StampWatch) -> tuple[int, int, int]:
    return watched.repeated, watched.backwards, watched.jumps


def test_a_steady_clock_is_fine():
    watched = watch(100 + np.arange(1000) / 30 + np.random.default_rng(0).normal(0, 0.003, 1000))
    assert counts(watched) == (0, 0, 0)
    assert watched.sentences() == []
    assert watched.usual_step_s == pytest.approx(1 / 30, rel=0.05)


def test_everything_odd_is_counted_and_said():
    stamps_s = list(np.arange(100) / 50)
    stamps_s[10] = stamps_s[9]
    stamps_s[20] = stamps_s[18]
    stamps_s[60:] = [stamp_s + 3 for stamp_s in stamps_s[60:]]
    watched = watch(stamps_s)
    assert counts(watched) == (1, 1, 1)
    assert watched.sentences() == [
        "1 time stamps repeat the one before.",
        "1 time stamps are earlier than the one before.",
        "1 time stamps jump (longest step 3.02 s, usual 0.020 s).",
    ]


def test_a_gap_of_a_few_frames_at_a_high_rate_is_no_jump():
    assert counts(watch([0, 0.01, 0.02, 0.03, 0.16, 0.17])) == (0, 0, 0)


def test_a_slow_camera_is_no_row_of_jumps():
    assert counts(watch(np.arange(20) * 0.5)) == (0, 0, 0)
