"""Where the ultrasound is in an image, found once: `find_field` answers with geometry's `FieldOfView`. Core ring.

Everything that asks where the ultrasound is asks here: the crop, the beams that a model draws along, the black around
its images, every measure of the evaluation, the outline in the views, the probe's face.
"""
