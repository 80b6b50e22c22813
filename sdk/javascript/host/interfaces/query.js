// Written by `cargo xtask declarations` out of wit/query.wit.
import * as host from "msp:automation/query@1.0.0";
import { bind } from "../call.js";
import { list, record, text, whole, word } from "../shapes.js";

export const Comparison = word(["equals", "not-equals", "less", "less-or-equal", "greater", "greater-or-equal", "like", "glob"]);
export const Condition = record({
  column: text,
  comparison: Comparison,
  value: text,
});
export const queryTable = bind("queryTable", host.queryTable, { table: text, columns: list(text), conditions: list(Condition), limit: whole("0", "4294967295") });
export const describeTable = bind("describeTable", host.describeTable, { table: text });
