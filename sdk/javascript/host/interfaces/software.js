// Written by `cargo xtask declarations` out of wit/software.wit.
import * as host from "msp:automation/software@1.0.0";
import { bind } from "../call.js";
import { text } from "../shapes.js";

export const findPrograms = bind("findPrograms", host.findPrograms, { name: text });
