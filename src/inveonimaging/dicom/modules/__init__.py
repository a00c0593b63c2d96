"""The modules of PS3.3, one pure function each.

`f(series)` is constant in a series; what differs by frame takes the frame, by slice k, and else the instance.
"""
