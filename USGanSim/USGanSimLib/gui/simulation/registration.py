"""Registration research: simulate at a set of poses with their truth, compound the images, export both."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from ...errors import UserError
from ...geometry.image_frame import Offset
from ...geometry.image_geometry import ImageGeometry
from ...model.info import ModelInfo
from ...mrml.compounded_volume import add_volume, grid_of
from ...mrml.planning import PlannedPoses, curve_plan, grid_plan, recording_plan, reference_to_ras, slice_pose
from ...mrml.recorder.stream_recording import free_name
from ...mrml.sequence_bridge import exporting_sweep, import_sweep, show_sequences
from ...recording.live_file import COMPRESSED
from ...recording.sequence_file import read_sweep, writing_sweep
from ...recording.simulated import (
    IMAGE_TO_RAS,
    Compounded,
    Grid,
    PosePlan,
    compounding,
    outside_count,
    simulating,
    write_poses,
)
from ..choices import CurvePlane, GridPlane, PoseSet
from ..panel import Section
from ..stepwise import Stepwise
from ..troubles import in_words, log_fault


class RegistrationSection(Section):
    """Plans poses, simulates at them, and makes of the images what a registration is tested with."""

    ui_file = "USGanSimRegistration.ui"

    def setup(self) -> None:
        self._work = Stepwise(self.widget, self.troubles)
        self._outlines: PlannedPoses | None = None
        self.ui.registrationProgressBar.maximum = 100
        for name, slot in (
            ("countButton", self._on_count),
            ("simulateButton", self._on_simulate),
            ("compoundButton", self._on_compound),
            ("exportButton", self._on_export),
        ):
            self.on_press(name, slot)

    def show(self) -> None:
        wanted, busy = self.parameters.poseSet, self._work.running
        self.ui.curveFrame.visible = wanted is PoseSet.CURVE
        self.ui.recordedFrame.visible = wanted is PoseSet.RECORDING
        self.ui.planeFrame.visible = wanted is PoseSet.GRID
        self.ui.registrationProgressBar.visible = busy
        self.ui.simulateButton.text = _("Cancel") if busy else _("Simulate at all poses")
        problem = self._problem()
        self.enable(
            "countButton",
            problem or (_("Busy") if busy else ""),
            _("Count the poses and those outside the trained range, and outline them in the 3-D view."),
        )
        self.enable(
            "simulateButton",
            "" if busy else problem,
            _("Leave off; nothing half done stays")
            if busy
            else _("Make a sequence of simulated images with their true poses in RAS"),
        )
        no_set = _("Choose a simulated set") if self.parameters.simulatedSet is None else ""
        self.enable(
            "compoundButton",
            _("Busy") if busy else no_set,
            _("Average the images of the result in the voxels that they hit; small gaps are filled"),
        )
        folder = self.parameters.exportFolder
        no_folder = "" if folder.name and folder.is_dir() else _("Choose the folder to write to")
        self.enable(
            "exportButton",
            _("Busy") if busy else no_set or no_folder,
            _(
                "Write NAME.csv (frame, time stamp in s, ImageToRas row by row in mm, distance to the trained "
                "poses in mm) and NAME.igs.mha."
            ),
        )

    def close_scene(self) -> None:
        self._work.cancel()
        if self._outlines is not None:
            self._outlines.remove()
            self._outlines = None

    def cleanup(self) -> None:
        self.close_scene()

    # Where to simulate

    @property
    def _info(self) -> ModelInfo:
        """Raises UserError where no model is chosen."""
        info: ModelInfo | None = self.logic.modelInfo(self.parameters.modelFile)
        if info is None:
            raise UserError(_("No model is chosen."), _("Choose a model first."))
        return info

    def _problem(self) -> str:
        """Why there are no poses yet, or nothing."""
        parameters = self.parameters
        if self.logic.modelInfo(parameters.modelFile) is None:
            return _("Choose a model first")
        if parameters.poseSet is PoseSet.CURVE and parameters.poseCurve is None:
            return _("Choose a curve, or draw one")
        if (
            parameters.poseSet is PoseSet.RECORDING
            and parameters.poseBrowser is None
            and not parameters.poseFile.is_file()
        ):
            return _("Choose a recording")
        if (
            parameters.poseSet is PoseSet.GRID
            and parameters.gridPlane is GridPlane.PROBE
            and parameters.probe is None
        ):
            return _("Choose the transform of the probe")
        return ""

    def _geometry(self, info: ModelInfo) -> ImageGeometry:
        calibrated = self.logic.imageToProbe(self.parameters)
        return (
            info.geometry
            if calibrated is None
            else ImageGeometry(info.geometry.width_px, info.geometry.height_px, calibrated)
        )

    def _plan(self, info: ModelInfo) -> PosePlan:
        """The poses that are chosen. Raises UserError where there are none."""
        parameters, geometry = self.parameters, self._geometry(info)
        if parameters.poseSet is PoseSet.CURVE:
            return curve_plan(
                parameters.poseCurve,
                geometry,
                parameters.curveSpacingMm,
                np.array(parameters.curveUp.value, float),
                parameters.curvePlane is CurvePlane.ALONG,
                info.face_px,
            )
        if parameters.poseSet is PoseSet.RECORDING:
            sweep = (
                import_sweep(parameters.poseBrowser)
                if parameters.poseBrowser is not None
                else read_sweep(parameters.poseFile)
            )
            return recording_plan(sweep, geometry, reference_to_ras(parameters.reference))
        most = Offset(
            parameters.gridAcrossMm,
            parameters.gridDepthMm,
            parameters.gridOutMm,
            parameters.gridTiltDeg,
            parameters.gridRockDeg,
            parameters.gridTurnDeg,
        )
        name = _("Grid simulated")
        return grid_plan(self._middle(geometry), geometry, most, parameters.gridSteps, name, info.face_px)

    def _middle(self, geometry: ImageGeometry) -> Any:
        if self.parameters.gridPlane is GridPlane.PROBE:
            return reference_to_ras(self.parameters.probe) @ geometry.image_to_probe
        view = slicer.mrmlScene.GetSingletonNode(self.parameters.gridPlane.value, "vtkMRMLSliceNode")
        return slice_pose(view, geometry)

    def _on_count(self) -> None:
        """Count the poses, and outline their images."""
        try:
            info = self._info
            plan = self._plan(info)
            poses = np.linalg.inv(reference_to_ras(self.parameters.reference)) @ plan.image_to_ras
        except UserError as error:
            self.ui.poseCountLabel.text = str(error)
            return
        outside = np.array([not info.pose_range.covers(pose) for pose in poses[plan.valid]], bool)
        self.ui.poseCountLabel.text = _(
            "{count} poses; {outside} of them lie outside the trained range, {invalid} are invalid."
        ).format(count=len(plan), outside=int(outside.sum()), invalid=int((~plan.valid).sum()))
        if self._outlines is None or not self._outlines.in_scene:
            self._outlines = PlannedPoses(slicer.mrmlScene)
        self._outlines.show(
            plan.image_to_ras[plan.valid], outside, info.geometry.width_px, info.geometry.height_px
        )

    # Simulating

    def _on_simulate(self) -> None:
        if self._work.running:
            self._work.cancel()
            self.ui.registrationStateLabel.text = _("Cancelled; nothing was kept.")
            self.show()
            return
        self._run(self._simulating(), self._simulated)

    def _simulating(self) -> Generator[Any, None, Any]:
        """The browser of the simulated set, and how many of its images lie outside the trained range."""
        info, reference = self._info, reference_to_ras(self.parameters.reference)
        plan, geometry = self._plan(info), self._geometry(info)
        renderer = yield from self.logic.loading(self.parameters.modelFile)
        steps = simulating(renderer, plan, reference, geometry.image_to_probe)
        sweep = yield from _scaled(steps, 0.0, 0.7)
        name = slicer.mrmlScene.GenerateUniqueName(plan.name)
        browser = yield from _scaled(exporting_sweep(slicer.mrmlScene, sweep, name), 0.7, 0.3)
        fits_mm = Grid.voxel_that_fits_mm(sweep, self.parameters.voxelSizeMm) if self.parameters else 0.0
        return browser, len(sweep), outside_count(sweep), fits_mm

    def _simulated(self, result: tuple[Any, int, int, float]) -> str:
        browser, count, outside, fits_mm = result
        show_sequences(slicer.modules.sequences.logic(), browser, IMAGE_TO_RAS)
        if self.parameters is not None:
            self.parameters.simulatedSet = browser
        words = _(
            "{name}: {count} images, {outside} of them at poses outside the trained range (marked)."
        ).format(name=browser.GetName(), count=count, outside=outside)
        return f"{words} {self._propose_voxels(fits_mm)}".strip()

    def _propose_voxels(self, fits_mm: float) -> str:
        """Set the voxel size with which a volume around the images is possible, and say so where it is another one."""
        if self.parameters is None or fits_mm <= self.parameters.voxelSizeMm:
            return ""
        self.parameters.voxelSizeMm = fits_mm
        return str(
            _("Voxels of {size:g} mm are proposed; smaller ones would be too many.").format(size=fits_mm)
        )

    # What is made of it

    def _on_compound(self) -> None:
        self._run(self._compounding(), self._compounded)

    def _compounding(self) -> Generator[Any, None, Any]:
        like = self.parameters.preoperativeVolume
        browser, voxel_mm = self.parameters.simulatedSet, self.parameters.voxelSizeMm
        yield _("Reading the images…")
        sweep = import_sweep(browser)
        yield _("Compounding…")
        if like is None and (fits_mm := Grid.voxel_that_fits_mm(sweep, voxel_mm)) > voxel_mm:
            raise UserError(self._propose_voxels(fits_mm), _("Press again to take them."))
        grid = Grid.around(sweep, voxel_mm) if like is None else grid_of(like)
        volume = yield from compounding(sweep, grid)
        return volume, like, browser.GetName()

    def _compounded(self, result: tuple[Compounded, Any, str]) -> str:
        volume, like, name = result
        node = add_volume(slicer.mrmlScene, volume, f"{name} compounded", like)
        slicer.util.setSliceViewerLayers(background=node, fit=True)
        x, y, z = volume.grid.shape
        return _(
            "{name}: {x}×{y}×{z} voxels; of those around the images {seen:.0f} % hit and {filled:.0f} % filled."
        ).format(
            name=node.GetName(), x=x, y=y, z=z, seen=100 * volume.seen_share, filled=100 * volume.filled_share
        )

    def _on_export(self) -> None:
        self._run(self._exporting(), lambda words: words)

    def _exporting(self) -> Generator[Any, None, str]:
        folder, browser = self.parameters.exportFolder, self.parameters.simulatedSet
        yield _("Reading the images…")
        sweep = import_sweep(browser)
        if IMAGE_TO_RAS not in sweep.transforms:
            raise UserError(
                _("{name} holds no true poses (ImageToRas).").format(name=browser.GetName()),
                _("Choose a set that was simulated here."),
            )
        name = free_name(folder, browser.GetName().replace(" ", "_"))
        for written in writing_sweep(folder / f"{name}{COMPRESSED}", sweep):
            yield written / len(sweep)
        write_poses(folder / f"{name}.csv", sweep)
        return _("Written: {folder}/{name}.csv and .igs.mha").format(folder=folder, name=name)

    # Running

    def _run(self, steps: Generator[Any, None, Any], words: Any) -> None:
        def end(result: Any, error: Exception | None) -> None:
            text = in_words(error) if error is not None else words(result)
            self.ui.registrationStateLabel.text = text
            if self.parameters is not None:
                self.show()
            if error is not None:
                log_fault(text, error)

        self.ui.registrationStateLabel.text = ""
        self.ui.registrationProgressBar.value = 0
        self._work.start(steps, self._on_step, end)
        self.show()

    def _on_step(self, step: float | str) -> None:
        """A share that is done, or the words before a step that takes time."""
        if isinstance(step, str):
            self.ui.registrationStateLabel.text = step
        else:
            self.ui.registrationProgressBar.value = round(100 * step)


def _scaled(steps: Generator[float, None, Any], begin: float, part: float) -> Generator[float, None, Any]:
    """The steps of a part of the work, as shares of the whole."""
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            return end.value
        yield begin + part * share
