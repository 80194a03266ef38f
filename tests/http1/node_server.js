// Node's HTTP server as a reading of byte streams: one JSON line in ({"parts": [base64, …]}), one JSON line out
// ({"messages": [[method, target, base64 of the body], …], "refused": bool}). Only whole messages are told.
"use strict";
const http = require("http");
const { Duplex } = require("stream");
const lines = require("readline").createInterface({ input: process.stdin });

let present;

class Line extends Duplex {
  _read() {}
  _write(data, _encoding, done) {
    present.written += data.toString("latin1");
    done();
  }
}

function take(request, response) {
  const here = present;
  const parts = [];
  request.on("data", (data) => parts.push(data));
  request.on("error", () => {});
  request.on("end", () => {
    here.messages.push([request.method, request.url, Buffer.concat(parts).toString("base64")]);
    response.end();
  });
}

// Whole requests before what is refused are still to be told, so nothing is torn down here. What comes behind the
// last request of a connection is not refused, but passed over.
function refuse(error) {
  if (error.code !== "HPE_CLOSED_CONNECTION") present.refused = true;
}

const server = http.createServer({ keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 }, take);
server.on("checkContinue", take);
server.on("checkExpectation", take);
server.on("connect", refuse);
server.on("clientError", refuse);

function settle(turns, then) {
  setImmediate(() => (turns ? settle(turns - 1, then) : then()));
}

lines.on("line", (text) => {
  present = { messages: [], refused: false, written: "" };
  const here = present;
  const line = new Line();
  line.on("error", () => {});
  server.emit("connection", line);
  for (const part of JSON.parse(text).parts) {
    if (!line.destroyed) line.push(Buffer.from(part, "base64"));
  }
  settle(8, () => {
    const refused = here.refused || here.written.includes("HTTP/1.1 400 ");
    line.destroy();
    process.stdout.write(JSON.stringify({ messages: here.messages, refused }) + "\n");
  });
});
lines.on("close", () => process.exit(0));
