// Searches the ends of logs, those that were written lately, and shows the lines that match.
// Replaces `grep -E 'error|fatal' /var/log/app/*.log | tail`, and `Select-String -Path C:\Logs\*.log -Pattern error`.
import { findEntries, listRoots, readTail } from "msp:automation/files";
import { getParameters, now } from "msp:automation/run";

export const manifest = {
  description: "Searches logs for lines that somebody should see",
  capabilities: {
    files: { scope: ["{root}"], reason: "Reads the ends of the logs" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      root: { type: "string", default: "logs", description: "The folder, by its name in host policy or in --bind" },
      pattern: { type: "string", default: "**/*.log", description: "Which files are logs" },
      search: { type: "string", default: "\\b(error|fatal|panic)\\b", description: "A regular expression, in any case" },
      lines: { type: "integer", minimum: 1, maximum: 10_000, default: 2000, description: "How much of each log's end is read" },
      hours: { type: "integer", minimum: 1, default: 24, description: "A log that was not written for longer is left out" },
    },
  },
};

/** @type {import("msp:automation").Detect} */
export function detect() {
  const { root, pattern, search, lines, hours } = JSON.parse(getParameters());
  if (!listRoots().includes(root)) return { verdict: "not-applicable", summary: `there is no folder ${root}` };
  const expression = new RegExp(search, "i");
  const since = now() - hours * 3_600_000;
  const selection = { pattern, maxDepth: 64, limit: 100, attributes: { kind: "file", order: "newest" } };
  const logs = findEntries(root, "", selection).items.filter(({ modifiedMs }) => modifiedMs > since);
  if (logs.length === 0) return { verdict: "not-applicable", summary: `nothing was logged within ${hours} hours` };

  const found = logs.map(({ path }) => ({
    path,
    matches: readTail(root, path, lines).split("\n").filter((line) => expression.test(line)),
  })).filter(({ matches }) => matches.length);
  return {
    verdict: found.length ? "non-compliant" : "compliant",
    summary: `${found.length} of ${logs.length} logs have lines that match`,
    findings: found.map(({ path, matches }) => ({
      fingerprint: `log:${root}/${path}`,
      title: `${path} has ${matches.length} lines that match`,
      severity: "warning",
      target: path,
      evidence: matches.slice(-10).map((line) => line.slice(0, 500)).join("\n"),
      remediable: false,
    })),
  };
}
