// Written by `cargo xtask declarations` out of wit/detection.wit.
import { list, option, record, text, word } from "../shapes.js";
import { Finding, Attributes } from "./types.js";

export const Verdict = word(["compliant", "non-compliant", "not-applicable", "unknown"]);
export const Report = record({
  verdict: Verdict,
  summary: text,
  findings: list(Finding),
  facts: option(text),
  attributes: Attributes,
});
