"""Settings: layers, sources, bounds, and errors that name the setting and its nearest neighbour."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from entrepot.blobs.disk import Settings
from entrepot.config import Config, Listener, Loaded, load, parse_settings, variable
from entrepot.config.tree import BYTES, leaves
from entrepot.errors import ConfigInvalid, Invalid


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings(
    toml: str = "", environment: dict[str, str] | None = None, flags: dict[str, object] | None = None
) -> Loaded:
    Path("entrepot.toml").write_text(toml, "utf-8")
    return load(flags or {}, environment or {})


def refusal(*args: Any, **kwargs: Any) -> ConfigInvalid:
    with pytest.raises(ConfigInvalid) as caught:
        settings(*args, **kwargs)
    return caught.value


def source(loaded: Loaded, name: str) -> str:
    return {row.name: row.source for row in loaded.settings}[name]


def shown(loaded: Loaded, name: str) -> object:
    return {row.name: row.value for row in loaded.settings}[name]


def test_nothing_has_to_be_configured() -> None:
    loaded = load({}, {})
    config = loaded.config
    assert (config.data, config.region) == (Path("entrepot-data"), "us-east-1")
    assert config.listeners == (Listener(address="127.0.0.1:9000"),)
    assert config.stores == {"main": Settings()}
    assert config.directories() == {"main": Path("entrepot-data/blobs")}
    assert config.doors == {}
    assert config.workers >= 1
    assert config.sealing_bytes() is None
    assert {row.source for row in loaded.settings} == {"default"}


def test_a_later_layer_wins_and_each_value_knows_its_source() -> None:
    toml = 'listen = "127.0.0.1:1"\nregion = "eu-1"\nworkers = 3\n[log]\nlevel = "error"\n'
    environment = {"ENTREPOT_LISTEN": "127.0.0.1:2", "ENTREPOT_WORKERS": "5", "PATH": "/bin"}
    loaded = settings(toml, environment, {"listen": "127.0.0.1:3", "workers": None})
    config = loaded.config
    assert config.listen == (Listener(address="127.0.0.1:3"),)
    assert (config.workers, config.region, config.log.level) == (5, "eu-1", "error")
    names = ("listen", "workers", "region", "log.level", "log.format")
    assert [source(loaded, name) for name in names] == [
        "--listen",
        "ENTREPOT_WORKERS",
        "entrepot.toml",
        "entrepot.toml",
        "default",
    ]


def test_layers_meet_inside_of_one_table() -> None:
    toml = '[stores.fast]\nkind = "disk"\npath = "/fast"\n'
    environment = {"ENTREPOT_STORES__FAST__PATH": "/faster", "ENTREPOT_DEFAULT_STORE": "fast"}
    loaded = settings(toml, environment)
    assert loaded.config.stores["fast"] == Settings(path=Path("/faster"))
    assert "main" in loaded.config.stores
    assert source(loaded, "stores.fast.kind") == "entrepot.toml"
    assert source(loaded, "stores.fast.path") == "ENTREPOT_STORES__FAST__PATH"
    assert loaded.config.directories()["fast"] == Path("/faster")


def test_paths_of_stores_start_at_the_data() -> None:
    config = settings('data = "/d"\n[stores.a]\npath = "x"\n[stores.b]\n').config
    assert config.directories() == {"main": Path("/d/blobs"), "a": Path("/d/x"), "b": Path("/d/blobs-b")}


def test_variables_carry_every_kind_of_value() -> None:
    environment = {
        "ENTREPOT_DATA": "/srv/data",
        "ENTREPOT_DOMAIN": "s3.localhost, s3.example",
        "ENTREPOT_LOG__ACCESS": "false",
        "ENTREPOT_BLOB_SIZE": "8 MiB",
        "ENTREPOT_GRACE_SECONDS": "0",
        "ENTREPOT_ACCESS_KEY": "12345678",
        "ENTREPOT_SECRET_KEY": "87654321",
        "ENTREPOT_TLS_KEY": "",
    }
    config = load({}, environment).config
    assert config.data == Path("/srv/data")
    assert config.domain == ("s3.localhost", "s3.example")
    assert config.log.access is False
    assert config.blob_size == 8 << 20
    assert config.grace_seconds == 0
    assert (config.access_key, config.secret_key) == ("12345678", "87654321")
    assert config.tls_key is None


def test_the_tree_is_frozen_and_travels_to_other_processes() -> None:
    config = settings('[doors.s3]\nanything = "goes"\n').config
    with pytest.raises(FrozenInstanceError):
        config.region = "x"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301 - what was just pickled


@pytest.mark.parametrize(
    ("toml", "environment", "name", "words"),
    [
        ("lissten = 1", {}, "lissten", "nearest is listen"),
        ("[log]\nlevl = 'info'", {}, "log.levl", "nearest is log.level"),
        ("[stores.main]\npth = 'x'", {}, "stores.main.pth", "nearest is stores.main.path"),
        ("[loging]\nlevel = 'info'", {}, "loging", "nearest is log"),
        ("", {"ENTREPOT_LISTN": "x"}, "ENTREPOT_LISTN", "nearest is ENTREPOT_LISTEN"),
        ("", {"ENTREPOT_LISTN": ""}, "ENTREPOT_LISTN", "nearest is ENTREPOT_LISTEN"),
        ("", {"ENTREPOT_LOG_LEVEL": "info"}, "ENTREPOT_LOG_LEVEL", "nearest is ENTREPOT_LOG__LEVEL"),
        ("", {"ENTREPOT_STORES__A__PTH": "x"}, "ENTREPOT_STORES__A__PTH", "ENTREPOT_STORES__MAIN__PATH"),
        ("", {"ENTREPOT_DOORS__S3": "x"}, "ENTREPOT_DOORS__S3", "no such setting"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known(
    toml: str, environment: dict[str, str], name: str, words: str
) -> None:
    error = refusal(toml, environment)
    assert isinstance(error, Invalid)
    assert error.name == name
    assert words in str(error)


def test_an_unknown_name_in_the_file_names_the_file() -> None:
    assert "entrepot.toml" in str(refusal("lissten = 1"))


@pytest.mark.parametrize(
    ("toml", "name"),
    [
        ("workers = 0", "workers"),
        ("workers = true", "workers"),
        ("workers = 1.5", "workers"),
        ("region = 5", "region"),
        ("region = 'EU West'", "region"),
        ("data = 5", "data"),
        ("listen = '127.0.0.1'", "listen"),
        ("listen = '127.0.0.1:65536'", "listen"),
        ("listen = '::1:9000'", "listen"),
        ("listen = ':9000'", "listen"),
        ("blob_size = 65535", "blob_size"),
        ("blob_size = '65 MiB'", "blob_size"),
        ("blob_size = '4 MB'", "blob_size"),
        ("memory_budget = 15000000", "memory_budget"),
        ("blob_size = '32 MiB'", "memory_budget"),
        ("inline_limit = '128 KiB'\nblob_size = '64 KiB'", "inline_limit"),
        ("inline_limit = -1", "inline_limit"),
        ("stop_seconds = -1", "stop_seconds"),
        ("tls_key = 'k.pem'", "tls_certificate"),
        ("tls_certificate = 'c.pem'", "tls_key"),
        ("access_key = 'someone'", "secret_key"),
        ("secret_key = 'something'", "access_key"),
        ("access_key = 'a/b'\nsecret_key = 'something'", "access_key"),
        ("sealing_key = 'c2hvcnQ='", "sealing_key"),
        ("sealing_key = 'not base64'", "sealing_key"),
        ("sealing_key = 'é'", "sealing_key"),
        ("catalog = 'mysql://x'", "catalog"),
        ("domain = ['s3.example:9000']", "domain"),
        ("domain = ['S3.example']", "domain"),
        ("default_store = 'other'", "default_store"),
        ("workers = 2\n[stores.main]\nkind = 'memory'", "stores.main"),
        ("dedup = 'none'", "dedup"),
        ("dedup = 'account'\n[stores.rows]\nkind = 'inline'", "dedup"),
        ("[stores.main]\nkind = 'tape'", "stores.main.kind"),
        ("[stores.'../x']\nkind = 'disk'", "stores.../x"),
        ("[log]\nlevel = 'loud'", "log.level"),
        ("[log]\naccess = 'perhaps'", "log.access"),
        ("[metrics]\ntoken = 'short'", "metrics.token"),
        ("log = 'info'", "log"),
        ("stores = []", "stores"),
        ("[stores]\nmain = 'disk'", "stores.main"),
        ("[doors]\ns3 = true", "doors.s3"),
        ("doors = 's3'", "doors"),
        ("[doors.s3]\nenabled = 'perhaps'", "doors.s3.enabled"),
        ("[listen]\nhost = 'x'", "listen"),
        ("listen = []", "listen"),
        ("listen = [5]", "listen"),
        ("listen = 'unix:'", "listen"),
        ("listen = ['127.0.0.1:1', '127.0.0.1:1']", "listen"),
        ("[[listen]]\nadress = '127.0.0.1:1'", "listen[0].adress"),
        ("[[listen]]\ndoors = 's3'", "listen[0].address"),
        ("[[listen]]\naddress = '127.0.0.1:1'\ntls_key = 'x'", "listen"),
        ("[[listen]]\naddress = '127.0.0.1:1'\ntrusted_proxies = '10.0.0.1/8'", "listen"),
        ("[[listen]]\naddress = '127.0.0.1:1'\nforwarded_by = 'x'", "listen[0].forwarded_by"),
        ("[[listen]]\naddress = '127.0.0.1:1'\nforwarded_prefixes = ['/s3/']", "listen"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(toml: str, name: str) -> None:
    assert refusal(toml).name == name


def test_a_refusal_tells_the_value_its_source_and_what_would_be_right() -> None:
    error = refusal("", {"ENTREPOT_LOG__LEVEL": "loud"})
    assert (
        str(error) == "log.level: expected one of debug, info, warning, error; it is 'loud', from ENTREPOT_LOG__LEVEL"
    )


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("blob_size = '12XB'", "KiB, MiB, GiB, TiB behind it; it is '12XB', from entrepot.toml"),
        ("blob_size = '1 KiB'", "expected a whole number >= 65536; it is '1 KiB'"),
        ("[schedules]\ncpu_percent = 0", "expected a number >= 0.01; it is 0"),
        ("grace_seconds = '1d'", "expected a whole number of seconds; it is '1d'"),
        ("workers = 'x'", "expected a whole number; it is 'x'"),
    ],
)
def test_a_number_that_is_none_tells_how_to_write_it(toml: str, words: str) -> None:
    assert words in str(refusal(toml))


def test_a_table_of_a_list_is_told_its_brackets() -> None:
    assert "written [[listen]], with two brackets" in str(refusal("[listen]\naddress = '127.0.0.1:1'"))


def test_half_of_a_pair_is_told_with_its_address() -> None:
    error = refusal("[[listen]]\naddress = '127.0.0.1:1'\ntls_key = 'k'")
    assert str(error) == "listen: 127.0.0.1:1: tls_certificate and tls_key go together"


@pytest.mark.parametrize("setting", ["secret_key", "sealing_key", "catalog", "metrics.token"])
def test_a_refusal_never_tells_a_secret(setting: str) -> None:
    error = refusal("", {variable(setting): "a b c"})
    assert error.name == setting
    assert "a b c" not in f"{error} {error!r} {error.value}"


def test_listen_takes_ipv6_and_names() -> None:
    for listen, address in (
        ("[::1]:1", ("::1", 1)),
        ("localhost:0", ("localhost", 0)),
        ("192.0.2.1:80", ("192.0.2.1", 80)),
    ):
        (found,) = load({"listen": listen}, {}).config.listeners
        assert found.host_and_port == address


def test_sealing_key_is_32_bytes() -> None:
    key = bytes(range(32))
    assert load({}, {"ENTREPOT_SEALING_KEY": base64.b64encode(key).decode()}).config.sealing_bytes() == key


def test_a_memory_store_is_for_one_worker() -> None:
    assert settings("workers = 1\n[stores.main]\nkind = 'memory'").config.stores["main"].kind == "memory"


def test_secrets_are_masked() -> None:
    secrets = {
        "ENTREPOT_ACCESS_KEY": "visible1",
        "ENTREPOT_SECRET_KEY": "hidden-1",
        "ENTREPOT_SEALING_KEY": base64.b64encode(b"hidden-2" * 4).decode(),
        "ENTREPOT_CATALOG": "postgresql://user:hidden-3@host/name?password=hidden-4&x=1",
        "ENTREPOT_METRICS__TOKEN": "hidden-5",
        "ENTREPOT_DOORS__S3__SIGNING_SECRET": "hidden-6",
    }
    loaded = load({}, secrets)
    text = repr(loaded.settings)
    assert "hidden" not in text
    assert secrets["ENTREPOT_SEALING_KEY"] not in text
    assert shown(loaded, "access_key") == "visible1"
    assert shown(loaded, "catalog") == "postgresql://user:********@host/name?password=********&x=1"
    assert loaded.config.secret_key == "hidden-1"
    assert "hidden-1" not in repr(loaded.config)
    assert "hidden-3" not in repr(loaded.config)


def test_doors_are_handed_their_settings_as_they_were_given() -> None:
    toml = "[doors.tus]\nchunk = 5\n[doors.tus.inner]\nx = [1, 2]\n"
    loaded = settings(toml, {"ENTREPOT_DOORS__TUS__CHUNK": "6"})
    assert loaded.config.doors == {"tus": {"chunk": "6", "inner": {"x": [1, 2]}}}
    assert source(loaded, "doors.tus.chunk") == "ENTREPOT_DOORS__TUS__CHUNK"
    assert source(loaded, "doors.tus.inner.x") == "entrepot.toml"


def test_the_word_that_closes_a_door_is_read_with_every_other_setting() -> None:
    toml = "[doors.s3]\nenabled = false\n[doors.tus]\nenabled = true\nx = 1"
    assert settings(toml).config.doors == {"s3": {"enabled": False}, "tus": {"enabled": True, "x": 1}}
    loaded = settings("", {"ENTREPOT_DOORS__S3__ENABLED": "false"})
    assert loaded.config.doors == {"s3": {"enabled": False}}
    assert shown(loaded, "doors.s3.enabled") is False
    assert source(loaded, "doors.s3.enabled") == "ENTREPOT_DOORS__S3__ENABLED"
    assert refusal("[doors.s3.enabled]\nx = 1").name == "doors.s3.enabled"


def test_the_file_can_be_named(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("workers = 7")
    Path("entrepot.toml").write_text("workers = 6")
    assert load({}, {}).config.workers == 6
    assert load({}, {"ENTREPOT_CONFIG": str(other)}).config.workers == 7
    assert load({}, {"ENTREPOT_CONFIG": "absent.toml"}, other).config.workers == 7


@pytest.mark.parametrize(
    ("content", "words"), [(None, "no such file"), (b"x = ", "not TOML"), (b"x = '\xff'", "cannot be read")]
)
def test_a_named_file_has_to_be_there_and_to_be_toml(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "named.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigInvalid, match=words) as caught:
        load({}, {}, path)
    assert caught.value.name == str(path)


def test_every_leaf_is_documented() -> None:
    assert [leaf.name for leaf in leaves(Config) if not leaf.description] == []


@dataclass(frozen=True)
class Inner:
    limit: Annotated[int, Meta(ge=1, extra=BYTES)] = 4


@dataclass(frozen=True)
class DoorSettings:
    inner: Inner
    words: tuple[str, ...] = ()
    labels: Annotated[Mapping[str, int], Meta(description="free names")] = field(default_factory=dict)


class StructSettings(msgspec.Struct, frozen=True):
    host: str
    port: int = 80


def test_parse_settings_for_a_door() -> None:
    settings = parse_settings(
        DoorSettings, {"inner": {"limit": "2 KiB"}, "words": "a,b", "labels": {"n": 1}}, "doors.x"
    )
    assert settings == DoorSettings(Inner(2048), ("a", "b"), {"n": 1})
    assert parse_settings(StructSettings, {"host": "h", "port": "81"}, "doors.x") == StructSettings("h", 81)


@pytest.mark.parametrize(
    ("cls", "values", "name", "words"),
    [
        (DoorSettings, {"inner": {"limt": 3}}, "doors.x.inner.limt", "nearest is doors.x.inner.limit"),
        (DoorSettings, {"inner": {"limit": 0}}, "doors.x.inner.limit", ">= 1"),
        (DoorSettings, {}, "doors.x.inner", "has to be set"),
        (DoorSettings, {"inner": 5}, "doors.x.inner", "is a table"),
        (DoorSettings, {"inner": {}, "words": {"a": 1}}, "doors.x.words", "not a table"),
        (StructSettings, {"prt": 1, "host": "h"}, "doors.x.prt", "nearest is doors.x.port"),
        (StructSettings, {}, "doors.x.host", "has to be set"),
    ],
)
def test_parse_settings_refuses_by_full_name(cls: type, values: dict[str, object], name: str, words: str) -> None:
    with pytest.raises(ConfigInvalid, match=words) as caught:
        parse_settings(cls, values, "doors.x")
    assert caught.value.name == name


@given(st.sampled_from(sorted(leaf.name for leaf in leaves(Config) if not {*"*["} & {*leaf.name})), st.data())
def test_a_misspelt_variable_is_never_ignored(name: str, data: st.DataObject) -> None:
    right = variable(name)
    at = data.draw(st.integers(len("ENTREPOT_"), len(right) - 1))
    wrong = right[:at] + right[at + 1 :]
    known = {variable(leaf.name) for leaf in leaves(Config)} | {"ENTREPOT_CONFIG"}
    if wrong not in known:
        with pytest.raises(ConfigInvalid, match=wrong.replace("$", r"\$")):
            load({}, {wrong: "1"})
