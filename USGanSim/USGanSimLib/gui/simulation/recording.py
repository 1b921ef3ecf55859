"""Records the simulated stream, and takes snapshots."""

from __future__ import annotations

from ..section import Section


class RecordingSection(Section):
    """Records the simulated stream, and takes snapshots."""

    ui_file = "USGanSimRecording.ui"
