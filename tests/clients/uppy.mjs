// Uploads a file by Uppy: node uppy.mjs ENDPOINT TOKEN FILE OPTIONS (JSON). Writes the upload's address.
import { readFileSync } from 'node:fs'
import Uppy from '@uppy/core'
import Tus from '@uppy/tus'

const [endpoint, token, path, options] = process.argv.slice(2)
const uppy = new Uppy({ meta: { quality: '5' } })
uppy.use(Tus, {
  endpoint,
  headers: { Authorization: `Bearer ${token}` },
  retryDelays: Array(300).fill(100),
  ...JSON.parse(options),
})
uppy.addFile({ name: 'talk.mp4', type: 'video/mp4', data: readFileSync(path) })
const { successful, failed } = await uppy.upload()
if (failed.length) throw failed[0].error
console.log(successful[0].uploadURL)
process.exit(0)
