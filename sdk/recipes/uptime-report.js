// Says since when this machine runs, and whether that is too long for one that gets its updates.
// Replaces `uptime -s`, and `(Get-Date) - (Get-CimInstance Win32_OperatingSystem).LastBootUpTime`.
import { getIdentity, getLoad, getOs, getRebootState } from "msp:automation/device";
import { getParameters, metric } from "msp:automation/run";

export const manifest = {
  description: "Says since when this machine runs",
  capabilities: {
    device: { reason: "Reads when it was started, and what it runs" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      days: { type: "integer", minimum: 0, default: 90, description: "A machine that runs for longer is a finding" },
    },
  },
};

/** @type {import("msp:automation").Detect} */
export function detect() {
  const { days } = JSON.parse(getParameters());
  const { hostname } = getIdentity();
  const { kernel } = getOs();
  const { bootedMs, pending } = getRebootState();
  const uptimeDays = getLoad().uptimeSeconds / 86_400;
  metric("uptime", uptimeDays, "d", {});

  const booted = new Date(bootedMs).toISOString();
  const title = `${hostname} runs for ${Math.floor(uptimeDays)} days`;
  const evidence = `since ${booted}, kernel ${kernel}, ${pending ? "and waits for a reboot" : "no reboot is due"}`;
  const isLong = uptimeDays > days;
  return {
    verdict: isLong ? "non-compliant" : "compliant",
    summary: `${title}, ${evidence}`,
    findings: isLong
      ? [{ fingerprint: "uptime", title, severity: "warning", target: hostname, evidence, remediable: false }]
      : [],
    facts: JSON.stringify({ hostname, kernel, booted, uptimeDays: Math.round(uptimeDays) }),
  };
}
