"""What the dashboard `freshax` shows: rows of panels, each a question with its queries. Data only.

Three traps that the queries avoid:

- every process measures the lag of a whole group, so several workers report the same partition: `max` by partition
  first, `sum` after;
- a gauge without labels exists as 0 in processes that never set it: `> 0`, or only where its system is called;
- time stamps are of several processes: the newest one counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_SERVICE = 'service=~"$service"'
_RATE = "[$__rate_interval]"


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and the legend of its series."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One question. `unit` is Grafana's id; `runbook` names the alert whose runbook says what to do.

    `warn_at` and `bad_at` colour a stat; with `bad_at` below `warn_at` low values are the bad ones.
    """

    title: str
    about: str
    unit: str
    queries: tuple[Query, ...]
    kind: Literal["timeseries", "stat"] = "timeseries"
    width: int = 8
    stacked: bool = False
    runbook: str | None = None
    warn_at: float | None = None
    bad_at: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


def _per_minute(selector: str, *by: str) -> str:
    return f"sum by ({', '.join(by)}) (rate({selector}{_RATE})) * 60"


def _quantile(q: str, histogram: str, *by: str) -> str:
    return f"histogram_quantile({q}, sum by ({', '.join((*by, 'le'))}) (rate({histogram}_bucket{{{_SERVICE}}}{_RATE})))"


def _p50_p99(histogram: str, legend: str, *by: str) -> tuple[Query, Query]:
    return (
        Query(_quantile("0.5", histogram, *by), f"p50 {legend}"),
        Query(_quantile("0.99", histogram, *by), f"p99 {legend}"),
    )


MONEY = Row(
    "Is money moving?",
    (
        Panel(
            "Documents confirmed per minute",
            "Confirmations of the target by direction: the one number that says the pipeline works.",
            "short",
            (
                Query(
                    _per_minute(f"freshax_end_to_end_seconds_count{{{_SERVICE}}}", "direction", "kind"),
                    "{{direction}} {{kind}}",
                ),
            ),
            width=10,
            stacked=True,
            runbook="FreshaxNoProgress",
        ),
        Panel(
            "What the sinks did, per minute",
            "Outcomes of commands: created, corrected, already there, written, held, dead-lettered.",
            "short",
            (
                Query(
                    _per_minute(
                        f'freshax_events_total{{{_SERVICE}, stage=~"ax-sink|freshbooks-sink"}}',
                        "stage",
                        "kind",
                        "outcome",
                    ),
                    "{{stage}} {{kind}} {{outcome}}",
                ),
            ),
            width=8,
            stacked=True,
            runbook="FreshaxNoProgress",
        ),
        Panel(
            "Last success",
            "Time since a stage last finished a record. Long is normal when nothing happens in the books.",
            "s",
            (
                Query(
                    f"time() - max by (stage) (freshax_last_success_timestamp_seconds{{{_SERVICE}}})",
                    "{{stage}}",
                ),
            ),
            kind="stat",
            width=6,
            runbook="FreshaxNoProgress",
        ),
    ),
)

THROUGHPUT = Row(
    "Throughput by stage",
    (
        Panel(
            "Records per minute by stage",
            "Every record a stage finished or held. Not a count of documents: one document passes several stages.",
            "short",
            (Query(_per_minute(f"freshax_events_total{{{_SERVICE}}}", "stage"), "{{stage}}"),),
        ),
        Panel(
            "Outcomes per minute",
            "`unchanged` absorbs doubled webhooks and our own echo; `parked` waits; `held` retries.",
            "short",
            (
                Query(
                    _per_minute(f'freshax_events_total{{{_SERVICE}, stage!="poll"}}', "stage", "outcome"),
                    "{{stage}} {{outcome}}",
                ),
            ),
            stacked=True,
        ),
        Panel(
            "Coercions that lost something, per hour",
            "Texts that were cut, amounts that were rounded; each is named in the record's header `freshax.losses`.",
            "short",
            (
                Query(
                    f"sum by (flow, kind) (increase(freshax_coercion_losses_total{{{_SERVICE}}}[1h]))",
                    "{{flow}} {{kind}}",
                ),
            ),
        ),
    ),
)

LATENCY = Row(
    "Latency",
    (
        Panel(
            "End to end",
            "From the change in the source to the confirmation of the target.",
            "s",
            _p50_p99("freshax_end_to_end_seconds", "{{direction}}", "direction"),
        ),
        Panel(
            "Stage",
            "Time that one attempt at one record spends in a stage, its calls included.",
            "s",
            _p50_p99("freshax_stage_duration_seconds", "{{stage}}", "stage"),
        ),
        Panel(
            "Calls to the two ends",
            "Duration of one call. AX answers in some 0.15 s.",
            "s",
            _p50_p99("freshax_sink_request_duration_seconds", "{{system}}", "system"),
        ),
    ),
)

