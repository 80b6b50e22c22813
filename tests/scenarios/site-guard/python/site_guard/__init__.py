"""Looks after a web site on this machine: its service, what it answers, and its logs."""

import json
import logging
from dataclasses import dataclass

from msp.automation import ErrorKind, Finding, HostError, HttpRequest, Remedy, Report, Severity, Verdict
from msp.automation import device, files, files_write, http, kv, kv_write, notify, run, secrets, service, service_control, ticket

DAY_MS = 24 * 60 * 60 * 1000
# Starts within an hour after which a person is asked instead.
STARTS_MAX = 3


@dataclass
class Site:
    service: str
    url: str | None
    keep_days: int


def site() -> Site:
    given = json.loads(run.get_parameters())
    return Site(given["service"], given.get("url"), given["keep-days"])


def detect() -> Report:
    here, it = device.get_identity(), site()
    try:
        state = service.get_service(it.service).state
    except HostError as error:
        if error.kind != ErrorKind.NOT_FOUND:
            raise
        return Report(verdict=Verdict.NOT_APPLICABLE, summary=f"there is no {it.service} here")
    looks = [down(it, state) if state != service.ServiceState.RUNNING else None, ill(it), old(it)]
    findings = [finding for finding in looks if finding]
    run.metric("findings", len(findings), "1", {"service": it.service})
    logging.info("looked")
    return Report(
        verdict=Verdict.NON_COMPLIANT if findings else Verdict.COMPLIANT,
        summary=f"{len(findings)} things are wrong with {it.service}" if findings else f"{it.service} is well",
        findings=findings,
        facts=json.dumps({"hostname": here.hostname, "tags": here.tags}),
    )


def remediate(findings: list[Finding]) -> Remedy:
    mend = {"start": start, "give-up": give_up, "clean": clean}
    it = site()
    return Remedy(summary=", ".join(mend[finding.attributes["about"]](it, finding) for finding in findings))


def down(it: Site, state: service.ServiceState) -> Finding:
    count = starts(it)
    return Finding(
        fingerprint=f"service:{it.service}",
        title=f"{it.service} is {state}",
        severity=Severity.ERROR if count < STARTS_MAX else Severity.CRITICAL,
        target=it.service,
        evidence=f"{count} starts in the last hour",
        remediable=True,
        attributes={"about": "start" if count < STARTS_MAX else "give-up"},
    )


def ill(it: Site) -> Finding | None:
    """What the site says is wrong, or that it does not answer."""
    if not it.url:
        return None
    finding = Finding(
        fingerprint=f"health:{it.url}",
        title="the site does not answer",
        severity=Severity.WARNING,
        target=it.url,
        evidence="",
        remediable=False,
    )
    try:
        response = http.get(HttpRequest(url=it.url, timeout_ms=5000), secrets.open_bearer("site-token"))
    except HostError as error:
        if error.kind not in (ErrorKind.TIMEOUT, ErrorKind.UNAVAILABLE):
            raise
        finding.evidence = error.code
        return finding
    health = json.loads(response.body)
    finding.title = f"the site is {health['status']}, with {health['queue']} waiting"
    finding.evidence = f"HTTP {response.status}"
    return None if health["status"] == "ok" else finding


def old(it: Site) -> Finding | None:
    logs = old_logs(it)
    if not logs:
        return None
    return Finding(
        fingerprint="old-logs",
        title=f"{len(logs)} logs are older than {it.keep_days} days",
        severity=Severity.INFO,
        target="logs",
        evidence="\n".join(log.path for log in logs),
        remediable=True,
        attributes={"about": "clean", "bytes": str(sum(log.size_bytes for log in logs))},
    )


def old_logs(it: Site) -> list[files.Entry]:
    selection = files.Selection(
        max_depth=4,
        pattern="**/*.log",
        modified_before_ms=run.now() - it.keep_days * DAY_MS,
        limit=1000,
        attributes={"kind": "file"},
    )
    return files.find_entries("logs", "", selection).items


def starts(it: Site) -> int:
    kept = kv.get_value(f"starts/{it.service}")
    return int(kept.value) if kept else 0


def start(it: Site, finding: Finding) -> str:
    kv_write.put_value(f"starts/{it.service}", str(starts(it) + 1), None, 3600)
    try:
        change = service_control.start_service(it.service, 10_000)
    except HostError as error:
        tell(it, finding, f"it does not start: {error.code}")
        return f"{it.service} does not start"
    ticket.resolve_if_mine(finding.fingerprint, "it was started")
    return f"{it.service}: {change.effect}"


def give_up(it: Site, finding: Finding) -> str:
    tell(it, finding, "it was started again and again")
    told = notify.trigger_event(
        notify.Notification(
            dedup_key=finding.fingerprint,
            audience="on-call",
            severity=finding.severity,
            summary=finding.title,
            component=it.service,
            group="",
            event_class="",
        )
    )
    return f"left to a person: {told.outcome}"


def tell(it: Site, finding: Finding, body: str) -> None:
    ticket.raise_ticket(
        ticket.Draft(
            fingerprint=finding.fingerprint,
            kind=ticket.Kind.INCIDENT,
            title=finding.title,
            body=body,
            impact=ticket.Level.MEDIUM,
            urgency=ticket.Level.HIGH,
            severity=finding.severity,
            attributes={"service": it.service},
        )
    )


def clean(it: Site, finding: Finding) -> str:
    listed_ms = run.now()
    removed = files_write.remove_entries("logs", [log.path for log in old_logs(it)], listed_ms)
    size = sum(removal.quarantined_bytes for removal in removed if not removal.error)
    return f"{len(removed)} logs, {size} bytes"
