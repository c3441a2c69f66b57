import { constants } from 'node:fs'
import { access, lstat, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Finding, HomeLayout } from '../../daemon/api/client.ts'

/** Rights of others than the owner: there must be none on anything below `meshd/`. */
const OTHERS = 0o077
/** Names of files that hold a secret. */
const SECRET = /token|key/i

/**
 * What can be seen of a home without its daemon: whether it is there, whether it takes writes, and whether its secrets
 * are the owner's alone.
 */
export async function checkHome(layout: HomeLayout): Promise<Finding[]> {
  const { meshdDir } = layout
  const folder = await lstat(meshdDir).catch(() => undefined)
  if (folder === undefined) return [await missing(layout)]
  if (!folder.isDirectory()) {
    const message = `${meshdDir} is not a folder, so the daemon cannot keep anything there`
    return [
      { checkId: 'home.not-a-folder', severity: 'error', message, path: meshdDir, fixHint: 'move it out of the way' },
    ]
  }
  const findings: Finding[] = []
  if (!(await isWritable(meshdDir))) findings.push(unwritable(meshdDir))
  return [...findings, ...(await checkRights(meshdDir))]
}

/** What a socket that nobody listens on means. */
export async function checkSocket({ socketPath }: HomeLayout): Promise<Finding[]> {
  const socket = await lstat(socketPath).catch(() => undefined)
  if (socket === undefined) return []
  const message = 'a socket is left over from a daemon that was killed; the next start replaces it'
  return [{ checkId: 'socket.stale', severity: 'info', message, path: socketPath }]
}

async function missing({ home, meshdDir }: HomeLayout): Promise<Finding> {
  // The nearest folder that exists is the one in which the others would have to be made.
  let above = dirname(meshdDir)
  while ((await lstat(above).catch(() => undefined)) === undefined && dirname(above) !== above) above = dirname(above)
  if (!(await isWritable(above))) return unwritable(above)
  const message = 'nothing is set up in this home yet'
  return {
    checkId: 'home.missing',
    severity: 'warning',
    message,
    path: home,
    fixHint: 'start `openclaw-meshd`, or run `mesh init`',
  }
}

function unwritable(path: string): Finding {
  const message = 'this user may not write here'
  return {
    checkId: 'home.not-writable',
    severity: 'error',
    message,
    path,
    fixHint: 'run as the user who runs openclaw-meshd, or change the owner',
  }
}

function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** In a folder that is closed to others no file can be read; but a secret stays one when it is copied or the folder opened. */
async function checkRights(meshdDir: string): Promise<Finding[]> {
  if (process.platform === 'win32') return []
  const secrets = (await readdir(meshdDir).catch(() => [])).filter((name) => SECRET.test(name)).sort()
  const findings: Finding[] = []
  for (const path of [meshdDir, ...secrets.map((name) => join(meshdDir, name))]) {
    const found = await lstat(path).catch(() => undefined)
    if (found === undefined || found.isSymbolicLink() || (found.mode & OTHERS) === 0) continue
    const wanted = found.isDirectory() ? '700' : '600'
    const message = `others than its owner have rights on it (${(found.mode & 0o777).toString(8)}, should be ${wanted})`
    findings.push({ checkId: 'home.rights', severity: 'error', message, path, fixHint: `chmod ${wanted} ${path}` })
  }
  return findings
}
