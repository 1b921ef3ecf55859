"""The tissues of the virtual phantom and their acoustic and radiological properties, in one table.

Attenuation and impedance are of the size given in textbooks (Szabo, Diagnostic Ultrasound Imaging, 2nd ed., appendix
B); echogenicity is relative, set by eye against clinical images; Hounsfield units are typical adult values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tissue:
    """echogenicity: amplitude of the scatterers; lumpiness: relative SD of its slow variation; the rest by name."""

    name: str
    echogenicity: float
    lumpiness: float
    attenuation_db_cm_mhz: float
    impedance_mrayl: float
    hounsfield: int


TISSUES = (
    Tissue("maternal tissue", 0.3, 0.30, 0.60, 1.60, 40),
    Tissue("gel", 0.010, 0.0, 0.02, 1.52, 5),
    Tissue("skin", 0.75, 0.15, 0.80, 1.66, 60),
    Tissue("fat", 0.09, 0.35, 0.50, 1.44, -90),
    Tissue("muscle", 0.19, 0.40, 0.65, 1.66, 55),
    Tissue("uterine wall", 0.24, 0.20, 0.60, 1.64, 50),
    Tissue("amniotic fluid", 0.005, 0.0, 0.01, 1.50, 10),
    Tissue("placenta", 0.36, 0.16, 0.50, 1.61, 45),
    Tissue("fetal soft tissue", 0.22, 0.28, 0.50, 1.62, 40),
    Tissue("bone", 0.95, 0.10, 7.0, 3.4, 500),
    Tissue("skull", 0.90, 0.08, 3.2, 2.6, 400),
    Tissue("brain", 0.075, 0.25, 0.35, 1.56, 30),
    Tissue("ventricle", 0.008, 0.0, 0.02, 1.51, 8),
    Tissue("choroid plexus", 0.55, 0.25, 0.50, 1.60, 38),
    Tissue("falx", 0.5, 0.10, 0.60, 1.68, 60),
    Tissue("cavum septi pellucidi", 0.006, 0.0, 0.02, 1.50, 8),
    Tissue("lung", 0.36, 0.15, 0.60, 1.64, 20),
    Tissue("myocardium", 0.13, 0.20, 0.45, 1.66, 50),
    Tissue("blood", 0.014, 0.0, 0.10, 1.59, 45),
    Tissue("liver", 0.14, 0.14, 0.50, 1.65, 55),
    Tissue("stomach", 0.007, 0.0, 0.02, 1.50, 8),
    Tissue("kidney", 0.085, 0.15, 0.45, 1.62, 35),
    Tissue("bowel", 0.40, 0.45, 0.60, 1.64, 35),
    Tissue("bladder", 0.006, 0.0, 0.02, 1.50, 6),
    Tissue("umbilical cord", 0.40, 0.15, 0.40, 1.62, 40),
    Tissue("water", 0.0006, 0.0, 0.002, 1.48, 0),
    Tissue("acrylic", 0.02, 0.0, 1.3, 3.2, 120),
)
LABELS = {tissue.name: label for label, tissue in enumerate(TISSUES)}


def table(quantity: str) -> NDArray[np.float32]:
    """One property of all tissues as an array over labels, for example `table("impedance_mrayl")`."""
    return np.array([getattr(tissue, quantity) for tissue in TISSUES], np.float32)
