// Uploads a photograph with tus-js-client, as a page or a mini-program would: cut off in the
// middle, then taken up again by another client that knows only the address.
//
//   node tus.mjs BASE TOKEN FILE UNIT MIME
//
// Prints one line of JSON: where the cut left it, what the second client sent, every status.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Upload } from "tus-js-client";

const [base, token, file, unit, mime] = process.argv.slice(2);
const bytes = readFileSync(file);
const CHUNK = 48 * 1024;
const statuses = [];

const options = (more) => ({
  endpoint: `${base}/v1/photos`,
  chunkSize: CHUNK,
  retryDelays: null,
  headers: { Authorization: `Bearer ${token}` },
  metadata: {
    filename: "IMG_1.jpg",
    sha256: createHash("sha256").update(bytes).digest("hex"),
    unit,
    mime,
  },
  onAfterResponse: (request, response) =>
    void statuses.push(`${request.getMethod()} ${response.getStatus()}`),
  ...more,
});

const cut = await new Promise((resolve, reject) => {
  const upload = new Upload(bytes, options({
    onError: reject,
    onSuccess: () => reject(new Error("it was to be cut")),
    onChunkComplete: async (size, accepted) => {
      if (accepted < CHUNK * 2) return;
      await upload.abort();
      resolve({ accepted, url: upload.url });
    },
  }));
  upload.start();
});

const sent = await new Promise((resolve, reject) => {
  let sent = 0;
  const upload = new Upload(bytes, options({
    uploadUrl: cut.url,
    onError: reject,
    onSuccess: () => resolve(sent),
    onChunkComplete: (size) => void (sent += size),
  }));
  upload.start();
});

console.log(JSON.stringify({ accepted: cut.accepted, sent, statuses }));
