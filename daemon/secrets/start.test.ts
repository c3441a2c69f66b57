import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { createClient } from '../api/client.ts'
import { loadConfig } from '../config/index.ts'
import { type Daemon, startDaemon } from '../daemon.ts'
import { layoutOf } from '../home.ts'
import { SECRET } from './secrets-suite.ts'

async function start(home: string, guard: boolean): Promise<Daemon> {
  const env = {
    MESH_API_PORT: '0',
    MESH_P2P_HOST: '127.0.0.1',
    MESH_P2P_PORT: '0',
    MESH_SECRETS_GUARD: String(guard),
  }
  const config = await loadConfig({ home, env, hostname: 'ceo' })
  const daemon = await startDaemon(layoutOf(home), { config, log: pino({ level: 'silent' }) })
  onTestFinished(() => daemon.stop())
  return daemon
}

test('S-24: a daemon finds what was stored while its guard was off, and only with it on', async () => {
  const home = await mkdtemp(join(tmpdir(), 'mesh-stored-'))
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  const client = createClient({ home })
  const found = async () => (await client.doctor()).findings.map(({ checkId }) => checkId)

  const off = await start(home, false)
  await client.putMemory({ scope: 'mesh', key: 'deploy', value: SECRET })
  expect(await found()).toEqual([])
  await off.stop()

  const on = await start(home, true)
  await expect.poll(found, { timeout: 10_000 }).toEqual(['secrets.stored'])
  expect(await client.doctor()).toMatchObject({ ok: true })
  await on.stop()

  const again = await start(home, true)
  await expect.poll(found, { timeout: 10_000 }).toEqual(['secrets.stored'])
  await client.deleteMemory('mesh', 'deploy')
  expect(await found()).toEqual([])
  await again.stop()
  client.close()
})
