import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Gateway, type ListedSkill, type MemoryHit, startGateway } from './gateway.ts'
import { BUNDLED_SKILLS } from './install.ts'
import { type MeshNode, startMeshNode } from './mesh-node.ts'
import { within } from './surroundings.ts'

/** What is put here is found there by then, and so is an edit: from before the command to after OpenClaw's answer. */
const FOUND_MS = 10_000

const running = new AsyncDisposableStack()
let ceo: MeshNode
let sec: MeshNode
let gateway: Gateway

beforeAll(async () => {
  ceo = await start('ceo')
  sec = await start('sec')
  const ticket = (await ceo.meshText('invite')).trim()
  await sec.mesh(['join', ticket])
  gateway = await startGateway(sec.home)
  running.defer(gateway.stop)
})

afterAll(() => running.disposeAsync())

beforeEach(({ onTestFailed }) => {
  onTestFailed(() => {
    for (const [name, { said }] of Object.entries({ ceo, sec, gateway })) tell(`--- ${name} said\n${said()}`)
  })
})

describe('skills of the mesh in OpenClaw', () => {
  let bundled: ListedSkill[]

  test('skills imported on ceo are listed by openclaw on sec, from the mesh, with their descriptions', async () => {
    bundled = await gateway.bundledSkills()
    expect(bundled).not.toEqual([])
    const before = (await gateway.skills()).map(({ name }) => name)
    expect(before.filter((name) => bundled.some((skill) => skill.name === name))).toEqual([])

    const start = performance.now()
    expect(await ceo.mesh(['import', BUNDLED_SKILLS])).toMatchObject({ ok: true })
    const listed = await within(FOUND_MS, 'all imported skills are listed', async () => {
      const listed = await gateway.skills()
      const missing = bundled.filter(({ name }) => !listed.some((skill) => skill.name === name))
      if (missing.length > 0) throw new Error(`missing: ${missing.map(({ name }) => name).join(', ')}`)
      return listed
    })
    tell(`${bundled.length} skills imported on ceo are listed on sec after ${since(start)}`)

    const imported = listed.filter(({ name }) => !before.includes(name))
    expect(imported.map(essence)).toEqual(bundled.map((skill) => essence({ ...skill, source: 'openclaw-extra' })))
  })

  test('the running gateway reads them from the folder of the mesh, byte for byte', async () => {
    const known = await gateway.knownSkills()
    for (const { name } of bundled) {
      const filePath = join(gateway.state, 'mesh/skills', name, 'SKILL.md')
      expect(known.find((skill) => skill.name === name)).toMatchObject({ filePath })
      expect(await readFile(filePath), name).toEqual(await readFile(join(BUNDLED_SKILLS, name, 'SKILL.md')))
    }
  })

  test('a skill edited on ceo shows its new description on sec', async () => {
    const [name, content] = await skillOnOneLine()
    const description = `Changed on another machine (${randomUUID()}).`
    const start = performance.now()
    await ceo.mesh(['skill', 'put', name, '-'], content.replace(/^description:.*$/m, `description: ${description}`))
    await within(FOUND_MS, `${name} shows its new description`, async () => describes(await gateway.skills()))
    tell(`a skill edited on ceo is listed anew on sec after ${since(start)}`)
    await within(FOUND_MS, 'the running gateway knows it', async () => describes(await gateway.knownSkills()))

    function describes(skills: readonly ListedSkill[]): true | undefined {
      return skills.some((skill) => skill.name === name && skill.description === description) || undefined
    }
  })

  /** A skill whose description can be replaced by replacing one line. */
  async function skillOnOneLine(): Promise<[name: string, content: string]> {
    for (const { name, description } of bundled) {
      const content = await readFile(join(BUNDLED_SKILLS, name, 'SKILL.md'), 'utf8')
      if (content.includes(`\ndescription: ${description}\n`)) return [name, content]
      if (content.includes(`\ndescription: ${JSON.stringify(description)}\n`)) return [name, content]
    }
    throw new Error('no skill of the package has its description on one line')
  }
})

describe('memory of the mesh in OpenClaw', () => {
  test('a memory put on ceo is found on sec', async () => {
    expect(await gateway.searchMemory('zebra42')).toEqual([])
    const start = performance.now()
    await ceo.mesh(['put', 'project/deadline', '"the demo is on friday with zebra42"'])
    const [hit] = await found('zebra42', start)
    expect(hit?.snippet).toContain('the demo is on friday with zebra42')
    const folder = join(gateway.state, 'mesh/memory/mesh')
    expect(resolve(gateway.state, 'workspace', hit?.path ?? '').startsWith(`${folder}/`), hit?.path).toBe(true)
    const byKey = await gateway.searchMemory('project/deadline')
    expect(byKey.map(({ path }) => path)).toEqual([hit?.path])
  })

  test('an edit on ceo is found on sec, and what it replaced no longer', async () => {
    const start = performance.now()
    await ceo.mesh(['put', 'project/deadline', '"the demo is on monday with quagga77"'])
    const [hit] = await found('quagga77', start)
    expect(hit?.snippet).toContain('the demo is on monday with quagga77')
    expect(await gateway.searchMemory('zebra42')).toEqual([])
  })

  test('every word of a structure is found, behind line breaks as well, under a key and scope of any letters', async () => {
    const value = { notes: ['first line\nokapi31 second line'], shipDate: { Zürich: 'gnu58' } }
    const start = performance.now()
    await ceo.mesh(['put', 'Plan/Größe: 1?', JSON.stringify(value), '--scope', 'user:anna'])
    await found('okapi31', start)
    expect(await gateway.searchMemory('gnu58')).toHaveLength(1)
    expect(await gateway.searchMemory('Größe')).toHaveLength(1)
  })

  test('a memory deleted on ceo vanishes on sec', async () => {
    expect(await gateway.searchMemory('quagga77')).toHaveLength(1)
    const start = performance.now()
    await ceo.mesh(['rm', 'project/deadline'])
    await found('quagga77', start, 0)
  })

  /**
   * Waits until agents get so many hits and then until `openclaw memory search` does, which takes 4 s a call and answers
   * from the index that the gateway keeps.
   */
  async function found(word: string, start: number, count = 1): Promise<MemoryHit[]> {
    const counted = (hits: MemoryHit[]) => (hits.length === count ? hits : undefined)
    const what = `${count} hit for ${word}`
    await within(FOUND_MS, `${what} by the tool`, async () => counted(await gateway.callMemorySearch(word)))
    const byTool = since(start)
    const hits = await within(FOUND_MS, what, async () => counted(await gateway.searchMemory(word)))
    const took = performance.now() - start
    tell(`${what} on sec: by the agents' tool after ${byTool}, by openclaw memory search after ${since(start)}`)
    expect(took).toBeLessThan(FOUND_MS)
    return hits
  }
})

async function start(name: string): Promise<MeshNode> {
  const node = await startMeshNode(name)
  running.defer(node.remove)
  running.defer(node.stop)
  return node
}

function essence({ name, description, source }: ListedSkill): ListedSkill {
  return { name, description, source }
}

/** Time since one of `performance.now()`, for people. */
function since(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`
}

function tell(line: string): void {
  process.stderr.write(`test:openclaw: ${line}\n`)
}
