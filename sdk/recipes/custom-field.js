// Keeps a field of your own with this machine, such as who is responsible for it, and reports it with the inventory.
// Replaces `echo ann >/etc/responsible`, a registry key of your own, and `Ninja-Property-Set`.
import { getValue } from "msp:automation/kv";
import { putValue } from "msp:automation/kv-write";
import { getParameters } from "msp:automation/run";

export const manifest = {
  description: "Keeps a field of your own with this machine",
  capabilities: {
    kv: { scope: ["field/{field}"], reason: "Reads the field" },
    "kv-write": { scope: ["field/{field}"], reason: "Sets the field" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      field: { type: "string", pattern: "^[a-z][a-z0-9-]{0,63}$", default: "responsible", description: "What it is called" },
      value: { type: "string", maxLength: 900, description: "What it should be; without it, it is only reported" },
    },
  },
};

const { field, value } = JSON.parse(getParameters());
const key = `field/${field}`;

/** @type {import("msp:automation").Detect} */
export function detect() {
  const is = getValue(key)?.value;
  const facts = JSON.stringify({ [field]: is ?? null });
  const evidence = is ? `${field} is ${is}` : `${field} is not set`;
  if (!value || is === value) return { verdict: "compliant", summary: evidence, facts };
  const title = `${field} should be ${value}`.slice(0, 200);
  return {
    verdict: "non-compliant",
    summary: evidence,
    findings: [{ fingerprint: `field:${field}`, title, severity: "info", target: field, evidence, remediable: true }],
    facts,
  };
}

/** @type {import("msp:automation").Remediate} */
export function remediate() {
  putValue(key, value, undefined, 0);
  return { summary: `${field} is ${value}` };
}
