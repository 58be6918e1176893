import pickle

import pytest

from parley.base.errors import ConfigError, ParleyError, ServiceFailedError


def test_an_error_carries_a_code_and_reads_as_its_message():
    error = ParleyError("disk-full", "no space for the database")
    assert (error.code, str(error)) == ("disk-full", "no space for the database")


@pytest.mark.parametrize("code", ["", "Disk-Full", "disk_full", "disk full", "-disk", "disk-", "disk--full", "1disk"])
def test_a_code_is_kebab_case(code):
    with pytest.raises(ValueError, match="kebab-case"):
        ParleyError(code, "text")


def test_a_configuration_error_names_its_path():
    error = ConfigError("xmpp.c2s", "port 70000 is over 65535")
    assert error.path == "xmpp.c2s"
    assert error.code == "config-invalid"
    assert str(error) == "xmpp.c2s: port 70000 is over 65535"


@pytest.mark.parametrize("error", [ConfigError("a.b", "is missing"), ServiceFailedError("writer")])
def test_errors_cross_process_boundaries_whole(error):
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.__dict__) == (type(error), str(error), error.__dict__)
