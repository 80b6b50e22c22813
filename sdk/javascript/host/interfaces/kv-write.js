// Written by `cargo xtask declarations` out of wit/kv-write.wit.
import * as host from "msp:automation/kv-write@1.0.0";
import { bind } from "../call.js";
import { option, text, whole } from "../shapes.js";

export const putValue = bind("putValue", host.putValue, { key: text, value: text, expectedRevision: option(whole("0", "18446744073709551615")), ttlSeconds: whole("0", "4294967295") });
export const removeValue = bind("removeValue", host.removeValue, { key: text, expectedRevision: option(whole("0", "18446744073709551615")) });
