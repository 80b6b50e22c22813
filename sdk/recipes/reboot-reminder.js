// Reminds somebody, once a week, of a machine that waits for a reboot, and takes it back when that is done.
// Replaces `[ -e /var/run/reboot-required ] && mail …`, and a look at `…\WindowsUpdate\Auto Update\RebootRequired`.
import { getRebootState } from "msp:automation/device";
import { getValue } from "msp:automation/kv";
import { putValue, removeValue } from "msp:automation/kv-write";
import { resolveEvent, triggerEvent } from "msp:automation/notify";
import { getParameters } from "msp:automation/run";

export const manifest = {
  description: "Reminds somebody of a machine that waits for a reboot",
  capabilities: {
    device: { reason: "Reads whether a reboot is due, and why" },
    kv: { scope: ["reminded"], reason: "Reads whether somebody was reminded" },
    "kv-write": { scope: ["reminded"], reason: "Notes that, so that nobody is told every hour" },
    notify: { scope: ["{audience}"], reason: "Reminds the audience" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      audience: { type: "string", default: "technician", description: "Who is reminded, by a route of host policy" },
      days: { type: "integer", minimum: 1, default: 7, description: "Reminded again after so many days" },
    },
  },
};

const { audience, days } = JSON.parse(getParameters());
const { pending, reasons } = getRebootState();
const due = `a reboot is due: ${reasons.join(", ")}`;

/** @type {import("msp:automation").Detect} */
export function detect() {
  const reminded = getValue("reminded");
  const findings = [];
  if (pending) findings.push({ fingerprint: "reboot", title: due, remediable: false });
  if (pending && !reminded) findings.push({ fingerprint: "reminder", title: "nobody was reminded", remediable: true });
  if (!pending && reminded) findings.push({ fingerprint: "over", title: "the reminder still stands", remediable: true });
  return {
    verdict: findings.length ? "non-compliant" : "compliant",
    summary: pending ? due : "no reboot is due",
    findings: findings.map((finding) => ({ ...finding, severity: "warning", target: "reboot", evidence: reasons.join("\n") })),
  };
}

/** @type {import("msp:automation").Remediate} */
export function remediate() {
  if (!pending) {
    resolveEvent(audience, "reboot");
    removeValue("reminded");
    return { summary: "took the reminder back" };
  }
  triggerEvent({
    dedupKey: "reboot",
    audience,
    severity: "warning",
    summary: due,
    component: "",
    group: "",
    eventClass: "reboot due",
  });
  // Last: what could not be told is not noted as told.
  putValue("reminded", due, undefined, days * 86_400);
  return { summary: `reminded ${audience}` };
}
