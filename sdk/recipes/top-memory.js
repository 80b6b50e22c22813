// Says who takes the memory, once little is left.
// Replaces `ps -eo rss,comm --sort=-rss | head`, and `Get-Process | Sort WorkingSet -Descending | Select -First 10`.
import { getLoad } from "msp:automation/device";
import { listProcesses } from "msp:automation/process";
import { getParameters, metric } from "msp:automation/run";

export const manifest = {
  description: "Says who takes the memory, once little is left",
  capabilities: {
    device: { reason: "Reads how much memory is in use" },
    process: { scope: ["*"], reason: "Reads how much of it each program takes" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      percent: { type: "integer", minimum: 1, maximum: 100, default: 90, description: "More in use is a finding" },
      top: { type: "integer", minimum: 1, maximum: 50, default: 10, description: "So many programs are named" },
    },
  },
};

/** @type {import("msp:automation").Detect} */
export function detect() {
  const { percent, top } = JSON.parse(getParameters());
  const { memoryUsedBytes, memoryTotalBytes } = getLoad();
  const used = (memoryUsedBytes / memoryTotalBytes) * 100;
  metric("memory-used", used, "%", {});

  const programs = [...Map.groupBy(listProcesses(), ({ name }) => name)].map(([name, processes]) => ({
    name,
    processes: processes.length,
    mebibytes: Math.round(processes.reduce((sum, { residentBytes }) => sum + residentBytes, 0) / 2 ** 20),
  }));
  const largest = programs.sort((a, b) => b.mebibytes - a.mebibytes).slice(0, top);
  const facts = JSON.stringify({ programs: largest });

  const title = `${used.toFixed(0)} % of the memory is in use`;
  if (used <= percent) return { verdict: "compliant", summary: title, facts };
  const evidence = largest.map(({ name, processes, mebibytes }) => `${mebibytes} MiB  ${name} (${processes})`).join("\n");
  const target = largest[0]?.name ?? "";
  return {
    verdict: "non-compliant",
    summary: title,
    findings: [{ fingerprint: "memory", title, severity: "warning", target, evidence, remediable: false }],
    facts,
  };
}
