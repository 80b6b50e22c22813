// Says when the certificate of a server ends soon, has ended, or is not trusted.
// Replaces `openssl s_client -connect HOST:443 </dev/null | openssl x509 -noout -enddate`, and `[Net.Security.SslStream]`.
import { getCertificates } from "msp:automation/http";
import { getParameters, metric, now } from "msp:automation/run";

export const manifest = {
  description: "Says when a server's certificate ends soon",
  capabilities: {
    http: { scope: ["{urls}", "{networks}"], reason: "Looks at the certificates that the servers show, and asks nothing" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    required: ["urls"],
    properties: {
      urls: { type: "array", items: { type: "string" }, minItems: 1, description: "Such as https://mail.example.com:993" },
      networks: { type: "array", items: { type: "string" }, default: [], description: "Where they are if not public: 10.0.0.0/8" },
      days: { type: "integer", minimum: 0, default: 21, description: "A certificate that ends sooner is a finding" },
    },
  },
};

const DAY_MS = 86_400_000;
/** @type {{ urls: string[], days: number }} */
const { urls, days } = JSON.parse(getParameters());

/** @param {string} url */
function look(url) {
  try {
    const { certificates: [own], problem } = getCertificates(url, 10_000);
    const left = Math.floor((own.validToMs - now()) / DAY_MS);
    metric("certificate-left", left, "d", { url });
    const evidence = `${own.commonName}, from ${own.issuer}, until ${new Date(own.validToMs).toISOString()}`;
    if (problem) return { url, isBad: true, what: `is not trusted: ${problem}`, evidence };
    return { url, isBad: false, what: left < days ? `ends in ${left} days` : "", evidence };
  } catch (error) {
    if (!(error instanceof HostError && ["timeout", "unavailable"].includes(error.kind))) throw error;
    return { url, isBad: true, what: "cannot be looked at", evidence: error.message };
  }
}

/** @type {import("msp:automation").Detect} */
export function detect() {
  const troubles = urls.map(look).filter(({ what }) => what);
  return {
    verdict: troubles.length ? "non-compliant" : "compliant",
    summary: `${urls.length - troubles.length} of ${urls.length} certificates are well`,
    findings: troubles.map(({ url, isBad, what, evidence }) => ({
      fingerprint: `certificate:${url}`,
      title: `the certificate of ${url} ${what}`,
      severity: isBad ? "error" : "warning",
      target: url,
      evidence,
      remediable: false,
    })),
  };
}
