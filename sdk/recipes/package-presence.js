// Says which packages are missing, and which are there and should not be.
// Replaces `dpkg -s PACKAGE >/dev/null 2>&1 || echo missing`, and `Get-Package`, `Get-ItemProperty HKLM:\…\Uninstall\*`.
import { getParameters } from "msp:automation/run";
import { findPrograms } from "msp:automation/software";

export const manifest = {
  description: "Says which packages are missing, and which should not be there",
  capabilities: {
    software: { reason: "Reads what is installed" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      present: { type: "array", items: { type: "string" }, default: [], description: "Packages that must be there" },
      absent: { type: "array", items: { type: "string" }, default: ["telnetd"], description: "Packages that must not" },
    },
  },
};

/** @param {string} name */
const installed = (name) => findPrograms(name).items.map(({ id, version }) => `${id} ${version}`).join("\n");

/** @type {import("msp:automation").Detect} */
export function detect() {
  /** @type {{ present: string[], absent: string[] }} */
  const { present, absent } = JSON.parse(getParameters());
  const missing = present.filter((name) => !installed(name));
  const unwanted = absent.filter((name) => installed(name));
  return {
    verdict: missing.length + unwanted.length ? "non-compliant" : "compliant",
    summary: `${missing.length} packages are missing, ${unwanted.length} should not be there`,
    findings: [
      ...missing.map((name) => ({ fingerprint: `missing:${name}`, title: `${name} is not installed`, target: name })),
      ...unwanted.map((name) => ({ fingerprint: `unwanted:${name}`, title: `${name} should not be installed`, target: name })),
    ].map((finding) => ({
      ...finding,
      severity: "error",
      evidence: installed(finding.target) || "the package manager does not know it as installed",
      remediable: false,
    })),
  };
}
