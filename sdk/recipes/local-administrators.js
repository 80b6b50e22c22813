// Says who may administer this machine and should not.
// Replaces `getent group sudo wheel`, and `Get-LocalGroupMember Administrators`.
import { listUsers } from "msp:automation/device-people";
import { getParameters } from "msp:automation/run";

export const manifest = {
  description: "Says who may administer this machine and should not",
  capabilities: {
    "device-people": { reason: "Reads which accounts are administrators" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      allowed: { type: "array", items: { type: "string" }, default: ["root"], description: "Accounts that may" },
    },
  },
};

/** @type {import("msp:automation").Detect} */
export function detect() {
  const { allowed } = JSON.parse(getParameters());
  const administrators = listUsers().filter(({ administrator }) => administrator);
  const names = administrators.map(({ name }) => name);
  const others = administrators.filter(({ name }) => !allowed.includes(name));
  return {
    verdict: others.length ? "non-compliant" : "compliant",
    summary: `administrators: ${names.join(", ")}`,
    findings: others.map(({ name, uid, groups, enabled, lastLoginMs }) => ({
      fingerprint: `administrator:${name}`,
      title: `${name} is an administrator`,
      // Who cannot log in may be let in again.
      severity: enabled ? "error" : "warning",
      target: name,
      evidence: [
        `uid ${uid}, in ${groups.join(", ")}`,
        enabled ? "can log in" : "cannot log in",
        lastLoginMs ? `last seen ${new Date(lastLoginMs).toISOString()}` : "never seen",
      ].join("\n"),
      remediable: false,
    })),
    facts: JSON.stringify({ administrators: names }),
  };
}
