// Written by `cargo xtask declarations` out of wit/files.wit.

/**
 * Files under named roots. No absolute path crosses the boundary: a path is relative, `/`-separated, UTF-8, at most 4 KiB, without empty
 * parts, `.` and `..`. An empty path is the root itself. No link below a root is ever followed (`conflict`, code `link`), wherever it
 * leads: following one would move its access time, and nobody can swap one for another meanwhile. The name `.remit-quarantine` belongs
 * to the host and is seen by nobody.
 *
 * Class: L1. Reads.
 * Scope: names of roots, each a folder in host policy or bound by `--bind NAME=DIR`: `files [scratch, logs]`.
 * Dry run: as in enforce; writes and removals planned earlier in the run are overlaid.
 */
declare module "msp:automation/files" {
  import type { TimestampMs, Attributes, ReceivedAttributes } from "msp:automation/types";
  export type { TimestampMs, Attributes, ReceivedAttributes };

  /** What an entry is. Closed: a link is never followed to say it. */
  export type EntryKind = "file" | "folder" | "link" | "other";

  /** A file, folder or link. */
  export interface Entry {
    /** Relative to the root. A name that is not UTF-8 is left out of lists, and counted. */
    path: string;
    /** What it is. */
    kind: EntryKind;
    /** Length; 0 for what is no file. */
    sizeBytes: number;
    /** Last written. */
    modifiedMs: TimestampMs;
    /**
     * More by name: `accessed-ms`, `changed-ms` (anything about it, its name or mode included), `created-ms`, `owner` and `group`
     * (a number where this machine has no name), `mode` (octal), `allocated-bytes`, `links` (names it has), `inode` (the same for
     * each of them), `mount-point` (`true` where another file system begins). Not where a link leads: reading that would move its
     * access time.
     */
    attributes: ReceivedAttributes;
  }

  /** Which entries are wanted; conditions are joined by and. */
  export interface Selection {
    /** 1 for the folder's own entries, at most 64. */
    maxDepth: number;
    /** Glob over the path below the folder (`**\/*.log`); none for all. */
    pattern?: string | null;
    /** Last written before. */
    modifiedBeforeMs?: TimestampMs | null;
    /** At least so long. */
    minSizeBytes?: number | null;
    /** At most so many, 1 to 10,000. */
    limit: number;
    /**
     * More by name: `kind`, `owner`, `one-file-system` (`true` or `false`), `order` (`path`, `oldest`, `newest`, `largest`), and with `path`
     * also `after`: only what comes after this path, which is how to read on from a page that was cut.
     */
    attributes?: Attributes | null;
  }

  /** What was found. Closed: a page and its limits; entries grow. */
  export interface Entries {
    /** By path, part by part, unless `order` says otherwise. */
    items: Entry[];
    /** Whether more would match, or not everything was looked at (1,000,000 entries, 64 levels, the time for a call). */
    truncated: boolean;
    /** Entries that could not be read or named, at least. */
    skipped: number;
  }

  /** How much a folder holds. */
  export interface Usage {
    /** Files, folders and links below. */
    entries: number;
    /** Lengths, added. */
    sizeBytes: number;
    /** Blocks, added, each hard link once. */
    allocatedBytes: number;
    /** Whether it was cut at 1,000,000 entries, 64 levels or the time for a call. */
    truncated: boolean;
    /**
     * More by name: `skipped`, `newest-ms` and `oldest-ms` (of what is no folder), `written-ms` (the last time that anything in it was
     * written or put there, as the guards of `files-write` take it), `freed-bytes` (what removing all of it would free, without what
     * another name keeps), `mount-points` (their content is not counted).
     */
    attributes: ReceivedAttributes;
  }

  /**
   * The roots in the scope that exist on this machine.
   *
   * @throws {HostError}
   */
  export function listRoots(): string[];

  /**
   * What is there; none where nothing is.
   *
   * @throws {HostError}
   */
  export function getEntry(root: string, path: string): Entry | undefined;

  /**
   * Entries below a folder, found and filtered by the host in one call.
   *
   * @throws {HostError}
   */
  export function findEntries(root: string, path: string, selection: Selection): Entries;

  /**
   * How much is below a folder.
   *
   * @throws {HostError}
   */
  export function getUsage(root: string, path: string): Usage;

  /**
   * At most `length` bytes (at most 1 MiB) from `offset`; fewer at the end, none beyond it.
   *
   * @throws {HostError}
   */
  export function readFile(root: string, path: string, offset: number, length: number): Uint8Array;

  /**
   * The last `lines` lines (at most 10,000, at most 1 MiB), as UTF-8 with invalid bytes replaced.
   *
   * @throws {HostError}
   */
  export function readTail(root: string, path: string, lines: number): string;

  /**
   * SHA-256 of a file of at most 4 GiB, lower-case hex; of what it held when the call began, where something is appended meanwhile.
   *
   * @throws {HostError}
   */
  export function getSha256(root: string, path: string): string;

  export {};
}
