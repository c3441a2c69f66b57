/**
 * Three machines on this one, in some seconds: pairs them by tickets, shares memory and skills, edits, deletes, lets two
 * of them disagree, and proves all three equal. Everything lies in temporary folders and is gone afterwards. Ends with 1
 * when anything is not as it should be.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createPaint, renderTable, takesColor } from '../cli/output/index.ts'
import { UNCOMPILED } from '../test/support/child.ts'
import { type Machine, makeMachine } from '../test/support/machine.ts'
import { until } from '../test/support/until.ts'

const SKILLS = join(fileURLToPath(new URL('..', import.meta.url)), 'examples/skills')

interface Step {
  readonly what: string
  readonly where: string
  readonly result: string
  readonly ms: number
}

const { stdout, env } = process
const paint = createPaint(takesColor(stdout, env))
const steps: Step[] = []
const began = performance.now()

const machines = await Promise.all(['ceo', 'sec', 'lab'].map((name) => makeMachine(name, { env: UNCOMPILED })))
const [ceo, sec, lab] = machines as [Machine, Machine, Machine]
const clean = () => Promise.all(machines.map((machine) => machine.remove()))
// Ctrl-C reaches the daemons as well; what fails then is no news.
let interrupted = false
process.once('SIGINT', () => {
  interrupted = true
  void clean().finally(() => process.exit(130))
})

try {
  await demo()
  await tell()
} catch (error) {
  process.exitCode = interrupted ? 130 : 1
  if (!interrupted) complain(error)
} finally {
  await clean()
}

function complain(error: unknown): void {
  process.stderr.write(`\n${paint.red('the demo failed:')} ${error instanceof Error ? error.stack : String(error)}\n`)
  for (const { name, said } of machines) process.stderr.write(`\n--- ${name} said\n${said().slice(-2000)}\n`)
}

async function demo(): Promise<void> {
  await step('start three daemons', 'all', async () => {
    const times = await Promise.all(machines.map((machine) => machine.start()))
    return `usable after ${times.map((ms) => seconds(ms)).join(', ')}`
  })
  await step('mesh import examples/skills', 'ceo', async () => {
    const { taken, refused } = await printed(ceo, ['import', SKILLS])
    return `${taken} skills taken, ${refused.length} refused`
  })
  await step('mesh put, each while it is alone', 'all', async () => {
    await ceo.client.putMemory({ scope: 'mesh', key: 'project/deadline', value: 'Friday, 18:00 UTC' })
    await ceo.client.putMemory({ scope: 'mesh', key: 'project/limits', value: { cpu: 2, memory: '4G' } })
    await sec.client.putMemory({ scope: 'mesh', key: 'office/printer', value: { name: 'inkwell', floor: 2 } })
    await sec.client.putMemory({ scope: 'node', key: 'disk', value: 'never leaves sec' })
    await lab.client.putMemory({ scope: 'mesh', key: 'bench/gpu', value: ['a', 'b'] })
    return '5 memories, one of them in scope node'
  })
  await step('mesh invite | mesh join -', 'ceo → sec', () => pair(ceo, sec))
  await step('mesh invite | mesh join -', 'sec → lab', () => pair(sec, lab))
  await step('everything is everywhere', 'all', async () => {
    await everywhere(async ({ client }) => {
      const { memory, skills } = await client.status()
      return skills === 6 && memory >= 4
    })
    return '4 shared memories and 6 skills on each'
  })
  await step('edit one field, read it there', 'lab → ceo', async () => {
    await lab.client.putMemory({ scope: 'mesh', key: 'project/limits', value: { cpu: 8, memory: '4G' } })
    const row = await until('the edit is on ceo', async () => {
      const row = await ceo.client.getMemory('mesh', 'project/limits')
      return (row.value as { cpu: number }).cpu === 8 && row
    })
    return JSON.stringify(row.value)
  })
  await step('delete, gone there', 'sec → all', async () => {
    await sec.client.deleteMemory('mesh', 'office/printer')
    await everywhere(async ({ client }) => (await client.listMemory({ prefix: 'office/' })).length === 0)
    return 'office/printer is nowhere any more'
  })
  await step('two write one key at once', 'ceo, lab', conflict)
  await step('a third decides', 'sec → all', async () => {
    await sec.client.putMemory({ scope: 'mesh', key: 'project/lead', value: 'both of them' })
    await everywhere(async ({ client }) => {
      const { value } = await client.getMemory('mesh', 'project/lead')
      return value === 'both of them' && (await client.status()).conflicts === 0
    })
    return 'no conflict is left'
  })
  for (const machine of machines) {
    await step('mesh sync', machine.name, async () => {
      const { peers } = await printed(machine, ['sync'])
      return `proven equal with ${peers.map(({ nodeId }: { nodeId: string }) => nodeId).join(' and ')}`
    })
  }
  await step('compare digests', 'all', async () => {
    const digests = new Set(await Promise.all(machines.map(async ({ client }) => (await client.status()).digest)))
    if (digests.size > 1) throw new Error(`the digests differ: ${[...digests].join(', ')}`)
    return 'equal'
  })
  await step('what is in scope node', 'sec', async () => {
    for (const { name, client } of [ceo, lab]) {
      if ((await client.listMemory({ scope: 'node' })).length > 0) throw new Error(`it is on ${name} as well`)
    }
    return (await sec.client.listMemory({ scope: 'node' })).map(({ value }) => value).join()
  })
}

async function pair(host: Machine, guest: Machine): Promise<string> {
  const { stdout: ticket } = await host.mesh(['invite'])
  const { members, vouched } = await printed(guest, ['join', '-'], ticket)
  return `members ${members.join(', ')}; brought along ${vouched}`
}

/** Two machines write one key, each before it has heard of the other; both values are kept until somebody decides. */
async function conflict(): Promise<string> {
  // Which of them is heard first is a matter of milliseconds: tried until neither was.
  for (let round = 1; ; round++) {
    const key = 'project/lead'
    await Promise.all(
      [ceo, lab].map(({ name, client }) => client.putMemory({ scope: 'mesh', key, value: `${name} ${round}` })),
    )
    await everywhere(async ({ client }) => (await client.getMemory('mesh', key)).value !== undefined)
    const value = await until('all show the same', async () => {
      const rows = await Promise.all(machines.map(({ client }) => client.getMemory('mesh', key)))
      const first = rows[0]?.value
      return rows.every((row) => row.value === first) && String(first)
    })
    const counts = await Promise.all(machines.map(async ({ client }) => (await client.status()).conflicts))
    if (counts.every((count) => count === 1)) return `all show "${value}" and count 1 conflict`
    if (round === 50) throw new Error('in 50 rounds no two writes were concurrent')
  }
}

