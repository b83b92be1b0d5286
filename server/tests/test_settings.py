"""One file, the environment over it, and no silent misspelling."""

from pathlib import Path

import pytest
from openmiosa_server import settings
from openmiosa_server.settings import BadSettings


def written(folder: Path, text: str) -> Path:
    """A configuration file."""
    file = folder / "openmiosa.toml"
    file.write_text(text)
    return file


def test_the_environment_beats_the_file_and_the_file_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENMIOSA_LOG__LEVEL", "debug")
    loaded = settings.load(written(tmp_path, '[log]\nlevel = "error"\nformat = "console"\n'))
    assert (loaded.log.level, loaded.log.format, loaded.egress.durability) == ("debug", "console", "write")


def test_every_setting_is_listed_with_its_source_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENMIOSA_LOG__LEVEL", "debug")
    file = written(tmp_path, '[oauth.providers.github]\nclient_id = "id"\nclient_secret = "hidden-value"\n')
    rows = {name: (value, source) for name, value, source in settings.describe(settings.load(file))}
    assert rows["log.level"] == ("debug", "environment OPENMIOSA_LOG__LEVEL")
    assert rows["oauth.providers.github.client_id"] == ("id", str(file))
    assert rows["sandboxes.memory_mb"] == ("2048", "default")
    assert "hidden-value" not in str(rows)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('[server]\nbnd = "127.0.0.1:1"\n', "server.bnd"),
        ('[sever]\nbind = "127.0.0.1:1"\n', "sever"),
        ('[server]\nbind = "127.0.0.1"\n', "server.bind"),
        ('[log]\nlevel = "loud"\n', "log.level"),
        ('[upstream.static_hosts]\n"api.openai.com" = "127.0.0.1:1"\n', "static_hosts"),
        ('[vault]\nkey = "transit"\n', "address"),
        ("[server\n", "line 1"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, text: str, names: str) -> None:
    with pytest.raises(BadSettings, match=names.replace(".", r"\.")):
        settings.load(written(tmp_path, text))


def test_a_misspelled_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENMIOSA_SEVER__BIND", "127.0.0.1:1")
    with pytest.raises(BadSettings, match="OPENMIOSA_SEVER__BIND"):
        settings.load(None)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ('bind = "127.0.0.1:7878"', True),
        ('bind = "[::1]:7878"', True),
        ('bind = "0.0.0.0:7878"', False),
        ('bind = "[::]:7878"', False),
        ('bind = "192.0.2.1:7878"', False),
        ('bind = "0.0.0.0:7878"\ntrusted_proxies = ["192.0.2.7"]', True),
        ('bind = "0.0.0.0:7878"\ntls_cert = "c"\ntls_key = "k"', True),
        ('bind = "127.0.0.1:7878"\ntls_cert = "c"', False),
    ],
)
def test_c_13_keys_are_not_offered_in_clear_text_on_a_network(tmp_path: Path, text: str, allowed: bool) -> None:
    file = written(tmp_path, f"[server]\n{text}\n")
    if allowed:
        settings.load(file)
    else:
        with pytest.raises(BadSettings, match="tls_cert"):
            settings.load(file)
