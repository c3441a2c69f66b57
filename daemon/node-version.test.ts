import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MINIMUM_NODE, nodeVersionFault } from './node-version.ts'

test.each(['v24.16.0', 'v24.21.0', 'v25.0.0', 'v100.0.0', '24.16.1'])('%s will do', (version) => {
  expect(nodeVersionFault(version)).toBeUndefined()
})

test.each(['v20.20.2', 'v24.15.9', 'v24.9.0', 'v22.30.0', 'v4.99.0'])(
  '%s will not, and one line says why',
  (version) => {
    const fault = nodeVersionFault(version)
    expect(fault).toContain(`openclaw-mesh needs Node 24.16 or later, this is ${version}`)
    expect(fault).not.toContain('\n')
  },
)

test('the guard and package.json name the same version', () => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  expect(manifest.engines.node).toBe(`>=${MINIMUM_NODE}`)
})
