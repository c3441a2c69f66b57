import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Scope } from '../../crdt/entry/index.ts'
import { createReplica, openReplica, type Replica } from '../../crdt/replica/index.ts'
import { entryKey } from '../../crdt/replica/keys.ts'
import { createSigner } from '../../crdt/signing.ts'
import { createFileView, type FileView } from './index.ts'
import { viewPaths } from './view-suite.ts'

const scope = 'mesh' as Scope

let home: string
let store: Replica
let view: FileView

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'mesh-damage-'))
  await mkdir(join(home, 'meshd'))
  await createReplica(join(home, 'meshd', 'db'), { meshId: 'a'.repeat(32), records: [] })
  await open()
})
afterEach(async () => {
  await close()
  await rm(home, { recursive: true, force: true })
})

async function open({ flatSkills } = { flatSkills: false }): Promise<void> {
  const signer = createSigner(new Uint8Array(32).fill(7))
  store = await openReplica({ signer }, { path: join(home, 'meshd', 'db') })
  const init = { ...viewPaths(home), memoryJson: true, flatSkills }
  view = createFileView({ store, log: pino({ level: 'silent' }) }, init)
  await view.start()
  await view.settled(store.position)
}

async function close(): Promise<void> {
  await view.stop()
  await store.close()
}

/** Flips a bit of what is stored of an entry. */
async function damage(key: string): Promise<void> {
  const level = new Level<Uint8Array, Uint8Array>(join(home, 'meshd', 'db'), {
    keyEncoding: 'view',
    valueEncoding: 'view',
  })
  const stored = Buffer.from((await level.get(entryKey({ kind: 'memory', scope, key }))) as Uint8Array)
  stored[stored.length - 1] = (stored.at(-1) as number) ^ 1
  await level.put(entryKey({ kind: 'memory', scope, key }), stored)
  await level.close()
}

test.each([
  ['that is followed', 'nothing'],
  ['that is looked at as a whole', 'index'],
  ['that is looked at again by other rules', 'rules'],
])('a damaged entry in a replica %s keeps its file and none of the others back', async (_, changed) => {
  const put = (key: string, value: string) => store.putMemory({ scope, key, value, nodeId: 'ceo' })
  for (const key of ['a', 'b', 'c']) await put(key, 'first')
  await store.putSkill({ scope, name: 'notes', content: '# Notes\n', nodeId: 'ceo' })
  await view.settled(store.position)
  await view.stop()
  for (const key of ['b', 'c']) await put(key, 'second')
  await store.close()
  await damage('b')
  if (changed === 'index') await rm(join(home, 'meshd', 'files-index'), { recursive: true })
  await open({ flatSkills: changed === 'rules' })
  await view.check()
  const read = (path: string) => readFile(join(home, 'mesh', path), 'utf8')
  expect(await read('memory/mesh/b.md')).toContain('first')
  expect(await read('memory/mesh/c.md')).toContain('second')
  expect(await read('skills/notes/SKILL.md')).toBe('# Notes\n')
  expect(view.findings().map(({ checkId }) => checkId)).toContain('files.unreadable')
})
