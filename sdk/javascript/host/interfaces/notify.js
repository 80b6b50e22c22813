// Written by `cargo xtask declarations` out of wit/notify.wit.
import * as host from "msp:automation/notify@1.0.0";
import { bind } from "../call.js";
import { list, record, text } from "../shapes.js";
import { Attributes, Fingerprint, Severity } from "./types.js";

export const Link = record({
  href: text,
  text: text,
});
export const Notification = record({
  dedupKey: Fingerprint,
  audience: text,
  severity: Severity,
  summary: text,
  component: text,
  group: text,
  eventClass: text,
  links: list(Link),
  attributes: Attributes,
});
export const triggerEvent = bind("triggerEvent", host.triggerEvent, { event: Notification });
export const acknowledgeEvent = bind("acknowledgeEvent", host.acknowledgeEvent, { audience: text, dedupKey: Fingerprint });
export const resolveEvent = bind("resolveEvent", host.resolveEvent, { audience: text, dedupKey: Fingerprint });
