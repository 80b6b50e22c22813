// Says from where somebody tries passwords, and whether one was right in the end.
// Replaces `lastb | awk '{print $3}' | sort | uniq -c`, and `Get-WinEvent -FilterHashtable @{LogName='Security';Id=4625}`.
import { listLogins } from "msp:automation/device-people";
import { getParameters, now } from "msp:automation/run";

export const manifest = {
  description: "Says from where somebody tries passwords",
  capabilities: {
    "device-people": { reason: "Reads who logged in, and who failed to" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      hours: { type: "integer", minimum: 1, default: 24, description: "So far back" },
      limit: { type: "integer", minimum: 1, default: 10, description: "So many failures from one place are a finding" },
    },
  },
};

/** @type {import("msp:automation").Detect} */
export function detect() {
  const { hours, limit } = JSON.parse(getParameters());
  const logins = listLogins(now() - hours * 3_600_000, 5000);
  const places = Map.groupBy(logins, ({ attributes }) => Object.fromEntries(attributes)["remote-host"] ?? "this machine");
  const attacks = [...places].map(([place, logins]) => {
    const failed = logins.filter(({ success }) => !success);
    const began = Math.min(...failed.map(({ atMs }) => atMs));
    return { place, failed, gotIn: logins.find(({ success, atMs }) => success && atMs > began) };
  }).filter(({ failed }) => failed.length >= limit);
  return {
    verdict: attacks.length ? "non-compliant" : "compliant",
    summary: `${attacks.length} of ${places.size} places failed ${limit} times or more within ${hours} hours`,
    findings: attacks.map(({ place, failed, gotIn }) => ({
      fingerprint: `logins:${place}`,
      title: `${place} failed ${failed.length} times to log in${gotIn ? `, and got in as ${gotIn.user}` : ""}`,
      severity: gotIn ? "critical" : "warning",
      target: place,
      evidence: `as ${[...new Set(failed.map(({ user }) => user))].slice(0, 50).join(", ")}`,
      remediable: false,
    })),
  };
}
