"""Settings: frozen, typed, validated before the first I/O, read once in a composition root and passed down.

Every value comes from the environment as `FRESHAX_<SECTION>__<FIELD>` (12-factor), or from a file named by
`FRESHAX_CONFIG` (YAML, the same sections); the environment wins. A secret may also be given as a file:
`FRESHAX_<SECTION>__<FIELD>_FILE`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError
from pydantic.fields import FieldInfo

from schemas.failures import FatalError

PREFIX = "FRESHAX_"


class Section(BaseModel):
    """Base of one concern's settings: frozen, unknown keys refused (a typo must not be silent)."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaSettings(Section):
    """Connection to the brokers."""

    bootstrap_servers: str = Field("localhost:9092", description="Brokers, host:port, comma separated.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to connect; SASL_SSL outside a trusted network."
    )
    sasl_mechanism: str | None = Field(None, description="SASL mechanism, e.g. SCRAM-SHA-512.")
    sasl_username: str | None = Field(None, description="SASL user.")
    sasl_password: SecretStr | None = Field(None, description="SASL password.")
    ssl_ca_file: Path | None = Field(None, description="CA bundle of the brokers; the system's when not set.")
    replication_factor: int = Field(1, ge=1, le=7, description="Copies of each topic; 3 in production.")
    delivery_timeout_seconds: float = Field(
        30, gt=0, le=600, description="Longest wait for a record's delivery; after it the record counts as not written."
    )

    def client_config(self) -> dict[str, Any]:
        """Settings common to every librdkafka client."""
        config: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
        }
        if self.sasl_mechanism and self.sasl_username and self.sasl_password:
            config["sasl.mechanism"] = self.sasl_mechanism
            config["sasl.username"] = self.sasl_username
            config["sasl.password"] = self.sasl_password.get_secret_value()
        if self.ssl_ca_file:
            config["ssl.ca.location"] = str(self.ssl_ca_file)
        return config


class RegistrySettings(Section):
    """Schema registry with Confluent's API."""

    url: str = Field("http://localhost:8081/apis/ccompat/v7", description="Base URL of the Confluent-compatible API.")
    username: str | None = Field(None, description="Basic auth user, if the registry asks for it.")
    password: SecretStr | None = Field(None, description="Basic auth password.")
    timeout_seconds: float = Field(5, gt=0, le=60, description="Deadline of one registry call.")


class FreshBooksSettings(Section):
    """FreshBooks API, account and OAuth2 application."""

    api_url: str = Field("https://api.freshbooks.com", description="Base of the API.")
    account_id: str = Field("", description="Accounting account, e.g. ZyQ04o. Required where FreshBooks is used.")
    business_id: int | None = Field(None, description="Business; found from the identity when not set.")
    kinds: str = Field(
        "",
        description="Kinds that are listened to and polled, e.g. `client,invoice,payment`; all when empty. Leave out "
        "what the account or its scopes have no access to (bills need Accounts Payable).",
    )
    client_id: str = Field("", description="OAuth2 application id.")
    client_secret: SecretStr = Field(SecretStr(""), description="OAuth2 application secret.")
    redirect_uri: str = Field("", description="Redirect URI registered for the application; sent on refresh too.")
    refresh_token: SecretStr = Field(
        SecretStr(""), description="First refresh token, used once to fill an empty token file."
    )
    token_file: Path = Field(
        Path("freshbooks-token"), description="Encrypted token pair; shared by all processes of one account."
    )
    token_key: SecretStr = Field(SecretStr(""), description="Fernet key that encrypts the token and verifier files.")
    timeout_seconds: float = Field(15, gt=0, le=120, description="Deadline of one API call.")
    retry_budget_seconds: float = Field(
        45, gt=0, le=600, description="How long one call is retried (429, 5xx, timeouts) before it counts as failed."
    )
    reads_per_minute: int = Field(500, ge=1, description="Own limit for reads and updates, per account and process.")
    writes_per_minute: int = Field(200, ge=1, description="Own limit for creates, per account and process.")


