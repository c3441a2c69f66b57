import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NODE, ROOT, userEnvironment } from './surroundings.ts'

/** The release that the suite was written against. */
const VERSION = '2026.9.6'
const CACHE = join(ROOT, '.cache')
const HOME = join(CACHE, 'openclaw')
const PACKAGE = join(HOME, 'node_modules/openclaw')

/** The program, to be run with Node 24. */
export const OPENCLAW = join(PACKAGE, 'openclaw.mjs')
/** The skills that come with the package: `<name>/SKILL.md`, some with further files. */
export const BUNDLED_SKILLS = join(PACKAGE, 'skills')

/**
 * Installs the real OpenClaw below `.cache/`, about 650 MB, unless it is there. It is made beside and renamed when it
 * is whole, so that an interrupted or a second run never leaves or sees half of it. Says on stderr what it does.
 */
export async function setup(): Promise<void> {
  if ((await installedVersion()) === VERSION) return
  await mkdir(CACHE, { recursive: true })
  await removeLeftovers()
  const started = performance.now()
  say(`installing openclaw@${VERSION} into .cache/openclaw: 650 MB, some minutes on a slow line`)
  const partial = beside('partial')
  await mkdir(partial)
  await writeFile(join(partial, 'package.json'), '{ "name": "openclaw-under-test", "private": true }\n')
  await npmInstall(partial)
  await swapIn(partial)
  say(`installed in ${Math.round((performance.now() - started) / 1000)} s`)
}

async function installedVersion(): Promise<string | undefined> {
  try {
    return JSON.parse(await readFile(join(PACKAGE, 'package.json'), 'utf8')).version
  } catch {
    return undefined
  }
}

/** Folders of runs that were interrupted; those of a run that lives are left alone. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(CACHE)) {
    const owner = /^openclaw\.(?:partial|old)-(\d+)$/.exec(name)?.[1]
    if (owner !== undefined && !isAlive(Number(owner))) await removeFolder(join(CACHE, name))
  }
}

async function npmInstall(folder: string): Promise<void> {
  const npm = process.env['npm_execpath']
  const [program, first] = npm === undefined ? ['npm', []] : [NODE, [npm]]
  const options = ['--prefix', folder, '--save-exact', '--ignore-scripts', '--no-audit', '--no-fund']
  const child = spawn(program, [...first, 'install', ...options, `openclaw@${VERSION}`], {
    cwd: folder,
    env: { ...userEnvironment(), ...npmSettings() },
    // What npm says on stdout is no result of this program either.
    stdio: ['ignore', process.stderr, process.stderr],
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`npm install openclaw@${VERSION} ended with ${code}; what it said stands above`)
}

/** Where npm finds its registry and cache; what else an outer npm hands down is about the outer package. */
function npmSettings(): NodeJS.ProcessEnv {
  const names = ['npm_config_registry', 'npm_config_cache', 'npm_config_userconfig', 'npm_config_cafile', 'HOME']
  return Object.fromEntries(names.flatMap((name) => (name in process.env ? [[name, process.env[name]]] : [])))
}

async function swapIn(partial: string): Promise<void> {
  const old = beside('old')
  await rename(HOME, old).catch(ignoreMissing)
  try {
    await rename(partial, HOME)
  } catch (error) {
    // Another run may have been first; then there is what is wanted.
    if ((await installedVersion()) !== VERSION) throw error
  }
  await Promise.all([old, partial].map(removeFolder))
}

/** An npm whose parent was killed may still be writing there. */
function removeFolder(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 10 })
}

function beside(what: string): string {
  return `${HOME}.${what}-${process.pid}`
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

function say(line: string): void {
  process.stderr.write(`test:openclaw: ${line}\n`)
}
