"""Time-activity curves: mean values of regions in each frame. Nothing is resampled.

Not `curves`, which is the function of the package.
"""