class WebhookSettings(Section):
    """Webhook listener."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str = Field("", description="Where FreshBooks reaches us (https); callbacks are registered below it.")
    verifier_file: Path = Field(
        Path("freshbooks-verifiers"),
        description="Encrypted verifiers, one per callback: losing one means new callbacks.",
    )
    max_body_bytes: int = Field(65536, ge=256, le=1048576, description="Larger bodies are refused before parsing.")
    body_timeout_seconds: float = Field(10, gt=0, le=60, description="Slower bodies are refused.")
    register_callbacks: bool = Field(True, description="Register and verify callbacks at start.")
    allow_http: bool = Field(False, description="Accept an http public_url: for the sandbox only.")


class PollSettings(Section):
    """Reconciler that finds what no webhook told."""

    interval_seconds: float = Field(60, gt=0, le=86400, description="Pause between two rounds.")
    overlap_days: int = Field(1, ge=0, le=31, description="Days looked back: updated_min has day granularity.")
    page_size: int = Field(100, ge=1, le=100, description="Entities per page; FreshBooks caps it at 100.")
    pages_per_round: int = Field(
        20,
        ge=1,
        description="Most pages that a round reads of a kind whose list cannot be asked for changes (bills, vendors, "
        "bill payments, credit notes, categories, taxes); the next round goes on behind them.",
    )


class AxSqlSettings(Section):
    """SQL Server of AX, read only."""

    driver: str = Field(
        "ODBC Driver 18 for SQL Server", description="ODBC driver: a registered name or a library path."
    )
    server: str = Field("localhost", description="Host, or listener of an availability group.")
    port: int = Field(1433, ge=1, le=65535, description="Port.")
    database: str = Field("AX", description="AX business database.")
    authentication: Literal["sql", "kerberos"] = Field(
        "sql",
        description="sql: login and password. kerberos: the Windows account whose ticket the process holds (kinit, a "
        "keytab); then no password is set. Kerberos was not tried against a real domain.",
    )
    user: str = Field(
        "freshax_reader",
        description="Login with least rights. With kerberos it is not sent: DOMAIN\\account, for `capture plan` alone.",
    )
    password: SecretStr = Field(SecretStr(""), description="Its password.")
    server_spn: str | None = Field(
        None,
        description="Service principal of SQL Server for Kerberos, MSSQLSvc/host:port; the usual one when not set.",
    )
    kerberos_realm: str | None = Field(
        None, description="Realm of SQL Server, for FreeTDS; Microsoft's driver takes krb5.conf's."
    )
    encrypt: Literal["yes", "no", "strict"] = Field("yes", description="TLS; `no` only on loopback.")
    trust_server_certificate: bool = Field(False, description="Skip the certificate check: development only.")
    server_certificate: Path | None = Field(None, description="Exact certificate to accept, PEM or DER (Driver 18).")
    hostname_in_certificate: str | None = Field(
        None, description="Name that the certificate must bear when it is not `server`'s (Driver 18 only)."
    )
    multi_subnet_failover: bool = Field(
        False, description="Try all addresses of a listener at once (Driver 18 only): for a group over several subnets."
    )
    application_intent: Literal["ReadOnly", "ReadWrite"] = Field(
        "ReadOnly", description="ReadOnly lets a listener route us to a readable secondary."
    )
    login_timeout_seconds: int = Field(10, ge=1, le=120, description="Deadline of a login.")
    query_timeout_seconds: int = Field(60, ge=1, le=3600, description="Deadline of one query.")


TableName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z_][A-Za-z0-9_]*\.)?[A-Za-z_][A-Za-z0-9_]{0,99}$")]


class CaptureSettings(Section):
    """AX change capture."""

    name: str = Field("ax", description="Logical name of the source in the envelope.")
    tables: tuple[TableName, ...] = Field(
        ("dbo.CUSTTABLE", "dbo.DIRPARTYTABLE"),
        description="Tables to capture, a JSON list in the environment; these two are captured in any case.",
    )
    register_schemas: bool = Field(
        True,
        description="Register a new version of a table's schema when its capture instance has more columns; "
        "off: stop, until `freshax schemas apply --from-catalog` has.",
    )
    poll_interval_seconds: float = Field(0.5, gt=0, le=60, description="Pause between two polls of an idle feed.")
    max_transactions: int = Field(500, ge=1, le=100000, description="Most transactions read by one poll.")
    snapshot_chunk_rows: int = Field(2000, ge=1, le=100000, description="Rows per chunk of a snapshot.")
    snapshot_rows_per_second: int = Field(
        0, ge=0, le=10_000_000, description="Bound on all snapshots together, to spare AX; 0: none."
    )
    connections: int = Field(
        4, ge=2, le=64, description="Connections that read tables side by side; one more asks what is new."
    )
    group: str = Field("freshax.capture", description="Consumer group of the lease: of its captures one writes.")
    lease_seconds: float = Field(
        10, ge=1, le=300, description="A capture that was not heard of for so long loses the lease to one that waits."
    )
    instance_id: str | None = Field(
        None,
        description="Name of this capture; after a crash it takes its lease up again at once. One name, one process.",
    )
    heartbeat_seconds: float = Field(10, gt=0, le=3600, description="How often an idle capture stores its position.")
    stalled_after_seconds: float = Field(
        600,
        gt=0,
        description="No captured commit for so long is reported: the capture job may be stopped. In quiet times it "
        "writes a dummy commit about every 300 s, so stay well above.",
    )


class AifSettings(Section):
    """AX document services."""

    url: str = Field("", description="Address of the HTTP port's .svc. Required where AX is written.")
    company: str = Field("usmf", description="Legal entity (DATAAREAID) written to by default.")
    language: str = Field("en-us", description="Language of fault texts: keep it, they are matched.")
    partition_key: str | None = Field(None, description="AX partition; the caller's default when not set.")
    auth: Literal["ntlm", "basic", "none"] = Field("ntlm", description="How to authenticate; basic only over https.")
    user: str = Field("", description="Windows account, DOMAIN\\user.")
    password: SecretStr = Field(SecretStr(""), description="Its password.")
    timeout_seconds: float = Field(70, gt=0, le=600, description="Deadline of a call; AX's own send timeout is 60 s.")
    retry_budget_seconds: float = Field(60, gt=0, le=600, description="How long one command is retried in place.")
    max_concurrent_calls: int = Field(8, ge=1, le=64, description="Calls under way at once; each key keeps its order.")
    wsdl_folder: Path | None = Field(
        None, description="The site's own WSDL and XSD files (xppservice.wsdl, …); the ones shipped when not set."
    )
    services: dict[str, str] = Field(
        {},
        description='Services that the port names otherwise, as JSON: {"VendorService": "VendVendTableService"}.',
    )
    ca_file: Path | None = Field(None, description="CA bundle of the port; the system's when not set.")
    unprefixed_xsi_type: bool = Field(False, description="Rewrite Customer for ports that refuse a prefixed xsi:type.")


class FlowSettings(Section):
    """Which flows run, and this environment's values for them."""

    directory: Path | None = Field(
        None, description="Folder of flow and mapping files; the built-in ones when not set."
    )
    overrides: Path | None = Field(None, description="YAML merged over the flows' settings for this environment.")


