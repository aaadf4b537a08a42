// Uploads a file by tus-js-client: node tus.mjs ENDPOINT TOKEN FILE OPTIONS (JSON). Writes the upload's address.
import { readFileSync } from 'node:fs'
import * as tus from 'tus-js-client'

const [endpoint, token, path, options] = process.argv.slice(2)

await new Promise((resolve, reject) => {
  const upload = new tus.Upload(readFileSync(path), {
    endpoint,
    headers: { Authorization: `Bearer ${token}` },
    metadata: { filename: 'talk.mp4', filetype: 'video/mp4', quality: '5' },
    retryDelays: Array(300).fill(100),
    ...JSON.parse(options),
    onError: reject,
    onSuccess: () => { console.log(upload.url); resolve() },
  })
  upload.start()
})
