// Written by `cargo xtask declarations` out of wit/remediation.wit.
import { record, text } from "../shapes.js";
import { Attributes } from "./types.js";

export const Remedy = record({
  summary: text,
  attributes: Attributes,
});
