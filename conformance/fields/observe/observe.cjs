// Looks over the shoulder of Node.js programs, as sitecustomize.py does in Python: each answer of the resource manager is
// written, as a line of JSON, to the file that CONFORMANCE_RECORD names. `node --require` runs it; nothing is changed.
const fs = require("node:fs");
const https = require("node:https");

const RECORD = process.env.CONFORMANCE_RECORD;
const request = https.request;

if (RECORD) {
  https.request = function (...words) {
    const asked = request.apply(this, words);
    const host = asked.getHeader("host") ?? asked.host;
    if (host.startsWith("management.")) {
      asked.prependListener("response", (answer) => watch(asked, `https://${host}${asked.path}`, answer));
    }
    return asked;
  };
}

/** What is pushed to the answer's reader is kept on its way. */
function watch(asked, url, answer) {
  const pieces = [];
  const push = answer.push;
  answer.push = function (piece, ...more) {
    if (piece !== null) {
      pieces.push(Buffer.from(piece));
    } else {
      const body = Buffer.concat(pieces).toString();
      fs.appendFileSync(RECORD, JSON.stringify({ method: asked.method, url, status: answer.statusCode, body }) + "\n");
    }
    return push.call(this, piece, ...more);
  };
}