class WorkerSettings(Section):
    """Faust workers."""

    group_prefix: str = Field("freshax", description="Consumer groups are <prefix>.<agent>.")
    batch_max: int = Field(200, ge=1, le=10000, description="Most records an agent takes at once.")
    batch_within_seconds: float = Field(0.02, gt=0, le=5, description="How long an agent waits to fill a batch.")
    commit_interval_seconds: float = Field(0.5, gt=0, le=60, description="How often offsets are committed.")
    session_timeout_seconds: float = Field(10, ge=6, le=300, description="A silent worker loses its partitions after.")
    data_dir: Path = Field(Path(".freshax-worker"), description="Folder for Faust's own files.")


class ObserveSettings(Section):
    """Metrics, health and logs."""

    host: str = Field("127.0.0.1", description="Address of /metrics, /healthz and /readyz.")
    port: int = Field(0, ge=0, le=65535, description="Their port; 0 takes a free one and logs it.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level logged.")
    log_format: Literal["json", "console"] = Field("json", description="json for machines, console for people.")
    stalled_after_seconds: float = Field(
        120, gt=0, description="/healthz fails when work waits and none is done so long."
    )


class Settings(Section):
    """All sections."""

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    registry: RegistrySettings = Field(default_factory=RegistrySettings)
    freshbooks: FreshBooksSettings = Field(default_factory=FreshBooksSettings)
    webhook: WebhookSettings = Field(default_factory=WebhookSettings)
    poll: PollSettings = Field(default_factory=PollSettings)
    ax_sql: AxSqlSettings = Field(default_factory=AxSqlSettings)
    capture: CaptureSettings = Field(default_factory=CaptureSettings)
    aif: AifSettings = Field(default_factory=AifSettings)
    flow: FlowSettings = Field(default_factory=FlowSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    observe: ObserveSettings = Field(default_factory=ObserveSettings)

    def require(self, *fields: str) -> Self:
        """Return self when every `section.field` is set. Raises FatalError that names the missing ones."""
        missing = [name for name in fields if not _is_set(self, name)]
        if missing:
            names = ", ".join(f"{PREFIX}{name.replace('.', '__').upper()}" for name in missing)
            raise FatalError("setting_missing", f"reading settings: {names} must be set")
        return self


def _is_set(settings: Settings, name: str) -> bool:
    section, field = name.split(".")
    value = getattr(getattr(settings, section), field)
    return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read settings from `environment` (the process's own by default) and its FRESHAX_CONFIG file.

    Raises: FatalError (code setting_invalid) naming variable, value and limit of everything that is wrong.
    """
    environment = os.environ if environment is None else environment
    values = _read_file(environment.get(f"{PREFIX}CONFIG"))
    problems: list[str] = []
    for name, text in environment.items():
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        section, _, field = name.removeprefix(PREFIX).lower().partition("__")
        if section not in Settings.model_fields:
            problems.append(f"{name}: there is no section {section!r}; sections: {', '.join(Settings.model_fields)}")
            continue
        target = values.setdefault(section, {})
        known = Settings.model_fields[section].annotation
        if field.endswith("_file") and known is not None and field not in known.model_fields:
            field, text = field.removesuffix("_file"), Path(text).read_text("utf-8").strip()
        target[field] = _parsed(known.model_fields.get(field) if known is not None else None, text, name, problems)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [_describe(detail) for detail in error.errors()]
    if problems:
        raise FatalError("setting_invalid", "reading settings: " + "; ".join(problems))
    return settings


def _parsed(field: FieldInfo | None, text: str, name: str, problems: list[str]) -> Any:
    """The value of a variable: a list is given as JSON, everything else as it is written."""
    if field is None or get_origin(field.annotation) is not tuple:
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        problems.append(f"{name}: give a JSON list, e.g. {json.dumps(list(field.default))} ({error})")
        return field.default


def _read_file(path: str | None) -> dict[str, dict[str, Any]]:
    if not path:
        return {}
    content = yaml.safe_load(Path(path).read_text("utf-8")) or {}
    if not isinstance(content, dict) or not all(isinstance(part, dict) for part in content.values()):
        raise FatalError("setting_invalid", f"reading settings: {path} must hold sections with fields")
    return content


def _describe(detail: Any) -> str:
    """One validation error without the value of a secret: variable, what was given, what is allowed."""
    location = detail["loc"]
    name = f"{PREFIX}{'__'.join(str(part) for part in location).upper()}"
    section = Settings.model_fields.get(str(location[0]))
    secret = False
    if section is not None and section.annotation is not None and len(location) > 1:
        field = section.annotation.model_fields.get(str(location[1]))
        secret = field is not None and "SecretStr" in str(field.annotation)
    given = "" if secret or detail["type"] in ("extra_forbidden", "missing") else f" (given: {detail['input']!r})"
    what = "there is no such setting" if detail["type"] == "extra_forbidden" else detail["msg"]
    return f"{name}: {what}{given}"
