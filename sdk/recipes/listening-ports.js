// Notes which TCP ports are open, and says from then on which opened and which closed. With `accept` it takes what is there as the
// new baseline. Replaces `ss -tlnp | diff - baseline.txt`, and `Get-NetTCPConnection -State Listen | Compare-Object`.
import { getValue } from "msp:automation/kv";
import { putValue } from "msp:automation/kv-write";
import { queryTable } from "msp:automation/query";
import { getParameters } from "msp:automation/run";

export const manifest = {
  description: "Says which ports opened and closed since the baseline",
  capabilities: {
    query: { scope: ["listening_ports", "processes"], reason: "Reads which ports are open, and by which program" },
    kv: { scope: ["ports"], reason: "Reads the baseline" },
    "kv-write": { scope: ["ports"], reason: "Notes the baseline" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      accept: { type: "boolean", default: false, description: "Take what is open now as the new baseline" },
    },
  },
};

const { accept } = JSON.parse(getParameters());

function openPorts() {
  const isTcp = /** @type {const} */ ({ column: "protocol", comparison: "equals", value: "6" });
  const sockets = queryTable("listening_ports", ["pid", "address", "port"], [isTcp], 10_000).values;
  const names = new Map(queryTable("processes", ["pid", "name"], [], 10_000).values.map(([pid, name]) => [pid, name]));
  return [...new Set(sockets.map(([pid, address, port]) => `${address} ${port} ${names.get(pid) ?? "unknown"}`))].sort();
}

/** @type {import("msp:automation").Detect} */
export function detect() {
  const open = openPorts();
  const baseline = getValue("ports");
  if (!baseline) {
    const title = `there is no baseline yet: ${open.length} ports are open`;
    const evidence = open.join("\n");
    return {
      verdict: "non-compliant",
      summary: title,
      findings: [{ fingerprint: "baseline", title, severity: "info", target: "baseline", evidence, remediable: true }],
    };
  }
  /** @type {string[]} */
  const known = JSON.parse(baseline.value);
  const changes = [
    ...open.filter((port) => !known.includes(port)).map((port) => ({ what: "opened", port })),
    ...known.filter((port) => !open.includes(port)).map((port) => ({ what: "closed", port })),
  ];
  return {
    verdict: changes.length ? "non-compliant" : "compliant",
    summary: `${open.length} ports are open, ${changes.length} changed since the baseline`,
    findings: changes.map(({ what, port }) => ({
      fingerprint: `${what}:${port}`,
      title: `${what}: ${port}`,
      severity: what === "opened" ? "warning" : "info",
      target: port,
      evidence: `the baseline of ${new Date(baseline.writtenMs).toISOString()} was\n${known.join("\n")}`,
      remediable: accept,
    })),
  };
}

/** @type {import("msp:automation").Remediate} */
export function remediate() {
  const open = openPorts();
  putValue("ports", JSON.stringify(open), undefined, 0);
  return { summary: `${open.length} ports are the baseline` };
}
