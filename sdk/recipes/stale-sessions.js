// Ends sessions that nobody has touched for hours.
// Replaces `who -u`, then `pkill -t pts/3`; and `quser`, then `logoff ID`.
import { listSessions } from "msp:automation/device-people";
import { getProcess } from "msp:automation/process";
import { terminateProcess } from "msp:automation/process-control";
import { queryTable } from "msp:automation/query";
import { getParameters } from "msp:automation/run";

export const manifest = {
  description: "Ends sessions that nobody has touched for hours",
  capabilities: {
    "device-people": { reason: "Reads who is logged in, and since when nothing was typed" },
    query: { scope: ["logged_in_users"], reason: "Reads which process holds a session's terminal" },
    process: { scope: ["login", "sshd*", "*sh"], reason: "Looks whether that is still the same process" },
    "process-control": { scope: ["login", "sshd*", "*sh"], reason: "Ends the session" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      hours: { type: "integer", minimum: 1, default: 12, description: "Untouched for so long is stale" },
      keep: { type: "array", items: { type: "string" }, default: [], description: "Accounts whose sessions stay" },
    },
  },
};

/** @type {{ hours: number, keep: string[] }} */
const { hours, keep } = JSON.parse(getParameters());

/** @type {import("msp:automation").Detect} */
export function detect() {
  const sessions = listSessions();
  const stale = sessions.filter(({ user, idleSeconds }) => idleSeconds > hours * 3600 && !keep.includes(user));
  return {
    verdict: stale.length ? "non-compliant" : "compliant",
    summary: `${stale.length} of ${sessions.length} sessions are stale`,
    findings: stale.map(({ user, idleSeconds, startedMs, attributes }) => {
      const { terminal = "", "remote-host": host = "this machine" } = Object.fromEntries(attributes);
      return {
        fingerprint: `session:${user}@${terminal}`,
        title: `${user} has not touched ${terminal} for ${Math.floor(idleSeconds / 3600)} hours`,
        severity: "warning",
        target: terminal,
        evidence: `since ${new Date(startedMs).toISOString()}, from ${host}`,
        remediable: terminal !== "",
      };
    }),
  };
}

/**
 * Whether the session at a terminal is ended.
 * @param {number} leader
 */
function end(leader) {
  try {
    const { pid, startedMs } = getProcess(leader);
    return terminateProcess(pid, startedMs, 5000).effect !== "unchanged";
  } catch (error) {
    // Somebody left meanwhile, or it is a session of another kind.
    if (!(error instanceof HostError && ["conflict", "denied", "not-found"].includes(error.kind))) throw error;
    console.warn(`process ${leader} stays:`, error.message);
    return false;
  }
}

/** @type {import("msp:automation").Remediate} */
export function remediate(findings) {
  const { values } = queryTable("logged_in_users", ["tty", "pid"], [], 10_000);
  const leaders = new Map(values.map(([terminal, pid]) => [terminal, Number(pid)]));
  const ended = findings.filter(({ target }) => end(leaders.get(target) ?? 0));
  return { summary: `ended ${ended.length} of ${findings.length} sessions` };
}
