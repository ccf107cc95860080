"""Every script of test/system/imap, against the real server."""
import pathlib

import pytest

import imap_script
from wire import Wire

CASES = imap_script.cases(pathlib.Path(__file__).parent / "imap")
PASSWORD = "script password"


@pytest.fixture(scope="module")
def accounts(golub):
    """One account a script file, made when its first case needs it."""
    made = {}

    def account(stem):
        if stem not in made:
            made[stem] = golub.account(f"script-{stem}", PASSWORD)
        return made[stem]

    return account


@pytest.mark.parametrize("case", CASES, ids=str)
def test_script(golub, accounts, case):
    address = accounts(case.path.stem)

    def login(c):
        assert c.do(f'LOGIN {address} "{PASSWORD}"')[1].startswith("OK")

    script = imap_script.Script(case, lambda: Wire(golub.port("imap")), login)
    try:
        script.run()
    finally:
        script.close()
