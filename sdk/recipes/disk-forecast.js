// Notes once a day how full each volume is, and says which will be full within a month if that goes on.
// Replaces `df --output=pcent,target >>/var/log/df.log` and a spreadsheet, and `Get-Volume | Export-Csv -Append`.
import { listVolumes } from "msp:automation/device";
import { getValue } from "msp:automation/kv";
import { putValue } from "msp:automation/kv-write";
import { getParameters, metric, now } from "msp:automation/run";

export const manifest = {
  description: "Says which volume will be full soon",
  capabilities: {
    device: { reason: "Reads how full the volumes are" },
    kv: { scope: ["samples"], reason: "Reads how full they were" },
    "kv-write": { scope: ["samples"], reason: "Notes how full they are, once a day" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      days: { type: "integer", minimum: 1, default: 30, description: "A volume that will be full sooner is a finding" },
      keep: { type: "integer", minimum: 3, maximum: 90, default: 60, description: "So many days are looked back on" },
    },
  },
};

/** @type {{ days: number, keep: number }} */
const { days, keep } = JSON.parse(getParameters());
const today = Math.floor(now() / 86_400_000);
/** @type {{ day: number, used: Record<string, number> }[]} */
const samples = JSON.parse(getValue("samples")?.value ?? "[]");

const volumes = listVolumes().filter(({ readOnly, sizeBytes }) => !readOnly && sizeBytes > 0).map((volume) => ({
  mount: volume.mount,
  // Tenths of a percent: what is written between a dry run and the run that is tied to it makes no other plan.
  used: Math.round(1000 * (1 - volume.freeBytes / volume.sizeBytes)) / 10,
}));

/**
 * Percent that a volume grows in a day, by the line that lies nearest to its samples.
 * @param {string} mount
 */
function growth(mount) {
  const points = samples.flatMap(({ day, used }) => (mount in used ? [{ x: day - today, y: used[mount] }] : []));
  if (points.length < 3) return 0;
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, { y }) => sum + y, 0) / points.length;
  const covariance = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
}

/** @type {import("msp:automation").Detect} */
export function detect() {
  const forecasts = volumes.map((volume) => ({ ...volume, grows: growth(volume.mount) }));
  for (const { mount, used } of forecasts) metric("volume-used", used, "%", { mount });
  const filling = forecasts.filter(({ used, grows }) => grows > 0 && (100 - used) / grows < days);
  /** @type {import("msp:automation").Finding[]} */
  const findings = filling.map(({ mount, used, grows }) => ({
    fingerprint: `full:${mount}`,
    title: `${mount} will be full in ${((100 - used) / grows).toFixed(0)} days`,
    severity: "warning",
    target: mount,
    evidence: `${used} % used, and ${grows.toFixed(1)} % more each day`,
    remediable: false,
  }));
  if (samples.at(-1)?.day !== today) {
    const title = "today's sample is not taken yet";
    findings.push({ fingerprint: "sample", title, severity: "info", target: "samples", evidence: "", remediable: true });
  }
  const summary = forecasts.map(({ mount, used }) => `${mount} ${used} %`).join(", ").slice(0, 900);
  return { verdict: findings.length ? "non-compliant" : "compliant", summary, findings };
}

/** @type {import("msp:automation").Remediate} */
export function remediate() {
  const sample = { day: today, used: Object.fromEntries(volumes.map(({ mount, used }) => [mount, used])) };
  const kept = [...samples, sample].filter(({ day }) => day > today - keep);
  putValue("samples", JSON.stringify(kept), undefined, 0);
  return { summary: `${kept.length} days are kept` };
}
