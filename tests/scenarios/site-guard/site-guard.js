// Looks after a web site on this machine: its service, what it answers, and its logs.

import { getIdentity } from "msp:automation/device";
import { findEntries } from "msp:automation/files";
import { removeEntries } from "msp:automation/files-write";
import { get } from "msp:automation/http";
import { getValue } from "msp:automation/kv";
import { putValue } from "msp:automation/kv-write";
import { triggerEvent } from "msp:automation/notify";
import { getParameters, metric, now } from "msp:automation/run";
import { openBearer } from "msp:automation/secrets";
import { getService } from "msp:automation/service";
import { startService } from "msp:automation/service-control";
import { raiseTicket, resolveIfMine } from "msp:automation/ticket";

export const manifest = {
  name: "site-guard",
  version: "0.1.0",
  publisher: "remit",
  description: "Looks after a web site on this machine: its service, its answer and its logs",
  license: "Apache-2.0",
  capabilities: {
    device: { reason: "Names the machine in what it tells" },
    service: { scope: ["{service}"], reason: "Looks whether the site's service runs" },
    "service-control": { scope: ["{service}"], reason: "Starts it" },
    files: { scope: ["logs"], reason: "Looks for old logs" },
    "files-write": { scope: ["logs"], reason: "Removes them" },
    kv: { scope: ["starts/*"], reason: "Reads how often it has started the service of late" },
    "kv-write": { scope: ["starts/*"], reason: "Counts its starts" },
    http: { scope: ["https://site.example.com"], reason: "Asks the site how it is" },
    secrets: { scope: ["site-token"], reason: "The site tells only who has its token" },
    ticket: { scope: ["*"], reason: "Tells a person what it cannot mend" },
    notify: { scope: ["on-call"], reason: "Calls somebody where starting has not helped again and again" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    required: ["service"],
    properties: {
      service: { type: "string", description: "The site's service." },
      url: { type: "string", description: "Where the site says how it is; not asked where it is left out." },
      "keep-days": { type: "integer", minimum: 0, default: 30, description: "Days that logs are kept." },
    },
  },
};

const DAY_MS = 24 * 60 * 60 * 1000;
/** Starts within an hour after which a person is asked instead. */
const STARTS_MAX = 3;

let service, url, keepDays;

/** Asked where a phase begins: what stands outside of functions is run when a plugin is built. */
const begin = () => ({ service, url, "keep-days": keepDays } = JSON.parse(getParameters()));

export function detect() {
  begin();
  const { hostname, tags } = getIdentity();
  let state;
  try {
    ({ state } = getService(service));
  } catch (error) {
    if (error.kind !== "not-found") throw error;
    return { verdict: "not-applicable", summary: `there is no ${service} here` };
  }
  const findings = [state === "running" ? null : down(state), ill(), old()].filter(Boolean);
  metric("findings", findings.length, "1", { service });
  console.log("looked");
  return {
    verdict: findings.length ? "non-compliant" : "compliant",
    summary: findings.length ? `${findings.length} things are wrong with ${service}` : `${service} is well`,
    findings,
    facts: JSON.stringify({ hostname, tags }),
  };
}

export function remediate(findings) {
  begin();
  const mend = { start, "give-up": giveUp, clean };
  const done = findings.map((finding) => mend[Object.fromEntries(finding.attributes).about](finding));
  return { summary: done.join(", ") };
}

function down(state) {
  const count = starts();
  return {
    fingerprint: `service:${service}`,
    title: `${service} is ${state}`,
    severity: count < STARTS_MAX ? "error" : "critical",
    target: service,
    evidence: `${count} starts in the last hour`,
    remediable: true,
    attributes: { about: count < STARTS_MAX ? "start" : "give-up" },
  };
}

/** What the site says is wrong, or that it does not answer. */
function ill() {
  if (!url) return null;
  const finding = (title, evidence) => ({
    fingerprint: `health:${url}`, title, severity: "warning", target: url, evidence, remediable: false,
  });
  let response;
  try {
    response = get({ url, timeoutMs: 5000 }, openBearer("site-token"));
  } catch (error) {
    if (!["timeout", "unavailable"].includes(error.kind)) throw error;
    return finding("the site does not answer", error.code);
  }
  const health = JSON.parse(new TextDecoder().decode(response.body));
  if (health.status === "ok") return null;
  return finding(`the site is ${health.status}, with ${health.queue} waiting`, `HTTP ${response.status}`);
}

function old() {
  const logs = oldLogs();
  if (!logs.length) return null;
  return {
    fingerprint: "old-logs",
    title: `${logs.length} logs are older than ${keepDays} days`,
    severity: "info",
    target: "logs",
    evidence: logs.map(({ path }) => path).join("\n"),
    remediable: true,
    attributes: { about: "clean", bytes: `${logs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)}` },
  };
}

const oldLogs = () => findEntries("logs", "", {
  maxDepth: 4, pattern: "**/*.log", modifiedBeforeMs: now() - keepDays * DAY_MS, limit: 1000, attributes: { kind: "file" },
}).items;

const starts = () => Number(getValue(`starts/${service}`)?.value ?? 0);

function start(finding) {
  putValue(`starts/${service}`, `${starts() + 1}`, undefined, 3600);
  try {
    const { effect } = startService(service, 10_000);
    resolveIfMine(finding.fingerprint, "it was started");
    return `${service}: ${effect}`;
  } catch (error) {
    raise(finding, `it does not start: ${error.code}`);
    return `${service} does not start`;
  }
}

function giveUp(finding) {
  raise(finding, "it was started again and again");
  const { outcome } = triggerEvent({
    dedupKey: finding.fingerprint, audience: "on-call", severity: finding.severity, summary: finding.title,
    component: service, group: "", eventClass: "",
  });
  return `left to a person: ${outcome}`;
}

function raise({ fingerprint, title, severity }, body) {
  raiseTicket({
    fingerprint, kind: "incident", title, body, impact: "medium", urgency: "high", severity, attributes: { service },
  });
}

function clean() {
  const listedMs = now();
  const removed = removeEntries("logs", oldLogs().map(({ path }) => path), listedMs);
  const bytes = removed.filter(({ error }) => !error).reduce((sum, { quarantinedBytes }) => sum + quarantinedBytes, 0);
  return `${removed.length} logs, ${bytes} bytes`;
}
