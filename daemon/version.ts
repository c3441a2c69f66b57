import { existsSync, readFileSync } from 'node:fs'

/** Version of this package. The manifest lies one folder up from the source, two from what is built. */
export const VERSION: string = (() => {
  const candidates = ['../package.json', '../../package.json'].map((path) => new URL(path, import.meta.url))
  const manifest = candidates.find((url) => existsSync(url))
  if (manifest === undefined) throw new Error('impossible: the package has no manifest')
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
})()
