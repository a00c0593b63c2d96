"""Files and folders that operating systems, file browsers and file servers leave in folders."""

from __future__ import annotations

_MACOS = {
    *(".ds_store", ".localized", ".apdisk", ".fseventsd", ".spotlight-v100", ".trashes", ".temporaryitems", "__macosx"),
    *(".documentrevisions-v100", ".appledouble", ".appledb", ".appledesktop", ".volumeicon.icns", "icon\r"),
    *(".com.apple.timemachine.donotpresent", "network trash folder", "temporary items"),
}
_WINDOWS = {
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$recycle.bin", "recycler"),
    "system volume information",
}
_LINUX_AND_SERVERS = {
    *(".directory", ".thumbnails", ".snapshot", ".snapshots", "lost+found"),
    *("@eadir", "#recycle", "@recycle", "#snapshot", "@tmp"),
}
_NAMES = frozenset(_MACOS | _WINDOWS | _LINUX_AND_SERVERS)
_STARTS = ("._", ".trash-", ".nfs", ".fuse_hidden", "thumbs.db:", ".smbdelete")


def is_system_file(name: str) -> bool:
    """Return whether an operating system, a file browser or a file server gives a file or folder this name."""
    folded = name.lower()
    return folded in _NAMES or folded.startswith(_STARTS)
