"""Certificates and keys: PEM files -> what TLS connections are made with."""

from __future__ import annotations

import ssl
from pathlib import Path

from inveonimaging.errors import OptionError
from inveonimaging.sending.options import SendOptions


def context_of(options: SendOptions) -> ssl.SSLContext:
    """Return the context of a client, which checks the server's certificate and its name.

    Raises:
        OptionError: a file is missing or not what it must be.
    """
    _refuse_missing(options)
    try:
        context = ssl.create_default_context(cafile=options.tls_ca)
    except (ssl.SSLError, OSError) as error:
        raise OptionError("is not a certificate in PEM", path=options.tls_ca, hint="--tls-ca names one") from error
    if options.tls_cert:
        try:
            context.load_cert_chain(options.tls_cert, options.tls_key, _no_passphrase)
        except (ssl.SSLError, OSError) as error:
            hint = "--tls-cert and --tls-key name PEM files that belong to each other"
            raise OptionError("is not a certificate with its key", path=options.tls_cert, hint=hint) from error
    return context


def listening_context(options: SendOptions) -> ssl.SSLContext:
    """Return the context of a server that asks for a certificate, as the one who connects back must show.

    Raises:
        OptionError: there is no certificate to show.
    """
    if not options.tls_cert:
        raise OptionError("--commit-port with TLS needs a certificate", hint="--tls-cert and --tls-key name it")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=options.tls_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(options.tls_cert, options.tls_key, _no_passphrase)
    return context


def _refuse_missing(options: SendOptions) -> None:
    for path in filter(None, (options.tls_ca, options.tls_cert, options.tls_key)):
        if not Path(path).is_file():
            raise OptionError("no such file", path=path)


def _no_passphrase() -> str:
    """Refuse a key that is encrypted: nobody is there to type its passphrase."""
    raise OptionError("the key is encrypted", hint="give one without a passphrase, in a file that only you can read")


def why(error: ssl.SSLError, name: str) -> str:
    """Return why a TLS connection failed, and what to do."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return "does not answer in TLS; try without --tls, or ask for the port that is encrypted"
    message = error.verify_message.rstrip(".") or "it cannot be verified"
    if "match" in message.lower():
        return f"the server's certificate is not one of {name}; --tls-name gives the name that it has"
    return f"the server's certificate is not trusted: {message}; --tls-ca names the authority that signed it"
