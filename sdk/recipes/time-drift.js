// Says how far this machine's clock is from that of a web server.
// Replaces `curl -sI https://… | grep -i ^date` beside `date -u`, `chronyc tracking`, and `w32tm /stripchart`.
import { head } from "msp:automation/http";
import { getParameters, metric, now } from "msp:automation/run";

export const manifest = {
  description: "Says how far this machine's clock is off",
  capabilities: {
    http: { scope: ["{url}", "{networks}"], reason: "Asks a server what time it is" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      url: { type: "string", default: "https://www.debian.org/", description: "A server whose clock is right" },
      networks: { type: "array", items: { type: "string" }, default: [], description: "Where it is if not public: 10.0.0.0/8" },
      seconds: { type: "number", minimum: 2, default: 5, description: "A clock that is further off is a finding" },
    },
  },
};

/** @type {import("msp:automation").Detect} */
export function detect() {
  const { url, seconds } = JSON.parse(getParameters());
  let answer;
  try {
    answer = head({ url, timeoutMs: 10_000 });
  } catch (error) {
    if (!(error instanceof HostError && ["timeout", "unavailable"].includes(error.kind))) throw error;
    return { verdict: "unknown", summary: `${url} does not answer: ${error.message}` };
  }
  const { date } = Object.fromEntries(answer.headers);
  if (!date) return { verdict: "unknown", summary: `${url} does not say what time it is` };

  // It was cut to the second, and made while the answer was on its way.
  const theirs = Date.parse(date) + 500;
  const ours = now() - answer.elapsedMs / 2;
  const offset = (ours - theirs) / 1000;
  metric("clock-offset", offset, "s", { url });
  const title = `the clock is ${Math.abs(offset).toFixed(1)} s ${offset < 0 ? "behind" : "ahead of"} ${url}`;
  if (Math.abs(offset) <= seconds) return { verdict: "compliant", summary: title };
  const evidence = `there ${date}, here ${new Date(ours).toUTCString()}`;
  return {
    verdict: "non-compliant",
    summary: title,
    findings: [{ fingerprint: "clock", title, severity: "error", target: url, evidence, remediable: false }],
  };
}
