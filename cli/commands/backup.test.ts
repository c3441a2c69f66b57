import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { inFolder, run, startDaemon, type TestDaemon } from '../harness-suite.ts'

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url))

let ceo: TestDaemon
let sec: TestDaemon
beforeAll(async () => {
  ;[ceo, sec] = await Promise.all([startDaemon('ceo'), startDaemon('sec')])
  await ceo.run(['put', 'plan', 'ship on Friday'])
  await ceo.run(['put', 'own', 'here', '--scope', 'node'])
  await ceo.run(['put', 'gone', '1'])
  await ceo.run(['rm', 'gone'])
})
afterAll(() => Promise.all([ceo?.stop(), sec?.stop()]))

/** Runs `mesh` as a process in a folder, with bytes in and out. */
async function inProcess(cwd: string, args: readonly string[], input: Uint8Array = new Uint8Array()) {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, env: { ...process.env, MESH_HOME: ceo.home } })
  child.stdin.end(input)
  const [stdout, stderr, [exit]] = await Promise.all([buffer(child.stdout), buffer(child.stderr), once(child, 'exit')])
  return { stdout, stderr: stderr.toString(), exit }
}

/** Where the last frame of a backup begins. */
function endOf(whole: Buffer): number {
  let at = 23
  while (whole.toString('latin1', at, at + 1) !== 'e') at += 9 + whole.readUInt32BE(at + 1)
  return at
}

/** The frame by which a backup says why it cannot go on. */
function failure(code: string, message: string): Buffer {
  const payload = Buffer.from(JSON.stringify({ code, message }))
  const head = Buffer.from('x\0\0\0\0', 'latin1')
  head.writeUInt32BE(payload.length, 1)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(payload, crc32(head)))
  return Buffer.concat([head, sum, payload])
}

