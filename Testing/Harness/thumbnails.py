"""Makes the thumbnails of the samples in Slicer's Sample Data module: `python Testing/Harness/thumbnails.py FOLDER`.

The simulated image is that of the shipped model at the trained pose that shows most; the other one is a frame of the
sample scan, which is rendered into FOLDER if it is not there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from USGanSimLib import sample_data
from USGanSimLib.ml.renderer import ModelRenderer
from USGanSimLib.progress import terminal_or_silent
from USGanSimLib.recording.sequence_file import read_sweep

SIZE_PX = (192, 128)
ICONS = Path(__file__).resolve().parents[2] / "USGanSim" / "Resources" / "Icons"


def thumbnail(image: np.ndarray, color: tuple[int, int, int]) -> Image.Image:
    """The image as large as it fits, with a line of color beneath that tells simulated from scanned."""
    sheet = Image.new("RGB", SIZE_PX, (0, 0, 0))
    scan = Image.fromarray(image)
    scan.thumbnail(SIZE_PX)
    enlarged = scan.resize(
        (round(scan.width * SIZE_PX[1] / scan.height), SIZE_PX[1]), Image.Resampling.LANCZOS
    )
    sheet.paste(enlarged, ((SIZE_PX[0] - enlarged.width) // 2, 0))
    ImageDraw.Draw(sheet).rectangle((0, SIZE_PX[1] - 5, *SIZE_PX), fill=color)
    return sheet


def main() -> None:
    renderer = ModelRenderer.load(sample_data.sample_model_path())
    simulated = max((renderer.render(pose) for pose in renderer.pose_range.poses[:40]), key=np.std)
    thumbnail(simulated, (60, 190, 200)).save(ICONS / "USGanSimSampleModel.png")
    scan = sample_data.sample_scan(Path(sys.argv[1]), terminal_or_silent())
    frames = read_sweep(scan.recording).frames
    thumbnail(max(frames[::20], key=np.std), (255, 140, 25)).save(ICONS / "USGanSimSampleScan.png")


if __name__ == "__main__":
    main()
