// Written by `cargo xtask declarations` out of wit/http.wit.
import * as host from "msp:automation/http@1.0.0";
import { bind } from "../call.js";
import { option, text, whole } from "../shapes.js";
import { HttpRequest, Secret } from "./types.js";

export const get = bind("get", host.get, { request: HttpRequest, authorization: option(Secret) });
export const head = bind("head", host.head, { request: HttpRequest, authorization: option(Secret) });
export const getCertificates = bind("getCertificates", host.getCertificates, { url: text, timeoutMs: whole("0", "4294967295") });
