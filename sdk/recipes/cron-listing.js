// Lists what cron runs on this machine, and points out lines that look like somebody's foothold.
// Replaces `cat /etc/crontab /etc/cron.d/* /var/spool/cron/crontabs/*`, and `Get-ScheduledTask`.
import { queryTable } from "msp:automation/query";
import { getParameters } from "msp:automation/run";

export const manifest = {
  description: "Lists what cron runs, and points out what is suspicious",
  capabilities: {
    query: { scope: ["crontab"], reason: "Reads the crontabs" },
  },
  parameters: {
    type: "object",
    additionalProperties: false,
    properties: {
      suspicious: {
        type: "string",
        default: "(curl|wget)\\b.*\\|\\s*(ba|da|z)?sh\\b|base64\\s+(-d|--decode)|/dev/(shm|tcp)/|/tmp/",
        description: "A regular expression: a command that it matches is a finding",
      },
    },
  },
};

/** @type {import("msp:automation").Detect} */
export function detect() {
  const { suspicious } = JSON.parse(getParameters());
  const expression = new RegExp(suspicious);
  const columns = ["path", "command", "event", "minute", "hour", "day_of_month", "month", "day_of_week"];
  const { values, truncated } = queryTable("crontab", columns, [], 1000);
  const jobs = values.map(([path = "", command = "", event, ...times]) => ({ path, when: event || times.join(" "), command }));
  const found = jobs.filter(({ command }) => expression.test(command));
  return {
    verdict: found.length ? "non-compliant" : "compliant",
    summary: `cron has ${jobs.length} lines, ${found.length} of them are suspicious`,
    findings: found.map(({ path, when, command }) => ({
      fingerprint: `cron:${path}:${command}`.slice(0, 200),
      title: `${path} has a suspicious line`,
      severity: "error",
      target: path,
      evidence: `${when} ${command}`,
      remediable: false,
    })),
    facts: JSON.stringify({ jobs, truncated }),
  };
}
