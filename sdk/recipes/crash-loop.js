// Stops services that crash and are started again and again, and raises a ticket for each: somebody has to look.
// Replaces `systemctl show -p NRestarts`, `journalctl -u app | grep -c "Main process exited"`, and `Get-WinEvent` for event 7031.
import { getParameters, now } from "msp:automation/run";
import { getService } from "msp:automation/service";
import { stopService } from "msp:automation/service-control";
import { raiseTicket } from "msp:automation/ticket";

export const manifest = {
  description: "Stops services that crash again and again",
  capabilities: {
    service: { scope: ["{services}"], reason: "Reads how often they were started again" },
    "service-control": { scope: ["{services}"], reason: "Stops those that do not stay" },
    ticket: { scope: ["*"], reason: "Asks a person to look" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    required: ["services"],
    properties: {
      services: { type: "array", items: { type: "string" }, minItems: 1, description: "Their names, without .service" },
      restarts: { type: "integer", minimum: 1, default: 5, description: "Started again so often is too often" },
      minutes: { type: "integer", minimum: 1, default: 10, description: "What runs for longer than this stays" },
    },
  },
};

/** @type {{ services: string[], restarts: number, minutes: number }} */
const { services, restarts, minutes } = JSON.parse(getParameters());

/** @param {string} name */
function look(name) {
  try {
    const { state, sinceMs = 0, attributes } = getService(name);
    const details = Object.fromEntries(attributes);
    const isYoung = now() - sinceMs < minutes * 60_000;
    return {
      name,
      restarts: Number(details.restarts ?? 0),
      isLooping: state === "start-pending" || (state === "running" && isYoung),
      // systemd has given up already.
      isOver: state === "failed" && details.result === "start-limit-hit",
      evidence: Object.entries({ state, ...details }).map(([name, value]) => `${name}: ${value}`).join("\n"),
    };
  } catch (error) {
    if (!(error instanceof HostError && error.kind === "not-found")) throw error;
    return { name, restarts: 0, isLooping: false, isOver: false, evidence: error.message };
  }
}

/** @type {import("msp:automation").Detect} */
export function detect() {
  const troubles = services.map(look).filter((it) => it.restarts >= restarts && (it.isLooping || it.isOver));
  return {
    verdict: troubles.length ? "non-compliant" : "compliant",
    summary: `${troubles.length} of ${services.length} services crash again and again`,
    findings: troubles.map(({ name, restarts, isLooping, evidence }) => ({
      fingerprint: `crash-loop:${name}`,
      title: `${name} was started again ${restarts} times and does not stay`,
      severity: "error",
      target: name,
      evidence,
      remediable: isLooping,
    })),
  };
}

/** @type {import("msp:automation").Remediate} */
export function remediate(findings) {
  for (const { fingerprint, title, evidence, severity, target } of findings) {
    stopService(target, 30_000);
    const body = `${title}, so it was stopped.\n\n${evidence}`;
    raiseTicket({ fingerprint, title, body, severity, kind: "incident", impact: "medium", urgency: "high" });
  }
  return { summary: `stopped ${findings.map(({ target }) => target).join(", ")}` };
}
