"""DICOM files to a server: C-STORE or STOW-RS. The only room that talks to a network.

A file is sent as it is, a part at a time; what a server answers is data, never markup, and is shown escaped.
"""

from inveonimaging.sending.job import send
from inveonimaging.sending.options import SendOptions
from inveonimaging.sending.result import Failure, SendResult

__all__ = ["Failure", "SendOptions", "SendResult", "send"]
