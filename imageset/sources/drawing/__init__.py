"""Draws the pictures of the sample: things of polygons in a scene, and their boxes. Knows no tables and no files.

Everything is integers, from the random numbers to the coverage of a pixel, so that a picture has the same bytes on
every machine; Pillow's own polygons are floating point and differ where the processor fuses multiply and add.
"""
