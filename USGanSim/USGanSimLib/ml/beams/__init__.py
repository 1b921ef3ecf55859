"""A generator on beams: the tissue in a learned volume, what happens along a beam, speckle, scan conversion."""
