// Written by `cargo xtask declarations` out of wit/kv.wit.
import * as host from "msp:automation/kv@1.0.0";
import { bind } from "../call.js";
import { text } from "../shapes.js";

export const getValue = bind("getValue", host.getValue, { key: text });
export const listKeys = bind("listKeys", host.listKeys, { prefix: text, after: text });
