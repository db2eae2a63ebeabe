"""Certificates for tests, made by the openssl program."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from peer import HOST, fail


@dataclass
class Certificates:
    ca: Path  # whom to trust
    certificate: Path  # the server's, for localhost and 127.0.0.1
    key: Path


def make_certificates(folder, days=30):
    """An authority and what it signed, for so many days from now on, in `folder`; those that are there
    already are kept."""
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    if made.certificate.exists():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    authority_key, request = folder / "ca.key", folder / "server.csr"
    extensions = folder / "server.ext"
    extensions.write_text(f"subjectAltName=DNS:localhost,IP:{HOST}\nbasicConstraints=CA:FALSE\n")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl("req", "-x509", *new_key, "-keyout", authority_key, "-out", made.ca, "-days", 30,
             "-subj", "/CN=test authority")
    _openssl("req", *new_key, "-keyout", made.key, "-out", request, "-subj", "/CN=localhost")
    _openssl("x509", "-req", "-in", request, "-CA", made.ca, "-CAkey", authority_key, "-CAcreateserial",
             "-extfile", extensions, "-days", days, "-out", made.certificate)
    return made


def _openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        fail(f"openssl {words[0]}: {done.stderr}")
