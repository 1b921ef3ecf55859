"""Sample data of the module USGanSim in Slicer's Sample Data module: nothing is downloaded, all of it is made here.

Two samples: the model that comes with the extension with a probe that moves along its trained sweep, and a scan of the
virtual phantom, replayed. Each leaves the panel so that one press of Start shows an image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import slicer.util
from slicer.i18n import tr as _

from ... import sample_data
from ...errors import UserError
from .mock_probe.section import MockProbeSection

CATEGORY = "USGanSim"
MODEL_SAMPLE, SCAN_SAMPLE = "Simulated ultrasound", "Virtual phantom scan"


def register(icons: Path) -> None:
    """Offer the samples in the Sample Data module; `icons` is the folder of their thumbnails."""
    from SampleData import SampleDataLogic

    for name, thumbnail, show in (
        (MODEL_SAMPLE, "USGanSimSampleModel.png", show_model),
        (SCAN_SAMPLE, "USGanSimSampleScan.png", show_scan),
    ):
        SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=name,
            uris=[],
            fileNames=[],
            nodeNames=[],
            thumbnailFileName=str(icons / thumbnail),
            customDownloader=_opening(show),
        )


def show_model(panel: Any) -> None:
    """The sample model, and a mock probe on its trained sweep. Raises UserError where no model is installed."""
    panel.parameters.modelFile = sample_data.sample_model_path()
    _mock_section(panel).start_sweep()


def show_scan(panel: Any) -> None:
    """The sample model, and a scan of the virtual phantom that moves the probe, with its real images.

    The scan is rendered first, once. Raises UserError where no model is installed, and where it was cancelled.
    """
    model = sample_data.sample_model_path()
    folder = Path(slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory()) / "USGanSim"
    with _Dialog() as progress:
        scan = sample_data.sample_scan(folder, progress)
    panel.parameters.modelFile = model
    panel.parameters.replayImages = True
    _mock_section(panel).start_replay(scan.recording)


class _Dialog:
    """Progress of the rendering in a dialog with Cancel."""

    def __enter__(self) -> _Dialog:
        self._dialog = slicer.util.createProgressDialog(
            labelText=_("Scanning the virtual phantom, once…"), windowTitle=_("Sample data"), maximum=100
        )
        return self

    def __exit__(self, *_error: object) -> None:
        self._dialog.close()

    def emit(self, event: str, **fields: Any) -> None:
        if event == "step":
            self._dialog.value = round(100 * fields["step"] / fields["of"])
        slicer.app.processEvents()
        if self._dialog.wasCanceled:
            raise UserError(_("The scan was cancelled."))


def _opening(show: Any) -> Any:
    """What Sample Data calls: go to the module and show a sample there."""

    def load(_source: Any) -> None:
        slicer.util.selectModule("USGanSim")
        panel = slicer.modules.usgansim.widgetRepresentation().self()
        try:
            show(panel)
        except UserError as error:
            slicer.util.errorDisplay(str(error))

    return load


def _mock_section(panel: Any) -> MockProbeSection:
    section: MockProbeSection = panel.section(MockProbeSection)
    section.ui.mockButton.collapsed = False
    return section
