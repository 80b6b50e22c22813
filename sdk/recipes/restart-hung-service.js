// Restarts a service that has fallen over, or that runs and no longer answers.
// Replaces `curl -fsS -m 10 http://localhost:8080/health || systemctl restart app`, and `Invoke-WebRequest`, `Restart-Service`.
import { get } from "msp:automation/http";
import { getParameters, sleep } from "msp:automation/run";
import { getService } from "msp:automation/service";
import { restartService } from "msp:automation/service-control";

export const manifest = {
  description: "Restarts a service that no longer answers",
  capabilities: {
    service: { scope: ["{service}"], reason: "Looks whether it runs" },
    http: { scope: ["{url}", "127.0.0.0/8", "::1/128"], reason: "Asks it, on this machine, whether it is well" },
    "service-control": { scope: ["{service}"], reason: "Restarts it" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    required: ["service", "url"],
    properties: {
      service: { type: "string", description: "Its name, without .service" },
      url: { type: "string", description: "What it answers when it is well, such as http://localhost:8080/health" },
      seconds: { type: "integer", minimum: 1, maximum: 30, default: 10, description: "What takes longer is no answer" },
    },
  },
};

/** @type {{ service: string, url: string, seconds: number }} */
const { service, url, seconds } = JSON.parse(getParameters());

/** Why it is not well; nothing where it is. */
function trouble() {
  const { state } = getService(service);
  if (state !== "running") return `it is ${state}`;
  try {
    const { status } = get({ url, timeoutMs: seconds * 1000 });
    return status < 500 ? undefined : `${url} answers ${status}`;
  } catch (error) {
    if (error instanceof HostError && ["timeout", "unavailable"].includes(error.kind)) return error.message;
    throw error;
  }
}

/** @type {import("msp:automation").Detect} */
export function detect() {
  try {
    const { startType } = getService(service);
    if (startType === "masked") return { verdict: "not-applicable", summary: `${service} is switched off` };
  } catch (error) {
    if (!(error instanceof HostError && error.kind === "not-found")) throw error;
    return { verdict: "not-applicable", summary: `${service} is not installed` };
  }
  const evidence = trouble();
  if (!evidence) return { verdict: "compliant", summary: `${service} answers` };
  const title = `${service} does not answer`;
  return {
    verdict: "non-compliant",
    summary: `${title}: ${evidence}`,
    findings: [{ fingerprint: `hung:${service}`, title, severity: "error", target: service, evidence, remediable: true }],
  };
}

/** @type {import("msp:automation").Remediate} */
export function remediate() {
  const { effect } = restartService(service, 60_000);
  // It runs before it answers, and what is looked at next is whether it does.
  for (let tries = 0; effect === "changed" && trouble() && tries < 10; tries++) sleep(1000);
  return { summary: `restarted ${service}` };
}