LAG = Row(
    "Lag and freshness",
    (
        Panel(
            "Lag in records",
            "End offset minus committed offset, by consumer group and topic.",
            "short",
            (
                Query(
                    "sum by (group, topic) (max by (group, topic, partition) "
                    f"(freshax_consumer_lag_records{{{_SERVICE}}}))",
                    "{{group}} {{topic}}",
                ),
            ),
            width=12,
            runbook="FreshaxLagGrows",
        ),
        Panel(
            "Freshness",
            "Age that the newest confirmed change had when the target confirmed it. It stands still while nothing is "
            "confirmed: read it beside the lag.",
            "s",
            (
                Query(
                    f"max by (direction, kind) (freshax_freshness_seconds{{{_SERVICE}}})",
                    "{{direction}} {{kind}}",
                ),
            ),
            width=12,
        ),
    ),
)

ASIDE = Row(
    "Set aside: dead letters and parked records",
    (
        Panel(
            "Dead letters by cause",
            "Since the processes started. Each is a document that a person must look at.",
            "short",
            (
                Query(
                    f"sum by (stage, cause_class, code) (freshax_dlq_records_total{{{_SERVICE}}})",
                    "{{stage}} {{code}} ({{cause_class}})",
                ),
            ),
            runbook="FreshaxDeadLetters",
        ),
        Panel(
            "Parked records",
            "Records that wait for master data; they go on by themselves when it arrives.",
            "short",
            (Query(f"max by (flow) (freshax_parked_records{{{_SERVICE}}})", "{{flow}}"),),
            runbook="FreshaxParkedTooOld",
        ),
        Panel(
            "Oldest parked record",
            "Seconds are normal, an hour is not.",
            "s",
            (Query(f"max by (flow) (freshax_parked_oldest_seconds{{{_SERVICE}}})", "{{flow}}"),),
            kind="stat",
            runbook="FreshaxParkedTooOld",
            warn_at=600,
            bad_at=3600,
        ),
    ),
)

FRESHBOOKS = Row(
    "FreshBooks",
    (
        Panel(
            "Calls per minute by answer",
            "429 means that FreshBooks slows us down; the record waits as long as it says.",
            "short",
            (
                Query(
                    _per_minute(f'freshax_sink_requests_total{{{_SERVICE}, system="freshbooks"}}', "code"),
                    "{{code}}",
                ),
            ),
        ),
        Panel(
            "429 per minute",
            "By operation. None is normal.",
            "short",
            (
                Query(
                    _per_minute(
                        f'freshax_sink_requests_total{{{_SERVICE}, system="freshbooks", code="429"}}', "operation"
                    ),
                    "{{operation}}",
                ),
            ),
        ),
        Panel(
            "Rate budget left",
            "X-RateLimit-Remaining of each process's newest answer; only processes that call FreshBooks.",
            "short",
            (
                Query(
                    f"min by (service) (freshax_freshbooks_rate_remaining{{{_SERVICE}}} and on (instance) "
                    'freshax_sink_requests_total{system="freshbooks"})',
                    "{{service}}",
                ),
            ),
        ),
        Panel(
            "Access token expires in",
            "The pair is shared; a process that does not call keeps its old value, so the newest one counts.",
            "s",
            (Query("max(freshax_token_expires_timestamp_seconds > 0) - time()", "token"),),
            kind="stat",
            width=6,
            runbook="FreshaxTokenExpired",
            warn_at=600,
            bad_at=0,
        ),
        Panel(
            "Webhooks per minute by outcome",
            "`accepted` is in Kafka; `forged` has a signature of none of our callbacks; `unconfirmed` got 503.",
            "short",
            (Query(_per_minute(f"freshax_webhook_requests_total{{{_SERVICE}}}", "outcome"), "{{outcome}}"),),
            width=9,
            stacked=True,
            runbook="FreshaxWebhooksRefused",
        ),
        Panel(
            "Found by polling, per hour",
            "Changes that no webhook told.",
            "short",
            (Query(f"sum by (kind) (increase(freshax_poll_found_total{{{_SERVICE}}}[1h]))", "{{kind}}"),),
            width=9,
            runbook="FreshaxWebhooksMissing",
        ),
    ),
)

AX = Row(
    "AX",
    (
        Panel(
            "AIF calls per minute by outcome",
            "`unclear_outcome` is looked up again before anything is repeated.",
            "short",
            (
                Query(
                    _per_minute(f'freshax_sink_requests_total{{{_SERVICE}, system="ax"}}', "operation", "code"),
                    "{{operation}} {{code}}",
                ),
            ),
        ),
        Panel(
            "Calls under way",
            "AIF calls are bounded by `aif.max_concurrent_calls`.",
            "short",
            (Query(f"sum by (system) (freshax_sink_in_flight_requests{{{_SERVICE}}})", "{{system}}"),),
        ),
        Panel(
            "Repeated calls per minute",
            "Retries inside a call's budget, by reason.",
            "short",
            (
                Query(
                    _per_minute(f"freshax_retries_total{{{_SERVICE}}}", "system", "code"),
                    "{{system}} {{code}}",
                ),
            ),
            runbook="FreshaxCaptureFailing",
        ),
    ),
)

