import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { inFolder, startDaemon, type TestDaemon } from '../harness-suite.ts'

let ceo: TestDaemon

beforeAll(async () => {
  ceo = await startDaemon('ceo')
})

afterAll(() => ceo?.stop())

describe('the node', () => {
  test('status --json holds what programs look for', async () => {
    expect(await ceo.json(['status'])).toMatchObject({
      ok: true,
      nodeId: 'ceo',
      peerId: expect.stringMatching(/^12D3KooW/),
      version: expect.any(String),
      entries: expect.any(Number),
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      peers: [],
    })
  })

  test('status for people', async () => {
    const { exit, stdout } = await ceo.run(['status'])
    expect(exit).toBe(EXIT.ok)
    expect(stdout).toMatch(/^node {8}ceo {2}12D3KooW…/)
    for (const name of ['mesh', 'entries', 'digest', 'daemon', 'home', 'api', 'addresses']) {
      expect(stdout).toMatch(new RegExp(`^${name} `, 'm'))
    }
  })

  test('init finds that everything is there', async () => {
    expect(await ceo.json(['init'])).toMatchObject({ ok: true, created: false, nodeId: 'ceo', home: ceo.home })
  })

  test('the token: shown, used over TCP, rotated, dead', async () => {
    const path = (await ceo.run(['token', 'path'])).stdout.trim()
    const token = (await ceo.run(['token', 'show'])).stdout.trim()
    expect(token).toBe((await readFile(path, 'utf8')).trim())
    const { api } = (await ceo.json(['status'])) as unknown as { api: { url: string } }
    await inFolder(async (folder) => {
      const copy = join(folder, 'token')
      await writeFile(copy, token)
      const overTcp = ['status', '--url', api.url, '--token-file', copy]
      expect(await ceo.json(overTcp)).toMatchObject({ exit: EXIT.ok, nodeId: 'ceo' })
      expect(await ceo.run(['token', 'rotate'])).toMatchObject({ exit: EXIT.ok, stdout: `new token in ${path}\n` })
      expect(await ceo.json(overTcp)).toMatchObject({ exit: EXIT.auth, ok: false })
      expect(await ceo.json(['status', '--url', api.url])).toMatchObject({ exit: EXIT.ok, nodeId: 'ceo' })
      await writeFile(copy, '')
      expect(await ceo.run(overTcp)).toMatchObject({ exit: EXIT.auth })
    })
  })

  test('config show tells what is in force and why', async () => {
    const { stdout } = await ceo.run(['config', 'show'])
    expect(stdout).toContain('nodeId\t"ceo"\tenvironment\n')
    expect(stdout).toMatch(/^api\.auth\ttrue\tdefault$/m)
    expect(await ceo.json(['config', 'show'])).toMatchObject({ ok: true, sources: { nodeId: 'environment' } })
  })

  test('doctor finds nothing wrong, and the exit code says it', async () => {
    const { exit, findings } = (await ceo.json(['doctor'])) as { exit: number; findings?: { severity: string }[] }
    expect(exit).toBe(EXIT.ok)
    expect(findings?.filter(({ severity }) => severity === 'error')).toEqual([])
  })

  test('alone: no peers, nothing to reconcile', async () => {
    expect(await ceo.run(['peers'])).toEqual({ exit: EXIT.ok, stdout: '', stderr: '' })
    expect((await ceo.run(['peers'], { terminal: 80 })).stderr).toContain('no other members')
    expect(await ceo.run(['sync'])).toMatchObject({ exit: EXIT.ok, stdout: '' })
    expect(await ceo.json(['peers', 'remove', 'sec', '--yes'])).toMatchObject({ exit: EXIT.notFound })
    expect(await ceo.json(['leave', '--yes'])).toMatchObject({ exit: EXIT.refused, error: { type: 'NOT_IN_A_MESH' } })
    expect(await ceo.json(['join', 'rubbish'])).toMatchObject({
      exit: EXIT.refused,
      error: { type: 'TICKET_MALFORMED' },
    })
  })
})
