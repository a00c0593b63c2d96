"""A real Orthanc on loopback, with a configuration and a store of its own; nothing of a running service is touched."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import trustme
from requests.adapters import HTTPAdapter
from urllib3 import Retry

AE_TITLE = "ARCHIVE"
USER, PASSWORD = "keeper", "correct horse battery"
_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/orthanc/bin")
_PLUGINS = ("/usr/share/orthanc/plugins", "/usr/lib/orthanc", "/usr/local/share/orthanc/plugins")
_DICOMWEB = "libOrthancDicomWeb.so"
_START_S, _TRIES = 180, 3
_PORTS = range(15_000, 32_000)  # below those that a system gives to connections, which come and go at any moment


def find_orthanc() -> tuple[str, str] | None:
    """Return the paths of the program and of its DICOMweb plugin, if both are installed."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *_FOLDERS])
    program = shutil.which("Orthanc", path=path)
    plugin = next((found for each in _PLUGINS if (found := Path(each, _DICOMWEB)).exists()), None)
    return (program, str(plugin)) if program and plugin else None


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on, and that no connection takes meanwhile."""
    found: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with contextlib.suppress(OSError), socket.socket() as tried:
            tried.bind(("", port))
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free port")


@dataclass(frozen=True)
class Certificates:
    """PEM files: of a certificate authority, of a server and of a client that it vouches for, and of a stranger."""

    authority: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path
    stranger: Path


def make_certificates(folder: Path) -> Certificates:
    """Write certificates for a server on loopback and a client."""
    folder.mkdir(parents=True, exist_ok=True)
    files = Certificates(*(folder / f"{name}.pem" for name in Certificates.__dataclass_fields__))
    authority = trustme.CA(organization_name="Tests")
    authority.cert_pem.write_to_path(files.authority)
    trustme.CA(organization_name="Stranger").cert_pem.write_to_path(files.stranger)
    for certificate, key in ((files.server, files.server_key), (files.client, files.client_key)):
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
    return files


@dataclass
class Orthanc:
    """A running server, or one that can be started again in its place with what it keeps."""

    folder: Path
    program: str
    plugin: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    dicom_port: int = 0
    http_port: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _session: requests.Session | None = None

    @property
    def target(self) -> str:
        """The DIMSE address, for `inveon send`."""
        return f"dicom://INVEON@{AE_TITLE}:127.0.0.1:{self.dicom_port}"

    @property
    def web(self) -> str:
        """The DICOMweb address, for `inveon send`."""
        return f"http://127.0.0.1:{self.http_port}/dicom-web"

    def start(self) -> None:
        """Start it, and wait until it answers; other ports if one was taken meanwhile."""
        wants_ports = not self.dicom_port
        for left in reversed(range(_TRIES)):
            if wants_ports:
                self.dicom_port, self.http_port = free_ports(2)
            self._launch()
            if self._is_up():
                return
            self.kill()
            if not left:
                raise RuntimeError((self.folder / "log").read_text("utf-8", "replace")[-3000:])

    def kill(self) -> None:
        """Kill it, as a crash would."""
        self._hang_up()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET a path of the REST interface."""
        return self._ask("GET", path, **options)

    def clear(self) -> None:
        """Remove all that is stored."""
        for patient in self.get("/patients").json():
            self._ask("DELETE", f"/patients/{patient}")

    def stored(self) -> dict[str, bytes]:
        """Return the files that are stored, by SOP Instance UID."""
        listed = self.get("/instances?expand").json()
        return {
            each["MainDicomTags"]["SOPInstanceUID"]: self.get(f"/instances/{each['ID']}/file").content
            for each in listed
        }

    def uids(self) -> set[str]:
        """Return the SOP Instance UIDs that are stored."""
        return {each["MainDicomTags"]["SOPInstanceUID"] for each in self.get("/instances?expand").json()}

    def count(self) -> int:
        """Return the number of instances that are stored."""
        return int(self.get("/statistics").json()["CountInstances"])

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        if self._session is None:
            self._session = requests.Session()
            self._session.trust_env = False
            self._session.auth = (USER, PASSWORD)
            again = Retry(connect=0, read=3)  # it ends idle connections, at times just when they are used
            self._session.mount("http://", HTTPAdapter(max_retries=again))
        answer = self._session.request(method, f"http://127.0.0.1:{self.http_port}{path}", timeout=120, **options)
        answer.raise_for_status()
        return answer

    def _hang_up(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _launch(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "orthanc.json"
        configuration.write_text(json.dumps(self._configuration()), "utf-8")
        with (self.folder / "log").open("ab") as log:
            command = [self.program, "--verbose", str(configuration)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder)

    def _configuration(self) -> dict[str, Any]:
        return {
            "Name": str(self.folder),
            "StorageDirectory": str(self.folder / "store"),
            "IndexDirectory": str(self.folder / "store"),
            "StorageCompression": False,
            "OverwriteInstances": False,
            "HttpServerEnabled": True,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "DicomServerEnabled": True,
            "DicomAet": AE_TITLE,
            "DicomPort": self.dicom_port,
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowStore": True,
            "UnknownSopClassAccepted": False,
            "DicomScpTimeout": 120,
            "DicomScuTimeout": 120,
            "Plugins": [self.plugin],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Ssl": False},
            **self.settings,
        }

    def _is_up(self) -> bool:
        end = time.monotonic() + _START_S
        while time.monotonic() < end and self._process is not None and self._process.poll() is None:
            with contextlib.suppress(requests.RequestException, OSError):
                is_it = self.get("/system").json().get("Name") == str(self.folder)  # and not another on the same port
                socket.create_connection(("127.0.0.1", self.dicom_port), 60).close()
                return is_it and self._process.poll() is None
            time.sleep(0.05)
        return False


@contextlib.contextmanager
def running(folder: Path, found: tuple[str, str], settings: Mapping[str, Any] | None = None) -> Iterator[Orthanc]:
    """Run an Orthanc in a folder of its own."""
    server = Orthanc(folder, *found, settings or {})
    try:
        server.start()
        yield server
    finally:
        server.kill()


def tls_settings(certificates: Certificates, *, client_required: bool = True) -> dict[str, Any]:
    """Return the settings of DIMSE over TLS."""
    return {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(certificates.server),
        "DicomTlsPrivateKey": str(certificates.server_key),
        "DicomTlsTrustedCertificates": str(certificates.authority),
        "DicomTlsRemoteCertificateRequired": client_required,
    }
