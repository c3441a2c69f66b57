import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Gateway, type ListedSkill, type MemoryHit, startGateway } from './gateway.ts'
import { BUNDLED_SKILLS } from './install.ts'
import { type MeshNode, startMeshNode } from './mesh-node.ts'
import { within } from './surroundings.ts'

/**
 * Who searches on the other machine this long after a put or an edit finds it. OpenClaw's command itself, a process of
 * its own, takes 4 s and on a busy machine more, which says nothing of the mesh.
 */
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
    const done = since(start)
    const listed = await within(FOUND_MS, 'all imported skills are listed', async () => {
      const listed = await gateway.skills()
      const missing = bundled.filter(({ name }) => !listed.some((skill) => skill.name === name))
      if (missing.length > 0) throw new Error(`missing: ${missing.map(({ name }) => name).join(', ')}`)
      return listed
    })
    tell(`${bundled.length} skills: mesh import was done after ${done}, sec lists them after ${since(start)}`)

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
    tell(`a skill edited on ceo: sec lists its new description after ${since(start)}`)
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
    const hit = await change('zebra42', [0, 1], ['put', 'project/deadline', '"the demo is on friday with zebra42"'])
    expect(hit?.snippet).toContain('the demo is on friday with zebra42')
    const folder = join(gateway.state, 'mesh/memory/mesh')
    expect(resolve(gateway.state, 'workspace', hit?.path ?? '').startsWith(`${folder}/`), hit?.path).toBe(true)
    const byKey = await gateway.searchMemory('project/deadline')
    expect(byKey.map(({ path }) => path)).toEqual([hit?.path])
  })

  test('an edit on ceo is found on sec, and what it replaced no longer', async () => {
    const hit = await change('quagga77', [0, 1], ['put', 'project/deadline', '"the demo is on monday with quagga77"'])
    expect(hit?.snippet).toContain('the demo is on monday with quagga77')
    expect(await gateway.searchMemory('zebra42')).toEqual([])
  })

  test('every word of a structure is found, behind line breaks as well, under a key and scope of any letters', async () => {
    const value = JSON.stringify({ notes: ['first line\nokapi31 second line'], shipDate: { Zürich: 'gnu58' } })
    await change('okapi31', [0, 1], ['put', 'Plan/Größe: 1?', value, '--scope', 'user:anna'])
    expect(await gateway.searchMemory('gnu58')).toHaveLength(1)
    expect(await gateway.searchMemory('Größe')).toHaveLength(1)
  })

  test('a memory deleted on ceo vanishes on sec', async () => {
    await change('quagga77', [1, 0], ['rm', 'project/deadline'])
  })

  /**
   * Runs a `mesh` command on ceo and waits until the hits for a word on sec have gone from one number to another: first
   * for agents, then for `openclaw memory search`. Returns the first hit of the latter.
   */
  async function change(
    word: string,
    [before, after]: readonly [before: number, after: number],
    command: readonly string[],
  ): Promise<MemoryHit | undefined> {
    expect(await gateway.searchMemory(word)).toHaveLength(before)
    await ceo.mesh(command)
    const start = performance.now()
    const counted = (hits: MemoryHit[]) => (hits.length === after ? hits : undefined)
    const what = `${after === 1 ? '1 hit' : `${after} hits`} for ${word}`
    await within(FOUND_MS, `${what} by agents`, async () => counted(await gateway.callMemorySearch(word)))
    const byAgents = since(start)
    let asked = 0
    const hits = await within(FOUND_MS, `${what} by search`, async () => {
      asked = performance.now()
      return counted(await gateway.searchMemory(word))
    })
    const report = `${what} on sec after mesh ${command[0]} on ceo: agents saw it after ${byAgents}, openclaw memory search when asked after ${seconds(asked - start)}, which answered after ${since(start)}`
    tell(report)
    expect(asked - start, report).toBeLessThan(FOUND_MS)
    return hits[0]
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
  return seconds(performance.now() - start)
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function tell(line: string): void {
  process.stderr.write(`test:openclaw: ${line}\n`)
}