/** Waits until a condition holds on every machine. */
async function everywhere(holds: (machine: Machine) => Promise<boolean>): Promise<void> {
  await Promise.all(machines.map((machine) => until(`it holds on ${machine.name}`, () => holds(machine))))
}

/** What `mesh … --json` printed. @throws when it failed */
async function printed(machine: Machine, args: readonly string[], input = '') {
  const document = await machine.json(args, { input })
  if (document.exit !== 0) throw new Error(`mesh ${args.join(' ')} on ${machine.name}: ${JSON.stringify(document)}`)
  return document
}

async function step(what: string, where: string, work: () => Promise<string>): Promise<void> {
  const from = performance.now()
  stdout.write(`${paint.dim('…')} ${what} ${paint.dim(`(${where})`)}\n`)
  const result = await work()
  steps.push({ what, where, result, ms: performance.now() - from })
}

async function tell(): Promise<void> {
  const columns = [{ title: 'STEP' }, { title: 'NODE' }, { title: 'RESULT', least: 30 }, { title: 'TIME', right: true }]
  const rows = steps.map(({ what, where, result, ms }) => [
    what,
    { text: where, paint: paint.bold },
    result,
    { text: seconds(ms), paint: paint.dim },
  ])
  const width = stdout.columns ?? 120
  stdout.write(`\n${renderTable({ columns, rows, width, paintTitle: paint.dim }).join('\n')}\n\n`)
  for (const { name, client } of machines) {
    const { digest, memory, skills, deleted } = await client.status()
    stdout.write(
      `${paint.bold(name)}  ${paint.green(digest)}  ${memory} memory, ${skills} skills, ${deleted} deleted\n`,
    )
  }
  stdout.write(`\n${paint.green('✓')} all three equal, ${seconds(performance.now() - began)} in all\n`)
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}
