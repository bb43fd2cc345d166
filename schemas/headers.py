"""Names of Kafka headers: CloudEvents' Kafka binding, W3C trace context, Kafka Connect's error headers, ours."""

from __future__ import annotations

CE_ID = "ce_id"
CE_SOURCE = "ce_source"
CE_TYPE = "ce_type"
CE_TIME = "ce_time"
CE_SUBJECT = "ce_subject"
TRACEPARENT = "traceparent"

POSITION = "freshax.position"
# On rows of an incremental snapshot: the id of the request that they answer.
SNAPSHOT_ID = "freshax.snapshot"
LOSSES = "freshax.losses"

# Kafka Connect's names, so that its users' tools read our dead letters.
ERRORS_TOPIC = "__connect.errors.topic"
ERRORS_PARTITION = "__connect.errors.partition"
ERRORS_OFFSET = "__connect.errors.offset"
ERRORS_STAGE = "__connect.errors.stage"
ERRORS_CLASS_NAME = "__connect.errors.class.name"
ERRORS_MESSAGE = "__connect.errors.exception.message"

DLQ_CLASS = "freshax.dlq.class"
DLQ_CODE = "freshax.dlq.code"
DLQ_STAGE = "freshax.dlq.stage"
DLQ_FINGERPRINT = "freshax.dlq.fingerprint"
DLQ_FIELD = "freshax.dlq.field"
DLQ_CANDIDATES = "freshax.dlq.candidates"
DLQ_ATTEMPTS = "freshax.dlq.attempts"
DLQ_FIRST_SEEN = "freshax.dlq.first_seen"
DLQ_RELEASE = "freshax.dlq.release"
