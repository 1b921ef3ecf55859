"""The mock probe in the scene, moved by sliders and by its handle."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import slicer
import slicer.util
from slicer.i18n import tr as _

from ....errors import UserError
from ....geometry.image_frame import Offset
from ....model.info import ModelInfo
from ....mrml.live.mock_probe import MockProbe, mock_node
from ...choices import MockMotion
from ...panel import Section

# Parameter → number of an Offset, and how far its slider goes to both sides.
_OFFSETS = {
    "mockAcrossMm": ("across_mm", 100),
    "mockDepthMm": ("depth_mm", 100),
    "mockOutMm": ("out_mm", 100),
    "mockTiltDeg": ("tilt_deg", 89),
    "mockRockDeg": ("rock_deg", 180),
    "mockTurnDeg": ("turn_deg", 180),
}
_SLIDERS = ("acrossSlider", "depthSlider", "outSlider", "tiltSlider", "rockSlider", "turnSlider")


class MockHand:
    """Keeps the scene's mock probe, its handle and its sliders together. `mock` is None while there is none."""

    def __init__(self, section: Section) -> None:
        self._section, self.ui = section, section.ui
        self.mock: MockProbe | None = None
        self._offset = Offset()  # what the sliders show
        self._following = False  # the sliders follow the probe, or the probe them
        self._motion_shown: MockMotion | None = None
        section.on_press("resetButton", self._on_reset)

    @property
    def parameters(self) -> Any:
        return self._section.parameters

    @property
    def info(self) -> ModelInfo | None:
        """The chosen model's."""
        info: ModelInfo | None = self._section.logic.modelInfo(self.parameters.modelFile)
        return info

    def require_model(self) -> ModelInfo:
        """The chosen model's. Raises UserError where there is none."""
        info = self.info
        if info is None:
            raise UserError(
                _("A mock probe stands at the poses that a model was trained on."), _("Choose a model first.")
            )
        return info

    def show(self, info: ModelInfo | None) -> None:
        """Follow the parameters: motion, handle, sliders."""
        motion = self.parameters.mockMotion
        self._attach(info)
        if motion is not self._motion_shown:
            self._motion_shown = motion
            self._take_over(motion)
        if self.mock is not None:
            self.mock.show_handle(self.parameters.mockHandle and motion is MockMotion.HAND)
        self._apply_sliders(motion)
        self._section.enable(
            "resetButton",
            "" if self.mock is not None else _("Press Use a mock probe first"),
            _("Put the probe to the trained pose that is nearest"),
        )
        for name in _SLIDERS:
            getattr(self.ui, name).enabled = self.mock is not None

    def make(self, info: ModelInfo) -> MockProbe:
        """The scene's mock probe, a new one where it has none, at the poses of a model."""
        self.let_go()
        calibrated = self._section.logic.imageToProbe(self.parameters)
        self.mock = MockProbe.of_scene(
            slicer.mrmlScene,
            info.pose_range,
            info.geometry.image_to_probe if calibrated is None else calibrated,
            self.parameters.reference,
            info.face_px,
        )
        event = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        self._section.addObserver(self.mock.node, event, self._on_moved)
        self._read_offset()
        return self.mock

    @property
    def in_use(self) -> bool:
        """Whether the mock probe is the panel's probe already."""
        return (
            self.mock is not None and self.parameters.probe is self.mock.node and self.parameters.movedByHand
        )

    def let_go(self) -> None:
        """Follow no node."""
        self._section.removeObservers(self._on_moved)
        self.mock = None

    def use(self, node: Any) -> None:
        """Make a node the panel's probe; one that may stand still."""
        parameters, logic = self.parameters, self._section.logic
        changed = parameters.probe is not node or not parameters.movedByHand
        with slicer.util.NodeModify(parameters.parameterNode):
            parameters.probe = node
            parameters.movedByHand = True
        if changed and logic.simulation.live.running:
            logic.start(parameters)

    def _attach(self, info: ModelInfo | None) -> None:
        """Follow the scene's mock probe, if it has one, with the model and the reference that are chosen."""
        if self.mock is not None and not (self.mock.in_scene and self.mock.fits(info)):
            self.let_go()
        if self.mock is not None:
            self.mock.hang_under(self.parameters.reference)
        if self.mock is None and info is not None and mock_node(slicer.mrmlScene) is not None:
            self.make(info)

    def _on_moved(self, _caller: Any, _event: str) -> None:
        """The probe was moved: by a handle, or from here."""
        by_hand = self.parameters is not None and self.parameters.mockMotion is MockMotion.HAND
        if by_hand and not self._following:
            self._section.troubles.attempt(_("The sliders do not follow the probe"), self._read_offset)

    def _take_over(self, motion: MockMotion) -> None:
        """The hand goes on where the path left the probe."""
        if motion is MockMotion.HAND and self.mock is not None:
            self.mock.rebase()
            self._read_offset()

    def _read_offset(self) -> None:
        """Let the sliders show where the probe is."""
        if self.mock is None or self.parameters is None:
            return
        with self._leading():
            offset = self.mock.offset.as_dict()
            with slicer.util.NodeModify(self.parameters.parameterNode):
                for parameter, (name, most) in _OFFSETS.items():
                    setattr(self.parameters, parameter, min(max(offset[name], -most), most))
            self._offset = self._wanted()

    @contextlib.contextmanager
    def _leading(self) -> Iterator[None]:
        """While one side of probe and sliders moves the other, the other does not move it back."""
        self._following = True
        try:
            yield
        finally:
            self._following = False

    def _wanted(self) -> Offset:
        return Offset(
            **{name: getattr(self.parameters, parameter) for parameter, (name, _most) in _OFFSETS.items()}
        )

    def _apply_sliders(self, motion: MockMotion) -> None:
        if self.mock is None or self._following or motion is not MockMotion.HAND:
            return
        if (wanted := self._wanted()) != self._offset:
            self._offset = wanted
            with self._leading():
                self.mock.move(wanted)

    def _on_reset(self) -> None:
        if self.mock is not None:
            self.mock.reset()
            self._read_offset()
