"""What Prometheus may count. Labels are names of ours with few values; never ids, never anything of a person."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

WEBHOOKS = Counter(
    "aurevoir_webhooks",
    "Deliveries by their answer: taken, or why they were refused.",
    ["crm", "result"],
)
EVENTS = Counter(
    "aurevoir_webhook_events",
    "What the events of accepted deliveries led to: look, left_alone, ignored, unknown_account, bad, erased.",
    ["crm", "result"],
)
ANSWERS = Counter(
    "aurevoir_answers",
    "Posted forms: saved, unchanged, or why not.",
    ["kind", "result"],
)
LOOKS = Counter("aurevoir_looks", "Looks at deals.", ["account"])
WRITES = Counter("aurevoir_writes", "Keyed writes by the CRM's answer.", ["account", "result"])
WEBHOOK_SECONDS = Histogram(
    "aurevoir_webhook_seconds",
    "Seconds from a delivery's arrival to its answer; senders wait five at most.",
    ["crm"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4),
)
POLLS = Counter("aurevoir_polls", "Polls for changed deals: done, or failed.", ["account", "result"])
RESTS = Counter("aurevoir_rests", "Times that an account had to rest: why.", ["account", "reason"])
BEATS = Counter("aurevoir_heartbeats", "Heartbeats to server.heartbeat_url: done, or failed.", ["result"])
