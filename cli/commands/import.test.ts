import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { inFolder, startDaemon, type TestDaemon } from '../harness-suite.ts'

let ceo: TestDaemon

beforeAll(async () => {
  ceo = await startDaemon('ceo')
})

afterAll(() => ceo?.stop())

describe('import', () => {
  test('an older mesh-memory.json: what it took, and nothing twice', async () => {
    await inFolder(async (folder) => {
      const path = join(folder, 'mesh-memory.json')
      const ts = 1_700_000_000
      await writeFile(
        path,
        JSON.stringify({
          'mesh:old-plan': { value: { a: 1 }, nodeId: 'old', ts },
          'user:alice:notes:today': { value: 'x', nodeId: 'old', ts },
          'global:x': { value: 1, nodeId: 'old', ts },
        }),
      )
      const dry = await ceo.run(['import', path, '--dry-run'])
      expect(dry.stdout).toBe('memory\tmesh\told-plan\nmemory\tuser:alice\tnotes:today\n')
      expect((await ceo.run(['get', 'old-plan'])).exit).toBe(EXIT.notFound)

      const first = await ceo.run(['import', path])
      expect(first).toMatchObject({ exit: EXIT.refused, stdout: 'taken 2, already there 0, older 0, refused 1\n' })
      expect(first.stderr).toContain('refused: memory global:x: does not begin with a scope')
      expect(await ceo.json(['get', 'old-plan'])).toMatchObject({ value: { a: 1 }, node_id: 'old', updated_at: ts })
      expect((await ceo.run(['import', path])).stdout).toBe('taken 0, already there 2, older 0, refused 1\n')

      await ceo.run(['put', 'old-plan', '"newer"'])
      expect((await ceo.run(['import', path])).stdout).toBe('taken 0, already there 1, older 1, refused 1\n')
      expect((await ceo.run(['get', 'old-plan'])).stdout).toBe('newer\n')
    })
  })

  test('more than one request holds, and a folder of skills', async () => {
    await inFolder(async (folder) => {
      const many = Object.fromEntries(Array.from({ length: 1100 }, (_, i) => [`mesh:many/${i}`, { value: i }]))
      await writeFile(join(folder, 'many.json'), JSON.stringify(many))
      expect(await ceo.json(['import', join(folder, 'many.json')])).toEqual({
        exit: EXIT.ok,
        ok: true,
        taken: 1100,
        equal: 0,
        older: 0,
        expired: 0,
        refused: [],
        ignored: 0,
      })
      for (const name of ['alpha', 'beta']) {
        await mkdir(join(folder, 'skills', name), { recursive: true })
        await writeFile(join(folder, 'skills', name, 'SKILL.md'), `# ${name}\n`)
      }
      await writeFile(join(folder, 'skills/alpha/run.sh'), '')
      const { exit, stdout, stderr } = await ceo.run(['import', join(folder, 'skills')])
      expect({ exit, stdout }).toEqual({ exit: EXIT.ok, stdout: 'taken 2, already there 0, older 0, refused 0\n' })
      expect(stderr).toBe('note: 1 other file or folder ignored\n')
      const again = await ceo.run(['import', join(folder, 'skills')])
      expect(again.stdout).toBe('taken 0, already there 2, older 0, refused 0\n')
    })
  })

  test('a path that holds nothing to import', async () => {
    await inFolder(async (folder) => {
      expect(await ceo.run(['import', join(folder, 'none')])).toMatchObject({ exit: EXIT.notFound })
      await writeFile(join(folder, 'mesh-memory.json'), '{}')
      const { exit, stderr } = await ceo.run(['import', folder])
      expect(exit).toBe(EXIT.refused)
      expect(stderr).toContain(`mesh import ${join(folder, 'mesh-memory.json')}`)
    })
  })
})
