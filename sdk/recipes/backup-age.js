// Says when the newest backup in a folder is too old or too small.
// Replaces `find /backup -name '*.gz' -mtime -1 | grep -q . || mail …`, and `Get-ChildItem | Sort LastWriteTime | Select -Last 1`.
import { findEntries, listRoots } from "msp:automation/files";
import { getParameters, metric, now } from "msp:automation/run";

export const manifest = {
  description: "Says when the newest backup is too old or too small",
  capabilities: {
    files: { scope: ["{root}"], reason: "Looks how old and how large the newest backup is" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      root: { type: "string", default: "backups", description: "The folder, by its name in host policy or in --bind" },
      pattern: { type: "string", default: "**", description: "Only files that match, such as **/*.tar.gz" },
      hours: { type: "integer", minimum: 1, default: 26, description: "The newest may be so old" },
      bytes: { type: "integer", minimum: 0, default: 1, description: "The newest has at least so many bytes" },
    },
  },
};

/** @type {import("msp:automation").Detect} */
export function detect() {
  const { root, pattern, hours, bytes } = JSON.parse(getParameters());
  if (!listRoots().includes(root)) return { verdict: "not-applicable", summary: `there is no folder ${root}` };
  const attributes = { kind: "file", order: "newest" };
  const [newest] = findEntries(root, "", { pattern, maxDepth: 64, limit: 1, attributes }).items;
  const age = newest && (now() - newest.modifiedMs) / 3_600_000;
  if (age !== undefined) metric("backup-age", age, "h", { root });

  const evidence = newest
    ? `${newest.path}: ${newest.sizeBytes} bytes, ${new Date(newest.modifiedMs).toISOString()}`
    : `no file matches ${pattern}`;
  const trouble = age === undefined ? `there is no backup in ${root}`
    : age > hours ? `the newest backup in ${root} is ${age.toFixed(0)} hours old`
    : newest.sizeBytes < bytes ? `the newest backup in ${root} is too small`
    : undefined;
  if (!trouble) return { verdict: "compliant", summary: evidence };
  const severity = newest ? "error" : "critical";
  return {
    verdict: "non-compliant",
    summary: `${trouble}: ${evidence}`,
    findings: [{ fingerprint: `backup:${root}`, title: trouble, severity, target: root, evidence, remediable: false }],
  };
}
