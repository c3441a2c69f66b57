import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createClient } from '../../daemon/api/client.ts'
import { EXIT } from '../exit-codes.ts'
import { startDaemon, type TestDaemon } from '../harness-suite.ts'

let ceo: TestDaemon

beforeAll(async () => {
  ceo = await startDaemon('ceo')
})

afterAll(() => ceo?.stop())

test('words are found in memory and skills, for programs and for people', async () => {
  await ceo.run(['put', 'project/plan', 'the quokka ships on Friday'])
  await ceo.run(['put', 'evil', 'quokka \u001b[31mred\u202e'])
  await ceo.run(['skill', 'put', 'feed-quokka', '-'], { input: '# Feed a quokka\n' })
  await vi.waitFor(async () => {
    const { stdout } = await ceo.run(['search', 'quokka'])
    expect(stdout.trim().split('\n')).toHaveLength(3)
  }, 10_000)
  const { stdout } = await ceo.run(['search', 'quokka', 'ships'])
  expect(stdout).toBe('memory\tmesh\tproject/plan\tthe quokka ships on Friday\n')
  expect((await ceo.run(['search', 'quokka', '--skill'])).stdout).toMatch(/^skill\tmesh\tfeed-quokka\t[^\n]+\n$/)
  expect((await ceo.run(['search', 'quo*', '--prefix', 'project/'])).stdout).toContain('project/plan')
  const people = await ceo.run(['search', 'quokka'], { terminal: 80 })
  expect(people.stdout).toContain('mesh/project/plan')
  for (const raw of ['\u001b[31m', '\u202e']) expect(people.stdout + people.stderr).not.toContain(raw)
  expect(await ceo.json(['search', 'quokka', '--memory'])).toMatchObject({ ok: true, complete: true })
  expect(await ceo.run(['search', 'nothing-has-this'])).toMatchObject({ exit: EXIT.ok, stdout: '' })
  expect(await ceo.json(['search', '"'])).toMatchObject({ error: { type: 'QUERY_INVALID', field: 'q' } })
})

test('what is written is watched until it is interrupted', async () => {
  const stop = new AbortController()
  const client = createClient({ home: ceo.home })
  const { position } = await client.status()
  const watching = ceo.run(['watch', '--since', String(position), 'seen/'], { signal: stop.signal })
  await ceo.run(['put', 'seen/a', '{"n":1}'])
  await ceo.run(['put', 'unseen', '1'])
  await ceo.run(['rm', 'seen/a'])
  // It has been told of all this by the time that another watcher has.
  for await (const event of client.watch({ since: position, prefix: 'seen/' })) if (event.type === 'delete') break
  setTimeout(() => stop.abort(), 300)
  const { exit, stdout } = await watching
  const lines = stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t').slice(1))
  expect(lines.at(-1)).toEqual(['delete', 'memory', 'mesh', 'seen/a', ''])
  expect(exit).toBe(130)
  expect(await ceo.json(['watch', '--since', 'x'])).toMatchObject({ error: { type: 'USAGE', field: '--since' } })
})
