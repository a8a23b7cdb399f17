"""Reading the authorities costs time and memory, so it happens once."""

import ssl
from pathlib import Path

from tests.fakes.certificate import make_certificate
from tgm.security.tls import tls_context


def test_everybody_shares_the_systems_authorities() -> None:
    assert tls_context() is tls_context()


def test_a_file_of_authorities_stands_alone(tmp_path: Path) -> None:
    own = tls_context(make_certificate(tmp_path))
    assert own is not tls_context()
    assert len(own.get_ca_certs()) == 1


def test_names_and_authorities_are_checked() -> None:
    assert tls_context().check_hostname
    assert tls_context().verify_mode is ssl.CERT_REQUIRED
