import { listVolumes } from "msp:automation/device";
import { getParameters, metric } from "msp:automation/run";
import { fullVolumes, percentFree, writable } from "./volumes.js";

/** @import { Report } from "msp:automation" */

/**
 * Says which volumes are nearly full.
 *
 * @returns {Report}
 */
export function detect() {
  /** @type {{ "min-free-percent": number }} */
  const parameters = JSON.parse(getParameters());
  const volumes = listVolumes();
  for (const volume of writable(volumes)) {
    metric("volume-free", percentFree(volume), "%", { mount: volume.mount });
  }
  const findings = fullVolumes(volumes, parameters["min-free-percent"]);
  return {
    verdict: findings.length > 0 ? "non-compliant" : "compliant",
    summary: `${volumes.length} volumes looked at`,
    findings,
  };
}
