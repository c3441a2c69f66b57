import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import type { MemoryRow } from '../../crdt/entry/index.ts'
import { createReplica, openReplica } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import { LONG } from '../../test/support/long.ts'
import { createSearch } from './index.ts'

const KILLS = LONG ? 100 : 4

const WRITER = fileURLToPath(new URL('./killed-child-suite.ts', import.meta.url))

let home: string

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'mesh-kill-'))
  await createReplica(join(home, 'db'), { meshId: 'a'.repeat(32), records: [] })
})
afterEach(() => rm(home, { recursive: true, force: true }))

test(`killed in the middle ${KILLS} times: each time the index comes to show what is stored, without help`, {
  timeout: KILLS * 15_000,
}, async () => {
  for (let round = 0; round < KILLS; round++) {
    await writeUntilKilled(round)
    // Every second time the next writer has to find its way alone.
    if (round % 2 === 1) await expectRight()
  }
})

async function writeUntilKilled(round: number): Promise<void> {
  const child = spawn(process.execPath, [WRITER, home, `${round}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const gone = once(child, 'exit')
  await Promise.race([
    once(child.stdout, 'data'),
    gone.then(() => {
      throw new Error('the writer ended before it was killed')
    }),
  ])
  // Any moment will do, and each round has another one.
  setTimeout(() => child.kill('SIGKILL'), 20 + ((round * 37) % 300))
  await gone
}

async function expectRight(): Promise<void> {
  const store = await openReplica({ signer: createSigner(new Uint8Array(32).fill(7)) }, { path: join(home, 'db') })
  const lines: string[] = []
  const log = pino({}, { write: (line: string) => void lines.push(line) })
  const search = createSearch({ store, log, now: Date.now }, { path: join(home, 'search.sqlite') })
  try {
    await search.start()
    await search.caughtUp(store.position)
    const rows = await Array.fromAsync(store.list('memory'), ({ row }) => row as MemoryRow)
    const words = new Set(rows.flatMap(({ value }) => String(value).split(' ')))
    expect(words.size).toBeGreaterThan(2)
    for (const word of words) {
      const expected = rows.filter(({ value }) => String(value).split(' ').includes(word)).map(({ key }) => key)
      const found = await Promise.all(
        ['start', ...Array.from({ length: 10 }, (_, digit) => `key-${digit}`)].map(async (prefix) => {
          const { hits, isComplete } = await search.search({ text: word, prefix, limit: 100 })
          expect(isComplete).toBe(true)
          return hits.map(({ key }) => key)
        }),
      )
      expect(new Set(found.flat()).size, word).toBe(new Set(expected).size)
      expect(
        found.flat().filter((key) => !expected.includes(key)),
        word,
      ).toEqual([])
    }
    expect(search.status().entries).toBe(rows.length)
    if (process.platform === 'linux') expect(lines.join('')).not.toContain('making the search index')
  } finally {
    await search.stop()
    await store.close()
  }
}
