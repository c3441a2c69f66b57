import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../daemon/api/client.ts'
import { EXIT } from '../exit-codes.ts'
import { startDaemon, type TestDaemon } from '../harness-suite.ts'

let ceo: TestDaemon

beforeAll(async () => {
  ceo = await startDaemon('ceo')
})

afterAll(() => ceo?.stop())

interface Revisions {
  revisions?: { hash: string; action: string; row: unknown }[]
  next?: string | null
}

async function fieldsOf(...args: string[]): Promise<string[][]> {
  const { stdout } = await ceo.run(['history', ...args])
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'))
}

describe('history', () => {
  test('the latest first, with who signed; also of what was deleted', async () => {
    await ceo.run(['put', 'plan', 'one'])
    await ceo.run(['put', 'plan', '{"two":2}', '--node-id', 'planner'])
    await ceo.run(['rm', 'plan'])
    const fields = await fieldsOf('plan')
    expect(fields.map(([, action, node, , signers, value]) => [action, node, signers, value])).toEqual([
      ['delete', 'ceo', 'ceo', ''],
      ['put', 'planner', 'ceo', '{"two":2}'],
      ['put', 'ceo', 'ceo', '"one"'],
    ])
    for (const [hash, , , time] of fields) {
      expect(hash).toMatch(/^[0-9a-f]{64}$/)
      expect(time).toMatch(/^20\d\d-\d\d-\d\dT[\d:]{8}Z$/)
    }
    expect(((await ceo.json(['history', 'plan'])) as Revisions).revisions).toMatchObject([
      { action: 'delete', row: null },
      { node_id: 'planner', signers: [{ node_id: 'ceo' }], row: { value: { two: 2 } } },
      { row: { value: 'one' } },
    ])
    expect(await ceo.run(['history', 'nothing-here'])).toMatchObject({ exit: EXIT.notFound, stdout: '' })
  })

  test('a table that fits, and says where a name is not that of a signer', async () => {
    await ceo.run(['put', 'wide', 'x'.repeat(400), '--node-id', 'somebody-else'])
    const { stdout, stderr } = await ceo.run(['history', 'wide'], { terminal: 70, env: { NO_COLOR: '1' } })
    expect(stdout).toMatch(/^CHANGE +NODE +AGE +SIGNED BY +VALUE\n[0-9a-f]{12} {2}put +somebody-else +now +ceo +x+…\n$/)
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(70)
    expect(stderr).toContain('it is only a name that the author gave')
    const full = await ceo.run(['history', 'wide', '--full'], { terminal: 70, env: { NO_COLOR: '1' } })
    expect(full.stdout).toMatch(
      /^change {2}[0-9a-f]{64}\nput {5}by somebody-else, signed by ceo, not by somebody-else\ntime {4}20\S+Z \(just now\)\n\n {4}x{400}\n\n$/,
    )
    await ceo.run(['put', 'own', 'mine'])
    expect((await ceo.run(['history', 'own'], { terminal: 70 })).stderr).not.toContain('only a name')
  })

  test('--limit and --all, over more than one page of the daemon', async () => {
    const client = createClient({ home: ceo.home })
    await client.bulk(Array.from({ length: 105 }, (_, value) => ({ scope: 'mesh', key: 'busy', value })))
    client.close()
    expect(await fieldsOf('busy')).toHaveLength(25)
    const all = await fieldsOf('busy', '--all')
    expect([new Set(all.map(([hash]) => hash)).size, all.at(-1)?.[5]]).toEqual([105, '0'])
    expect((await fieldsOf('busy', '-n', '102')).at(-1)?.[5]).toBe('3')
    const some = (await ceo.json(['history', 'busy', '-n', '2'])) as Revisions
    expect(some.next).toBe(some.revisions?.[1]?.hash)
    const shown = await ceo.run(['history', 'busy'], { terminal: 80 })
    expect(shown.stderr).toContain('25 changes, and older ones: --all shows them')
    expect(await ceo.run(['history', 'busy', '-n', '0'])).toMatchObject({ exit: EXIT.usage })
    // The oldest is found over the pages, by a beginning of its hash.
    const oldest = all.at(-1)?.[0]?.slice(0, 12).toUpperCase() ?? ''
    expect((await ceo.run(['history', 'busy', '--at', oldest])).stdout).toBe('0\n')
  })

  test.each([['text'], ['1.10'], ['{"a":[1,null]}'], ['two\nlines\r'], ['']])(
    'undo: what --at prints of %j goes back by a put',
    async (text) => {
      await ceo.run(['put', 'undo', '--', text])
      await ceo.run(['put', 'undo', '--text', '--', text])
      const [typed, plain] = (await fieldsOf('undo', '-n', '2')).reverse()
      for (const [hash = '', , , , , value = ''] of [typed ?? [], plain ?? []]) {
        await ceo.run(['put', 'undo', 'something else'])
        const { stdout } = await ceo.run(['history', 'undo', '--at', hash])
        await ceo.run(['put', 'undo', '-'], { input: stdout })
        expect((await ceo.json(['get', 'undo']))['value']).toEqual(JSON.parse(value))
      }
    },
  )

  test('--at of a delete, of no change, and what is no hash', async () => {
    await ceo.run(['put', 'brief', '1'])
    await ceo.run(['rm', 'brief'])
    const [[deleted = ''] = []] = await fieldsOf('brief')
    expect(await ceo.json(['history', 'brief', '--at', deleted])).toMatchObject({
      ok: true,
      action: 'delete',
      row: null,
    })
    expect(await ceo.run(['history', 'brief', '--at', deleted])).toMatchObject({ exit: EXIT.notFound, stdout: '' })
    expect(await ceo.json(['history', 'brief', '--at', 'beefbeefbeefbeef'])).toMatchObject({
      exit: EXIT.notFound,
      error: { type: 'REVISION_UNKNOWN' },
    })
    expect(await ceo.json(['history', 'brief', '--at', 'latest'])).toMatchObject({ exit: EXIT.usage })
  })

  test('a skill: its size in the table, its text by --at byte for byte', async () => {
    const text = '# Weather\r\n\u001b[31mred\n'
    await ceo.run(['skill', 'put', 'weather', '-'], { input: text })
    await ceo.run(['skill', 'put', 'weather', '-'], { input: 'new' })
    const [, [hash = ''] = []] = await fieldsOf('weather', '--skill')
    expect((await ceo.run(['history', 'weather', '--skill', '--at', hash])).stdout).toBe(text)
    const table = await ceo.run(['history', 'weather', '--skill'], { terminal: 80, env: { NO_COLOR: '1' } })
    expect(table.stdout).toMatch(/ 3 B\n[^\n]* 20 B\n$/)
  })

  test('what could trick a terminal is shown as escapes (S-27)', async () => {
    await ceo.run(['put', 'evil', '-', '--node-id', 'a\u202eb'], { input: 'x\u001b[2J\r\nchange  forged' })
    for (const more of [[], ['--full'], ['--at', (await fieldsOf('evil'))[0]?.[0] ?? '']]) {
      const { stdout } = await ceo.run(['history', 'evil', ...more], { terminal: 80, env: { NO_COLOR: '1' } })
      expect(stdout).toContain('x\\u001b[2J')
      expect(stdout).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u)
      if (more[0] === '--full') expect(stdout).not.toMatch(/^change {2}forged/m)
    }
    expect((await fieldsOf('evil'))[0]).toHaveLength(6)
  })
})
