// Clears what nobody has written for long out of a cache folder. It goes to the quarantine: `remit undo RUN` brings it back.
// Replaces `find /var/cache/app -type f -mtime +30 -delete`, and `Get-ChildItem -Recurse | Where LastWriteTime … | Remove-Item`.
import { findEntries, listRoots } from "msp:automation/files";
import { removeEntries } from "msp:automation/files-write";
import { getParameters, now } from "msp:automation/run";

export const manifest = {
  description: "Clears old files out of a cache folder",
  capabilities: {
    files: { scope: ["{root}"], reason: "Looks for files that nobody has written for long" },
    "files-write": { scope: ["{root}"], reason: "Moves them to the quarantine" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      root: { type: "string", default: "cache", description: "The folder, by its name in host policy or in --bind" },
      pattern: { type: "string", default: "**", description: "Only files that match, such as **/*.tmp" },
      days: { type: "integer", minimum: 1, default: 30, description: "A file that was not written for so long is old" },
    },
  },
};

const DAY_MS = 86_400_000;
/** @type {{ root: string, pattern: string, days: number }} */
const { root, pattern, days } = JSON.parse(getParameters());

function oldFiles() {
  // Counted from midnight: the enforce run of the afternoon finds what the dry run of the morning planned.
  const midnight = Math.floor(now() / DAY_MS) * DAY_MS;
  const modifiedBeforeMs = midnight - days * DAY_MS;
  const selection = { pattern, modifiedBeforeMs, maxDepth: 64, limit: 10_000, attributes: { kind: "file" } };
  return findEntries(root, "", selection).items;
}

/** @type {import("msp:automation").Detect} */
export function detect() {
  if (!listRoots().includes(root)) return { verdict: "not-applicable", summary: `there is no folder ${root}` };
  const files = oldFiles();
  if (files.length === 0) return { verdict: "compliant", summary: `nothing in ${root} is older than ${days} days` };
  const mebibytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / 2 ** 20;
  const largest = files.toSorted((a, b) => b.sizeBytes - a.sizeBytes).slice(0, 20);
  const title = `${files.length} files in ${root} are older than ${days} days: ${mebibytes.toFixed(1)} MiB`;
  const evidence = largest.map(({ path, sizeBytes }) => `${path}: ${sizeBytes} bytes`).join("\n");
  return {
    verdict: "non-compliant",
    summary: title,
    findings: [{ fingerprint: `old-files:${root}`, title, severity: "warning", target: root, evidence, remediable: true }],
  };
}

/** @type {import("msp:automation").Remediate} */
export function remediate() {
  const listedMs = now();
  const removals = removeEntries(root, oldFiles().map(({ path }) => path), listedMs);
  const failed = removals.filter(({ error }) => error);
  for (const { path, error } of failed) console.warn(`${path} stays:`, error?.message);
  return { summary: `${removals.length - failed.length} files moved to the quarantine, ${failed.length} stay` };
}
