import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT, readProjectFile } from './project-files.ts'

interface Locked {
  readonly version?: string
  readonly resolved?: string
  readonly hasInstallScript?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const manifest = JSON.parse(readProjectFile('package.json'))
const lock: Record<string, Locked> = JSON.parse(readProjectFile('package-lock.json')).packages

describe('package.json', () => {
  test('pins every dependency to one version', () => {
    const versions = Object.entries<string>({ ...manifest.dependencies, ...manifest.devDependencies })
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([])
  })

  test('allows by name every install script that there is, and no other', () => {
    const scripted = Object.entries(lock)
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([path]) => path.replace(/^.*node_modules\//, ''))
    // Our own package stands in the lock too, under ''.
    expect(Object.keys(manifest.allowScripts).sort()).toEqual([...new Set(scripted)].filter(Boolean).sort())
  })

  test('starts the daemon with the same options wherever it does', () => {
    const [, option] = /^exec node (\S+) "/m.exec(readProjectFile(manifest.bin['openclaw-meshd'])) ?? []
    expect(manifest.scripts.start).toBe(`node ${option} daemon/main.ts`)
    expect(readProjectFile('bench/daemon-process.ts')).toContain(`DAEMON_OPTIONS = ['${option}']`)
  })

  test.each(['cli/main.ts', 'daemon/main.ts'])('%s checks its Node before anything else is loaded', (path) => {
    const source = readProjectFile(path)
    const imports = [...source.matchAll(/^import (?!type\b)[^']*'([^']+)'/gm)].map((match) => match[1])
    expect(imports).toEqual([expect.stringMatching(/\/node-version\.ts$/)])
    expect(source).toMatch(/^requireNode\(\)$/m)
  })
})

describe('package-lock.json', () => {
  test('names no registry, so that it works behind any mirror', () => {
    expect(Object.entries(lock).filter(([, { resolved }]) => resolved?.startsWith('http'))).toEqual([])
  })

  // npm drops from the lock what it could not fetch when the lock was made, and `npm ci` then fails everywhere.
  test('lists the packages of every platform, not only of the one that it was made on', () => {
    const missing = Object.entries(lock).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter((name) => !isLocked(path, name)),
    )
    expect(missing).toEqual([])
  })
})

test('.ci/run may be executed', () => {
  expect(statSync(join(ROOT, '.ci/run')).mode & 0o111).toBe(0o111)
})

/** Whether the package is found from the one at `path`, looking upwards as Node does. */
function isLocked(path: string, name: string): boolean {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    if (lock[`${at === '' ? '' : `${at}/`}node_modules/${name}`] !== undefined) return true
    if (at === '') return false
  }
}
