"""What importing the package costs: next to nothing, until something of it is used."""

import subprocess
import sys

import pytest


def loaded(code: str) -> set[str]:
    """The modules that a program loads beyond those of a bare interpreter."""
    program = f"import sys; before = set(sys.modules); {code}; print(*sorted(set(sys.modules) - before))"
    return set(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split())


def test_the_package_alone_loads_nothing():
    assert loaded("import openmiosa") == {"openmiosa", "openmiosa._version"}


@pytest.mark.parametrize("name", ["MiosaError", "Event", "NotFoundError", "Policy"])
def test_errors_and_records_load_no_http_library(name):
    assert not {"httpx2", "anyio", "asyncio"} & loaded(f"from openmiosa import {name}")


def test_the_synchronous_client_loads_no_asynchronous_one():
    assert not [name for name in loaded("from openmiosa import Miosa") if name.startswith("openmiosa._async")]


def test_a_client_that_opens_no_terminal_loads_no_websockets():
    assert "httpx2.websockets" not in loaded("from openmiosa import Miosa; Miosa('msk_x', 'http://127.0.0.1:1').close()")
