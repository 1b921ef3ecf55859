"""Recordings from and to what other programs write: folders of images, DICOM, HDF5 sets, tables of poses."""
