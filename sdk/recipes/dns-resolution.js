// Says which names this machine cannot resolve.
// Replaces `for name in …; do getent hosts $name || echo $name; done`, and `Resolve-DnsName`.
import { getCertificates } from "msp:automation/http";
import { getParameters } from "msp:automation/run";

export const manifest = {
  description: "Says which names this machine cannot resolve",
  capabilities: {
    http: { scope: ["https://{names}"], reason: "Resolves the names, and connects to nothing that is not public" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      names: { type: "array", items: { type: "string" }, default: ["www.debian.org"], description: "What must resolve" },
    },
  },
};

/** @param {string} name */
function resolve(name) {
  try {
    const { attributes } = getCertificates(`https://${name}`, 20_000);
    return { name, address: Object.fromEntries(attributes)["remote-address"] };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    if (error.code === "resolve" || error.kind === "timeout") return { name, trouble: error.message };
    // It has an address, which is not public: nobody asked there.
    if (error.code === "address") return { name, address: Object.fromEntries(error.attributes).address };
    // It has one, and no web server there: that is another question.
    if (error.kind === "unavailable" || error.kind === "failed") return { name, address: "an address" };
    throw error;
  }
}

/** @type {import("msp:automation").Detect} */
export function detect() {
  /** @type {{ names: string[] }} */
  const { names } = JSON.parse(getParameters());
  const answers = names.map(resolve);
  const failed = answers.filter(({ trouble }) => trouble);
  return {
    verdict: failed.length ? "non-compliant" : "compliant",
    summary: answers.map(({ name, address = "none" }) => `${name}: ${address}`).join(", ").slice(0, 900),
    findings: failed.map(({ name, trouble = "" }) => ({
      fingerprint: `name:${name}`,
      title: `${name} does not resolve`,
      severity: "error",
      target: name,
      evidence: trouble,
      remediable: false,
    })),
  };
}
