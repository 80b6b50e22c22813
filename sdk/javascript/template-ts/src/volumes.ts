// What the plugin thinks of volumes. It calls nothing of the host, so that any JavaScript engine can test it.

import type { Finding } from "msp:automation";
import type { Volume } from "msp:automation/device";

export type Space = Pick<Volume, "mount" | "sizeBytes" | "freeBytes" | "readOnly">;

export const percentFree = (volume: Space): number => (volume.freeBytes / volume.sizeBytes) * 100;

/** Those that can fill up. */
export const writable = <T extends Space>(volumes: T[]): T[] =>
  volumes.filter((volume) => !volume.readOnly && volume.sizeBytes > 0);

/** A finding for each volume with less free space than this. */
export function fullVolumes(volumes: Space[], leastPercent: number): Finding[] {
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