describe('backup', () => {
  test('a file is written whole and verified, for its owner alone, and not over another', async () => {
    await inFolder(async (folder) => {
      const file = join(folder, 'ceo.meshbackup')
      const made = await ceo.json(['backup', file])
      expect(made).toMatchObject({
        exit: EXIT.ok,
        ok: true,
        file,
        hasKey: true,
        nodeId: 'ceo',
        counts: { memory: 2, skills: 0, deleted: 1 },
      })
      const { mode, size } = await stat(file)
      expect([mode & 0o777, size]).toEqual([0o600, made['bytes']])
      expect(await ceo.json(['backup', file])).toMatchObject({ exit: EXIT.usage, error: { field: 'FILE' } })
      const { exit, stdout, stderr } = await ceo.run(['backup', file, '--force', '--without-key'])
      expect(exit).toBe(EXIT.ok)
      expect(stdout).toMatch(/ceo\.meshbackup {2}[\d.]+ KiB, verified\n$/)
      expect(stderr).toMatch(/^2 memories and 0 skills, 1 deleted and 0 expired, as of .*Z\nwithout the node's key/)
      expect(await readdir(folder)).toEqual(['ceo.meshbackup'])
    })
  })

  test('without a name it is called after the node and the time; - is standard output, for no terminal', async () => {
    await inFolder(async (folder) => {
      const { exit } = await inProcess(folder, ['backup'])
      expect(exit).toBe(EXIT.ok)
      expect(await readdir(folder)).toEqual([expect.stringMatching(/^ceo-\d{4}-\d\d-\d\dT\d{6}Z\.meshbackup$/)])
      const piped = await inProcess(folder, ['backup', '-'])
      expect(piped).toMatchObject({ exit: EXIT.ok, stderr: '' })
      await writeFile(join(folder, 'piped'), piped.stdout)
      expect(await run(['restore', '--dry-run', join(folder, 'piped')])).toMatchObject({ exit: EXIT.ok })
      expect(await ceo.run(['backup', '-'], { terminal: 80 })).toMatchObject({ exit: EXIT.usage, stdout: '' })
      expect(await ceo.run(['backup', '-', '--json'])).toMatchObject({ exit: EXIT.usage })
      expect(await ceo.run(['backup', '-', '--force'])).toMatchObject({ exit: EXIT.usage })
    })
  })

  test('shows progress on a terminal', async () => {
    await inFolder(async (folder) => {
      const { stdout } = await ceo.run(['backup', join(folder, 'x')], { terminal: 80 })
      expect(stdout).toContain('verified')
      const { stderr } = await ceo.run(['backup', join(folder, 'y')], { terminal: 80 })
      expect(stderr).toMatch(/backup \d+ of \d+/)
      expect(stderr).toMatch(/verify \d+ of \d+/)
    })
  })

  test('where there is no daemon, it cannot be written, it is interrupted, or the daemon is lost, nothing is left', async () => {
    await inFolder(async (folder) => {
      const file = join(folder, 'x')
      expect(await run(['backup', file], { env: { MESH_HOME: folder } })).toMatchObject({ exit: EXIT.notRunning })
      expect(await ceo.run(['backup', join(folder, 'no', 'x')])).toMatchObject({ exit: EXIT.storage })
      const stop = AbortSignal.abort(new Error('interrupted'))
      expect(await ceo.run(['backup', file], { signal: stop })).toMatchObject({ exit: EXIT.interrupted })
      // One that ends its answer early, one that hangs up in the middle, and one that says first why it does.
      const whole = (await inProcess(folder, ['backup', '-'])).stdout
      const part = whole.subarray(0, whole.length - 40)
      const failing = Buffer.concat([whole.subarray(0, endOf(whole)), failure('STORAGE_CORRUPT', 'a value is damaged')])
      for (const [answer, length, type] of [
        [part, part.length, 'BACKUP_DAMAGED'],
        [part, whole.length, 'ANSWER_INVALID'],
        [failing, failing.length + 1, 'STORAGE_CORRUPT'],
      ] as const) {
        const server = createServer((socket) => {
          socket.once('data', () => {
            socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`)
            socket.end(answer)
          })
        })
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
        const { port } = server.address() as { port: number }
        const cut = await ceo.json(['backup', file, '--url', `http://127.0.0.1:${port}`])
        expect(cut).toMatchObject({ ok: false, error: { type } })
        server.close()
      }
      expect(await readdir(folder)).toEqual([])
    })
  })
})

describe('restore', () => {
  test('merges, and says what was new', async () => {
    await inFolder(async (folder) => {
      const file = join(folder, 'ceo.meshbackup')
      await ceo.run(['backup', file])
      await ceo.run(['put', 'plan', 'later'])
      const { exit, stdout, stderr } = await ceo.run(['restore', file])
      expect({ exit, stdout }).toEqual({
        exit: EXIT.ok,
        stdout: 'new here 0, already here 3, refused 0, not to be opened 0\n',
      })
      expect(stderr).toMatch(/^backup of ceo \(12D3KooW\w+\) as of .*Z\n$/)
      expect((await ceo.run(['get', 'plan'])).stdout).toBe('later\n')
      expect(await ceo.json(['restore', file])).toMatchObject({ exit: EXIT.ok, ok: true, entries: 3, known: 3 })
      const piped = await inProcess(folder, ['restore', '-'], await readFile(file))
      expect(piped).toMatchObject({ exit: EXIT.ok })
      expect((await ceo.run(['restore', file], { terminal: 80 })).stderr).toMatch(/(unpack|merge) \d/)
    })
  })

  test('--dry-run looks through a file without any daemon, and changes nothing', async () => {
    await inFolder(async (folder) => {
      const file = join(folder, 'ceo.meshbackup')
      await ceo.run(['backup', file])
      const nobody = { env: { MESH_HOME: folder } }
      const { exit, stdout } = await run(['restore', '--dry-run', file], nobody)
      expect(exit).toBe(EXIT.ok)
      expect(stdout).toMatch(/^backup of ceo \(\w+\) as of .*, whole and undamaged\n2 memories and 0 skills, 1 deleted/)
      expect(stdout).toContain("with the node's key")
      const json = await run(['restore', '--dry-run', file, '--json'], nobody)
      expect(JSON.parse(json.stdout)).toMatchObject({ ok: true, dryRun: true, hasKey: true, nodeId: 'ceo' })
      expect(await run(['restore', file], nobody)).toMatchObject({ exit: EXIT.notRunning })
    })
  })

  test('what is no backup, damaged, of another mesh, a folder or not there, each with its exit code', async () => {
    await inFolder(async (folder) => {
      const file = join(folder, 'ceo.meshbackup')
      await ceo.run(['backup', file])
      expect(await sec.json(['restore', file])).toMatchObject({
        exit: EXIT.refused,
        error: { type: 'BACKUP_OTHER_MESH', hint: expect.stringContaining('mesh export') },
      })
      await truncate(file, (await stat(file)).size - 1)
      await writeFile(join(folder, 'text'), 'hello')
      await mkdir(join(folder, 'sub'))
      const refused: readonly (readonly [string, number, string])[] = [
        ['ceo.meshbackup', EXIT.refused, 'BACKUP_DAMAGED'],
        ['text', EXIT.refused, 'BACKUP_INVALID'],
        ['sub', EXIT.usage, 'USAGE'],
        ['none', EXIT.notFound, 'NOT_FOUND'],
      ]
      for (const [name, exit, type] of refused) {
        for (const flags of [[], ['--dry-run']]) {
          const answer = await ceo.json(['restore', join(folder, name), ...flags])
          expect(answer, `${name} ${flags}`).toMatchObject({ exit, ok: false, error: { type } })
        }
      }
      expect(await ceo.run(['restore'])).toMatchObject({ exit: EXIT.usage })
      expect(await ceo.run(['restore', '-'], { terminal: 80 })).toMatchObject({ exit: EXIT.usage })
    })
  })
})

test('help has examples, and says how secret such a file is', async () => {
  const backup = await run(['help', 'backup'])
  expect(backup.stdout).toMatch(/Examples:\n {2}\$ mesh backup\n/)
  expect(backup.stdout).toContain('as secret as the node itself')
  const restore = await run(['restore', '--help'])
  expect(restore.stdout).toMatch(/Examples:\n {2}\$ mesh restore --dry-run/)
  expect(restore.stdout).toContain('openclaw-meshd --restore')
})
