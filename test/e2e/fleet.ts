import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeEach, vi } from 'vitest'
import { LONG } from '../support/long.ts'
import { type Machine, type MachineInit, makeMachine } from '../support/machine.ts'
import { until } from '../support/until.ts'

/** For one test, and for what goes before it, in milliseconds. */
const TEST_MS = LONG ? 30 * 60_000 : 90_000
/** Characters of what a machine said that are printed where a test fails. */
const MOST_TOLD = 6_000

/** The machines of one file of tests. */
export interface Fleet {
  /** Makes a machine; its daemon is not started. */
  make(name: string, init?: MachineInit): Promise<Machine>
  /** Makes machines and starts their daemons, all at once. */
  start<const Names extends readonly string[]>(...names: Names): Promise<{ [Name in keyof Names]: Machine }>
}

/** Machines that are removed behind the last test of the file, and tell what they said where a test fails. */
export function useFleet(): Fleet {
  const machines: Machine[] = []
  // Real processes, several at once, beside other tests: what takes a second may take ten.
  vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS })

  async function make(name: string, init?: MachineInit): Promise<Machine> {
    const machine = await makeMachine(name, init)
    machines.push(machine)
    return machine
  }

  beforeEach(({ onTestFailed }) => {
    const before = new Map(machines.map((machine) => [machine, machine.said().length]))
    onTestFailed(() => {
      for (const machine of machines) {
        const said = machine.said().slice(before.get(machine) ?? 0)
        if (said !== '') process.stderr.write(`--- ${machine.name} said meanwhile\n${said.slice(-MOST_TOLD)}\n`)
      }
    })
  })
  afterAll(async () => {
    await Promise.all(machines.map((machine) => machine.remove()))
  })

  return {
    make,
    async start(...names) {
      const made = await Promise.all(names.map((name) => make(name)))
      await Promise.all(made.map((machine) => machine.start()))
      return made as { [Name in keyof typeof names]: Machine }
    },
  }
}

/** Makes `guest` a member of the mesh of `host`. Returns how many entries it brought along. */
export async function pair(host: Machine, guest: Machine): Promise<number> {
  const { ticket } = await host.client.invite()
  const { vouched } = await guest.client.join(ticket)
  return vouched
}

/** Found for moments behind a start. */
const PASSING = new Set(['search.rebuilding', 'secrets.checking'])

/** What a machine finds once it has done what it does behind a start. */
export function lastingFindings({ name, client }: Machine) {
  return until(`${name} is done with its start`, async () => {
    const { findings } = await client.doctor()
    return findings.every(({ checkId }) => !PASSING.has(checkId)) && findings
  })
}

/** Waits until all are connected to each other and each has proven itself equal with every other. */
export async function allEqual(...machines: readonly Machine[]): Promise<void> {
  for (const { name, client } of machines) {
    await until(`${name} is equal with all others`, async () => {
      const peers = await client.peers()
      return peers.length >= machines.length - 1 && peers.every(({ connected, equal }) => connected && equal)
    })
  }
  await sameDigest(...machines)
}

/** Waits until all show the same digest, which is returned. */
export function sameDigest(...machines: readonly Machine[]): Promise<string> {
  const names = machines.map(({ name }) => name).join(', ')
  return until(`${names} show the same digest`, async () => {
    const [first, ...others] = await Promise.all(machines.map(async ({ client }) => (await client.status()).digest))
    return others.every((digest) => digest === first) && first
  })
}

/** Waits until a memory is there with this value. Returns after how many milliseconds. */
export async function arrives(machine: Machine, key: string, value: unknown): Promise<number> {
  const began = performance.now()
  await until(`${key} of ${JSON.stringify(value)} on ${machine.name}`, async () =>
    isDeepStrictEqual((await machine.client.getMemory('mesh', key)).value, value),
  )
  return performance.now() - began
}

/** Prints a figure that was measured beside what it is about. */
export function tell(what: string): void {
  process.stdout.write(`      ${what}\n`)
}
