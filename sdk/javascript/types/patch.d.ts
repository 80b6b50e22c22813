// Written by `cargo xtask declarations` out of wit/patch.wit.

/**
 * What the machine's update services would install, what they installed, and what policy says. Words are Windows Update's.
 *
 * Class: L1. Reads.
 * Scope: names of sources, `*` for all: `patch [apt]`.
 * Dry run: as in enforce, from the index as it is; updates and holds planned earlier in the run are overlaid.
 */
declare module "msp:automation/patch" {
  import type { TimestampMs, Attributes, ReceivedAttributes } from "msp:automation/types";
  export type { TimestampMs, Attributes, ReceivedAttributes };

  /**
   * Microsoft's update classifications, the nearest one for other sources. Closed: what fits none is `other`, and the source's own
   * word is in the attribute `source-class`.
   */
  export type Classification = "security" | "critical" | "definition" | "update-rollup" | "service-pack" | "feature-pack" | "upgrade" | "driver" | "tool" | "application" | "update" | "other";

  /** MSRC's ratings. Closed: unchanged since 2002; `unspecified` where nobody rated it. */
  export type UpdateSeverity = "critical" | "important" | "moderate" | "low" | "unspecified";

  /** WUA `InstallationRebootBehavior`. Closed: that interface is. */
  export type RebootBehavior = "never" | "always" | "can-request";

  /**
   * Where an update stands. Closed: ends in `other`.
   *
   * - `available`: It can be installed.
   * - `downloaded`: Its bytes are here.
   * - `held`: Held on this machine (`apt-mark hold`, hidden in WUA).
   * - `kept-back`: The package manager keeps it back, because it needs more than an upgrade, or by phasing; `state-reason` says which.
   * - `pending-reboot`: Installed, takes hold with the next boot.
   * - `failed`: Tried, failed.
   * - `other`: None of these; the source's own word is in the attribute `source-state`.
   */
  export type UpdateState = "available" | "downloaded" | "held" | "kept-back" | "pending-reboot" | "failed" | "other";

  /**
   * What the policy on this device says of an update. Closed: the words of host policy.
   *
   * - `unset`: No rule names it.
   * - `approved`: It may be installed.
   * - `deferred`: Not before `deferred-until-ms`.
   * - `declined`: Not wanted.
   * - `blocked`: Never, whoever asks.
   */
  export type Approval = "unset" | "approved" | "deferred" | "declined" | "blocked";

  /** An update that is not, or not wholly, installed. */
  export interface Update {
    /** Hand this to `install-updates`: `apt:openssl@3.0.15-1~deb12u1`, `windows-update:<UpdateID>.<RevisionNumber>`. */
    id: string;
    /** For a person. */
    title: string;
    /** Package or product name. */
    product: string;
    /** `apt`, `dnf`, `zypper`, `windows-update`, `wsus`, `winget`, `softwareupdate`, or another word. */
    source: string;
    /** What is there now; none where it is new. */
    installedVersion: string | undefined;
    /** What would be there. */
    availableVersion: string;
    /** What kind it is. */
    classification: Classification;
    /** How MSRC, or the distribution's tracker, rates it. */
    severity: UpdateSeverity;
    /** CVE ids that it fixes, as far as its source says. */
    cves: string[];
    /** KB article numbers; empty outside Windows. */
    kbs: string[];
    /** To download; 0 where unknown. */
    sizeBytes: number;
    /** When it was published, where its source says so. */
    releasedMs: TimestampMs | undefined;
    /** When this device first saw it pending. */
    firstSeenMs: TimestampMs;
    /** Whether it will want a reboot. */
    rebootBehavior: RebootBehavior;
    /** Where it stands. */
    state: UpdateState;
    /** What policy says of it. */
    approval: Approval;
    /**
     * More by name: `state-reason` (`phased`, `needs-more-than-an-upgrade`, `unsatisfiable`), `deferred-until-ms`, `source-class` (the suites that
     * carry it), `origin`, `changelog` (`not-read` until `refresh-index` has fetched it: then `cves` and `released-ms` are unknown),
     * `ring`, `kev`, `cvss`, `superseded-by`, `support-url`, `eula`.
     */
    attributes: ReceivedAttributes;
  }

  /** A past operation (osquery `windows_update_history`). */
  export interface HistoryEntry {
    /** As in `update`, as far as the log still tells. */
    id: string;
    /** Package or product name. */
    product: string;
    /** `install`, `upgrade`, `remove`, `downgrade`. */
    operation: string;
    /** Whether it succeeded. */
    success: boolean;
    /** When. */
    atMs: TimestampMs;
    /** More by name: `arch`, `from-version`, `to-version`, `automatic`, `error`, `hresult`, `requested-by`, `command-line`. */
    attributes: ReceivedAttributes;
  }

  /** In what condition an update service is. */
  export interface SourceHealth {
    /** Its name. */
    source: string;
    /** When its index was last refreshed; none for never. */
    refreshedMs: TimestampMs | undefined;
    /** Who holds its lock, if somebody does. */
    lockedBy: string | undefined;
    /** Packages left half-installed or half-configured; `repair` deals with them. */
    broken: string[];
    /**
     * More by name: `version`, `interrupted` (`yes` where the package manager died at work), `reboot-required` (the packages that want one,
     * comma-separated), `server`, `unreachable`, `disabled`.
     */
    attributes: ReceivedAttributes;
  }

  /** Whether the policy would let an install happen now. */
  export interface PolicyView {
    /** Whether a maintenance window is open. */
    windowOpen: boolean;
    /** When it closes, or the next one opens. */
    windowChangesMs: TimestampMs | undefined;
    /** Whether a reboot would be accepted now. */
    rebootAllowed: boolean;
    /** More by name: `ring`, `frozen-by`, `defer-days`. */
    attributes: ReceivedAttributes;
  }

  /**
   * Everything pending, held, kept back, or installed and waiting for a reboot, at most 5,000, by id, from the index as it is;
   * `patch-control` can refresh it.
   *
   * @throws {HostError}
   */
  export function listUpdates(): Update[];

  /**
   * Operations since then, latest first, at most `limit` (at most 5,000).
   *
   * @throws {HostError}
   */
  export function listHistory(sinceMs: TimestampMs, limit: number): HistoryEntry[];

  /**
   * How the update services are.
   *
   * @throws {HostError}
   */
  export function listSources(): SourceHealth[];

  /**
   * What policy says about now.
   *
   * @throws {HostError}
   */
  export function getPolicy(): PolicyView;

  export {};
}
