"""Receipts (SPEC.md 6.7) of orders that end."""

from wire import clock


def payload(place, row, status, now):
    made = {
        "order": place, "status": status, "subject": row["subject"], "key": row["key"], "replaces": row["replaces"],
    }
    if row["cert_id"]:
        made["certID"] = row["cert_id"]
    made["time"] = clock.write_time(now)
    return made
