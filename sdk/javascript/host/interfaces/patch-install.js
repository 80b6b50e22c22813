// Written by `cargo xtask declarations` out of wit/patch-install.wit.
import * as host from "msp:automation/patch-install@1.0.0";
import { bind } from "../call.js";
import { bool, list, record, text, whole, word } from "../shapes.js";
import { Attributes } from "./types.js";

export const RebootPolicy = word(["never", "if-required", "if-required-when-idle"]);
export const InstallOptions = record({
  reboot: RebootPolicy,
  timeoutSeconds: whole("0", "4294967295"),
  stopOnFailure: bool,
  attributes: Attributes,
});
export const installUpdates = bind("installUpdates", host.installUpdates, { ids: list(text), options: InstallOptions });
export const repair = bind("repair", host.repair, { source: text });
export const requestReboot = bind("requestReboot", host.requestReboot, { reason: text });
