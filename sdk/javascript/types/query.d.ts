// Written by `cargo xtask declarations` out of wit/query.wit.

/**
 * osquery's tables, with projection and filters carried out by the host: the way to facts that have no function of their own.
 * As in osquery, every value is text.
 *
 * Class: L1. Reads.
 * Scope: names of tables: `query [processes, listening_ports]`. `*` stands for all but those that reveal people (`users`,
 * `groups`, `user_groups`, `logged_in_users`, `last`), each of which must be named.
 * Dry run: as in enforce; a table that an earlier planned change would alter marks the plan incomplete.
 */
declare module "msp:automation/query" {
  /** How a filter compares. Closed: osquery's constraint operators; comparison follows the column's type. */
  export type Comparison = "equals" | "not-equals" | "less" | "less-or-equal" | "greater" | "greater-or-equal" | "like" | "glob";

  /** A condition; several are joined by and. Closed: osquery's constraint. */
  export interface Condition {
    /** A column of the table. */
    column: string;
    /** How. */
    comparison: Comparison;
    /** With what, as text. */
    value: string;
  }

  /** An answer. Closed: what grows are tables and columns. */
  export interface Rows {
    /** Each row holds the wanted columns in the wanted order; none is SQL's NULL. */
    values: ((string | undefined)[])[];
    /** Whether rows are missing because of `limit` or the 1 MiB that an answer may have. */
    truncated: boolean;
  }

  /** A column of a table. Closed: osquery's name and type. */
  export interface Column {
    /** osquery's name. */
    name: string;
    /** osquery's type: `TEXT`, `INTEGER`, `BIGINT`, `DOUBLE`. */
    columnType: string;
  }

  /**
   * Rows of one table, in no promised order. `columns` in the order wanted, 1 to 64; at most 32 conditions, each with a value of at
   * most 1 KiB; `limit` at least 1, at most 10,000. A table that is not in the scope is `denied`, one that this host lacks
   * `unsupported`, an unknown column `invalid`. Numbers compare by value and want a number to compare with (else `invalid`),
   * texts compare by byte; `like` is that of SQLite (`%`, `_`, ASCII letters in either case), `glob` takes `*`, `?`, `[a-z]` and
   * `{a,b}`. No condition holds of a NULL.
   *
   * @throws {HostError}
   */
  export function queryTable(table: string, columns: readonly string[] | null | undefined, conditions: readonly Condition[] | null | undefined, limit: number): Rows;

  /**
   * The columns of a table in the scope.
   *
   * @throws {HostError}
   */
  export function describeTable(table: string): Column[];

  export {};
}
