import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'

/** Version of this package. */
export const VERSION: string = (() => {
  const manifest = findPackageJSON(import.meta.url)
  if (manifest === undefined) throw new Error('impossible: the package has no manifest')
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
})()
