// Uploads a file with tus-js-client: node tus_upload.mjs FILE uploadUrl|endpoint URL CHUNK_BYTES
// Prints `progress N` whenever the server has confirmed N bytes, `success` or `error ...` at the end.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.env.TUS_FROM);
const tus = require('tus-js-client');
const [file, kind, url, chunkBytes] = process.argv.slice(2);

const upload = new tus.Upload(readFileSync(file), {
  [kind]: url,
  chunkSize: Number(chunkBytes),
  retryDelays: [200, 200, 500, 500, 1000, 1000, 1000, 1000, 1000],
  metadata: { filename: 'note.ogg', filetype: 'audio/ogg' },
  onChunkComplete: (_, accepted) => console.log(`progress ${accepted}`),
  onSuccess: () => console.log('success'),
  onError: (error) => {
    console.log(`error ${error}`);
    process.exitCode = 1;
  },
});
upload.start();
