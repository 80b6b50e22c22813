// Written by `cargo xtask declarations` out of wit/ticket.wit.
import * as host from "msp:automation/ticket@1.0.0";
import { bind } from "../call.js";
import { bytes, record, text, word } from "../shapes.js";
import { Attributes, Fingerprint, Severity } from "./types.js";

export const Kind = word(["incident", "service-request", "problem", "change-request"]);
export const Level = word(["low", "medium", "high"]);
export const Visibility = word(["internal", "customer"]);
export const Draft = record({
  fingerprint: Fingerprint,
  kind: Kind,
  title: text,
  body: text,
  impact: Level,
  urgency: Level,
  severity: Severity,
  attributes: Attributes,
});
export const raiseTicket = bind("raiseTicket", host.raiseTicket, { ticket: Draft });
export const addNote = bind("addNote", host.addNote, { fingerprint: Fingerprint, body: text, visibility: Visibility });
export const attachFile = bind("attachFile", host.attachFile, { fingerprint: Fingerprint, name: text, mediaType: text, content: bytes });
export const resolveIfMine = bind("resolveIfMine", host.resolveIfMine, { fingerprint: Fingerprint, resolution: text });