CDC = Row(
    "AX change feed (CDC)",
    (
        Panel(
            "Change rows per minute",
            "Published rows by table and operation; r is the snapshot.",
            "short",
            (Query(_per_minute(f"freshax_cdc_rows_total{{{_SERVICE}}}", "table", "op"), "{{table}} {{op}}"),),
        ),
        Panel(
            "Newest captured commit is old",
            "In quiet times SQL Server's capture job writes a dummy commit about every five minutes.",
            "s",
            (Query(f"max(freshax_cdc_lag_seconds{{{_SERVICE}}})", "lag"),),
            runbook="FreshaxCdcStalled",
        ),
        Panel(
            "Time until changes are lost",
            "Until cleanup passes our position. Empty where the reader may not see msdb.dbo.cdc_jobs.",
            "s",
            (
                Query(
                    f"min by (capture_instance) (freshax_cdc_retention_headroom_seconds{{{_SERVICE}}})",
                    "{{capture_instance}}",
                ),
            ),
            runbook="FreshaxCdcHeadroom",
        ),
        Panel(
            "SQL Server last answered",
            "While it grows, the other numbers of this row stand still.",
            "s",
            (
                Query(
                    'time() - max by (service) (freshax_ax_sql_last_answer_timestamp_seconds{service="capture"} > 0)',
                    "{{service}}",
                ),
            ),
            runbook="FreshaxCaptureBlind",
        ),
        Panel(
            "Clock skew",
            "SQL Server's clock minus ours; latency and freshness are wrong by that much.",
            "s",
            (Query('max(freshax_cdc_clock_skew_seconds{service="capture"})', "skew"),),
            runbook="FreshaxCdcClockSkew",
        ),
        Panel(
            "Rows behind a position already passed, per minute",
            "Dropped as repeats after a restart of the capture.",
            "short",
            (Query(_per_minute(f"freshax_cdc_positions_dropped_total{{{_SERVICE}}}", "table"), "{{table}}"),),
        ),
        Panel(
            "Newest snapshot of each table",
            "Rows written, and rows of the table by SQL Server's own count when it began (0: not to be seen).",
            "short",
            (
                Query(f"max by (table) (freshax_cdc_snapshot_rows{{{_SERVICE}}})", "{{table}} written"),
                Query(f"max by (table) (freshax_cdc_snapshot_estimated_rows{{{_SERVICE}}})", "{{table}} estimated"),
            ),
        ),
        Panel(
            "Captures that hold the lease",
            "One writes, the others stand by. 0 for longer than the lease: nobody captures.",
            "short",
            (Query(f"sum(freshax_cdc_lease_held{{{_SERVICE}}})", "holds it"),),
            kind="stat",
        ),
    ),
)

PROCESSES = Row(
    "Stores and processes",
    (
        Panel(
            "Rows held of compacted topics",
            "Every worker holds every row.",
            "short",
            (Query(f"max by (service, topic) (freshax_store_rows{{{_SERVICE}}})", "{{service}} {{topic}}"),),
        ),
        Panel(
            "Recovery of the stores",
            "How long the last recovery at a start took.",
            "s",
            (
                Query(
                    f"max by (service, topic) (freshax_store_recovery_seconds{{{_SERVICE}}})",
                    "{{service}} {{topic}}",
                ),
            ),
        ),
        Panel(
            "Running",
            "Time since the start, by process and release. A process that restarts again and again never grows old.",
            "s",
            (
                Query(
                    f"time() - process_start_time_seconds{{{_SERVICE}}} * on (instance) group_left (release) "
                    "freshax_build_info",
                    "{{service}} {{release}}",
                ),
            ),
            kind="stat",
            runbook="FreshaxRestarts",
        ),
        Panel(
            "Failures that stopped a process",
            "Counted just before the process ends: a scrape may miss one. The process's log has the reason.",
            "short",
            (Query(f"sum by (stage, code) (freshax_fatal_total{{{_SERVICE}}})", "{{stage}} {{code}}"),),
            runbook="FreshaxRestarts",
        ),
        Panel(
            "Memory",
            "Resident memory of each process.",
            "bytes",
            (Query(f"max by (service, instance) (process_resident_memory_bytes{{{_SERVICE}}})", "{{service}}"),),
        ),
        Panel(
            "Processor",
            "Processor seconds per second.",
            "short",
            (Query(f"sum by (service) (rate(process_cpu_seconds_total{{{_SERVICE}}}{_RATE}))", "{{service}}"),),
        ),
    ),
)

ROWS = (MONEY, THROUGHPUT, LATENCY, LAG, ASIDE, FRESHBOOKS, AX, CDC, PROCESSES)
