// Written by `cargo xtask declarations` out of wit/types.wit.
import { bool, list, option, pair, record, secret, text, whole, word } from "../shapes.js";

export const TimestampMs = whole("0", "18446744073709551615");
export const Attributes = list(pair(text, text));
export const Fingerprint = text;
export const ErrorKind = word(["denied", "not-found", "conflict", "invalid", "unsupported", "busy", "limit", "timeout", "cancelled", "unavailable", "failed", "other"]);
export const Failure = record({
  kind: ErrorKind,
  code: text,
  message: text,
  retryAfterMs: option(whole("0", "4294967295")),
  attributes: Attributes,
});
export const Severity = word(["info", "warning", "error", "critical"]);
export const Finding = record({
  fingerprint: Fingerprint,
  title: text,
  severity: Severity,
  target: text,
  evidence: text,
  remediable: bool,
  attributes: Attributes,
});
export const Secret = secret;
export const StartType = word(["automatic", "automatic-delayed", "manual", "disabled", "masked", "other"]);
export const HttpRequest = record({
  url: text,
  headers: list(pair(text, text)),
  timeoutMs: whole("0", "4294967295"),
  attributes: Attributes,
});
