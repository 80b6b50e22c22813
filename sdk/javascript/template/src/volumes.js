// What the plugin thinks of volumes. It calls nothing of the host, so that any JavaScript engine can test it.

/** @import { Finding } from "msp:automation" */
/** @import { Volume } from "msp:automation/device" */
/** @typedef {Pick<Volume, "mount" | "sizeBytes" | "freeBytes" | "readOnly">} Space */

/** @param {Space} volume */
export const percentFree = (volume) => (volume.freeBytes / volume.sizeBytes) * 100;

/**
 * Those that can fill up.
 *
 * @template {Space} T
 * @param {T[]} volumes
 */
export const writable = (volumes) => volumes.filter((volume) => !volume.readOnly && volume.sizeBytes > 0);

/**
 * A finding for each volume with less free space than this.
 *
 * @param {Space[]} volumes
 * @param {number} leastPercent
 * @returns {Finding[]}
 */
export function fullVolumes(volumes, leastPercent) {
  return writable(volumes)
    .filter((volume) => percentFree(volume) < leastPercent)
    .map((volume) => ({
      fingerprint: `volume:${volume.mount}`,
      title: `${volume.mount} has ${percentFree(volume).toFixed(0)} % free`,
      severity: "warning",
      target: volume.mount,
      evidence: `${volume.freeBytes} of ${volume.sizeBytes} bytes are free`,
      remediable: false,
    }));
}
