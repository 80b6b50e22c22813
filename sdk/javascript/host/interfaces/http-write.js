// Written by `cargo xtask declarations` out of wit/http-write.wit.
import * as host from "msp:automation/http-write@1.0.0";
import { bind } from "../call.js";
import { bytes, option, word } from "../shapes.js";
import { HttpRequest, Secret } from "./types.js";

export const Method = word(["post", "put", "patch", "delete"]);
export const send = bind("send", host.send, { method: Method, request: HttpRequest, body: bytes, authorization: option(Secret) });
