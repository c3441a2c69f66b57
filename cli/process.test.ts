import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { EXIT } from './exit-codes.ts'
import { inFolder } from './harness-suite.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))

function start(argv: readonly string[], home: string) {
  const child = spawn(process.execPath, [MAIN, ...argv], { env: { MESH_HOME: home } })
  return { child, closed: once(child, 'close') as Promise<[code: number | null, signal: string | null]> }
}

test('the exit code of the process is that of the run', async () => {
  await inFolder(async (home) => {
    const { child, closed } = start(['status'], home)
    const said = await text(child.stderr)
    expect(await closed).toEqual([EXIT.notRunning, null])
    expect(said).toContain('error: no daemon answers')
  })
})

test('a reader that has had enough ends it quietly', async () => {
  await inFolder(async (home) => {
    const path = join(home, 'many.json')
    const entries = Array.from({ length: 50_000 }, (_, i) => [`mesh:key-${i}`, { value: i }] as const)
    await writeFile(path, JSON.stringify(Object.fromEntries(entries)))
    const { child, closed } = start(['import', path, '--dry-run'], home)
    const said = text(child.stderr)
    await once(child.stdout, 'data')
    child.stdout.destroy()
    expect(await closed).toEqual([EXIT.ok, null])
    expect(await said).not.toMatch(/error|EPIPE/i)
  })
})

test('Ctrl-C ends it with 130, also while it waits for input', async () => {
  await inFolder(async (home) => {
    const { child, closed } = start(['put', 'key', '-'], home)
    // It reads: what is written arrives, and the end of it never comes.
    await new Promise((written) => child.stdin.write('x'.repeat(200_000), written))
    child.kill('SIGINT')
    expect(await closed).toEqual([EXIT.interrupted, null])
  })
})
