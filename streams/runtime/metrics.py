"""Every metric of freshax, in one place: prefix `freshax_`, base units, bounded labels, never an id as a label."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, Info

# Round the objective: a document in 3 s, an AIF call in 0.15 s.
_STAGE_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_END_TO_END_BUCKETS = (0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 1800, 7200)

BUILD = Info("freshax_build", "Release that runs.")

EVENTS = Counter("freshax_events_total", "Records by stage and what became of them.", ["stage", "kind", "outcome"])
STAGE_SECONDS = Histogram(
    "freshax_stage_duration_seconds", "Time one record spends in a stage.", ["stage"], buckets=_STAGE_BUCKETS
)
END_TO_END_SECONDS = Histogram(
    "freshax_end_to_end_seconds",
    "Change in the source to confirmation by the target.",
    ["direction", "kind"],
    buckets=_END_TO_END_BUCKETS,
)
LAST_SUCCESS = Gauge(
    "freshax_last_success_timestamp_seconds", "When a stage last finished a record, epoch seconds.", ["stage"]
)
LAG = Gauge("freshax_consumer_lag_records", "End offset minus committed offset.", ["group", "topic", "partition"])
FRESHNESS = Gauge(
    "freshax_freshness_seconds", "Age of the newest confirmed change when it was confirmed.", ["direction", "kind"]
)
LOSSES = Counter("freshax_coercion_losses_total", "Coercions that lost something.", ["flow", "kind"])

DEAD_LETTERS = Counter("freshax_dlq_records_total", "Records sent to the DLQ.", ["stage", "cause_class", "code"])
PARKED = Gauge("freshax_parked_records", "Records that wait for master data.", ["flow"])
PARKED_OLDEST = Gauge("freshax_parked_oldest_seconds", "Age of the oldest parked record.", ["flow"])
RETRIES = Counter("freshax_retries_total", "Calls repeated after a retryable failure.", ["system", "code"])
FATAL = Counter("freshax_fatal_total", "Failures that stopped the process.", ["stage", "code"])

SINK_REQUESTS = Counter(
    "freshax_sink_requests_total", "Calls to the two ends by outcome.", ["system", "operation", "code"]
)
SINK_SECONDS = Histogram(
    "freshax_sink_request_duration_seconds", "Duration of a call.", ["system", "operation"], buckets=_STAGE_BUCKETS
)
SINK_IN_FLIGHT = Gauge("freshax_sink_in_flight_requests", "Calls under way.", ["system"])

WEBHOOKS = Counter("freshax_webhook_requests_total", "Deliveries by outcome.", ["outcome"])
POLL_FOUND = Counter("freshax_poll_found_total", "Changes found by polling that no webhook told.", ["kind"])
TOKEN_EXPIRES = Gauge("freshax_token_expires_timestamp_seconds", "Expiry of the access token, epoch seconds.")
RATE_REMAINING = Gauge("freshax_freshbooks_rate_remaining", "X-RateLimit-Remaining of the newest answer.")

CDC_ROWS = Counter("freshax_cdc_rows_total", "Change rows published.", ["table", "op"])
CDC_LAG_SECONDS = Gauge("freshax_cdc_lag_seconds", "Now minus commit time of the newest captured transaction.")
CDC_HEADROOM = Gauge(
    "freshax_cdc_retention_headroom_seconds",
    "Time until cleanup passes our position and changes are lost; no series while the retention is not readable.",
    ["capture_instance"],
)
CDC_CLOCK_SKEW_SECONDS = Gauge("freshax_cdc_clock_skew_seconds", "SQL Server's clock minus ours.")
AX_SQL_LAST_ANSWER = Gauge(
    "freshax_ax_sql_last_answer_timestamp_seconds", "When AX's SQL Server last answered a query, epoch seconds."
)
SNAPSHOT_ROWS = Gauge("freshax_cdc_snapshot_rows", "Rows written by the newest snapshot of a table.", ["table"])
SNAPSHOT_ESTIMATED_ROWS = Gauge(
    "freshax_cdc_snapshot_estimated_rows", "Rows of the table by SQL Server's count when it began.", ["table"]
)
CAPTURE_LEASE = Gauge("freshax_cdc_lease_held", "1 while this capture is the one that writes; 0: it stands by.")
CDC_REPEATED = Counter("freshax_cdc_positions_dropped_total", "Rows behind a position already passed.", ["table"])

STORE_ROWS = Gauge("freshax_store_rows", "Rows held of a compacted topic.", ["topic"])
STORE_RECOVERY_SECONDS = Gauge("freshax_store_recovery_seconds", "How long the last recovery took.", ["topic"])
