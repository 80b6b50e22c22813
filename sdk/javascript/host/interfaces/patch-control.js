// Written by `cargo xtask declarations` out of wit/patch-control.wit.
import * as host from "msp:automation/patch-control@1.0.0";
import { bind } from "../call.js";
import { text } from "../shapes.js";

export const refreshIndex = bind("refreshIndex", host.refreshIndex, { source: text });
export const hold = bind("hold", host.hold, { source: text, product: text });
export const release = bind("release", host.release, { source: text, product: text });
