// Says which file systems should be mounted and are not, or can only be read.
// Replaces `mountpoint -q /srv/data || echo missing`, `findmnt --verify`, and `Test-Path D:\`.
import { queryTable } from "msp:automation/query";
import { getParameters } from "msp:automation/run";

export const manifest = {
  description: "Says which file systems should be mounted and are not",
  capabilities: {
    query: { scope: ["mounts"], reason: "Reads what is mounted" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      mounts: { type: "array", items: { type: "string" }, default: ["/"], description: "Where something must be mounted" },
      readOnly: { type: "boolean", default: false, description: "Whether it is enough that they can be read" },
    },
  },
};

/** @type {import("msp:automation").Detect} */
export function detect() {
  /** @type {{ mounts: string[], readOnly: boolean }} */
  const { mounts, readOnly } = JSON.parse(getParameters());
  const { values } = queryTable("mounts", ["path", "device", "type", "flags"], [], 10_000);
  // What was mounted last at a place lies on top.
  const there = new Map(values.map(([path, device, type, flags = ""]) => [path, { device, type, flags }]));
  const troubles = mounts.flatMap((mount) => {
    const found = there.get(mount);
    if (!found) return [{ mount, what: "is not mounted", evidence: `mounted are ${[...there.keys()].join(", ")}` }];
    if (readOnly || !found.flags.split(",").includes("ro")) return [];
    return [{ mount, what: "can only be read", evidence: `${found.device} type ${found.type} (${found.flags})` }];
  });
  return {
    verdict: troubles.length ? "non-compliant" : "compliant",
    summary: `${mounts.length - troubles.length} of ${mounts.length} file systems are mounted as they should be`,
    findings: troubles.map(({ mount, what, evidence }) => ({
      fingerprint: `mount:${mount}`,
      title: `${mount} ${what}`,
      severity: "error",
      target: mount,
      evidence: evidence.slice(0, 4000),
      remediable: false,
    })),
  };
}
