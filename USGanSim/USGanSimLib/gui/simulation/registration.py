"""Simulates at sets of poses, with their truth."""

from __future__ import annotations

from ..section import Section


class RegistrationSection(Section):
    """Simulates at sets of poses, with their truth."""

    ui_file = "USGanSimRegistration.ui"
