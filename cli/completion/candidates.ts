import type { Command } from 'commander'
import type { ListQuery, MeshClient } from '../../daemon/api/client.ts'
import { escapeLine } from '../output/index.ts'
import { childOf, findPlace, type Place } from './place.ts'

/** What may stand at the cursor. */
export interface Candidates {
  /** `partial`: none of the words is an end yet. `files`: the shell knows them better. */
  readonly kind: 'words' | 'partial' | 'files'
  /** Each begins with what was typed. */
  readonly words: readonly string[]
}

export interface CandidatesInit {
  readonly program: Command
  /** Words behind `mesh`, without quotes. */
  readonly before: readonly string[]
  readonly current: string
  /** The daemon that these options point at; asked for what only it knows. */
  readonly clientOf: (typed: Place['typed']) => MeshClient
  /** How long it may take, in milliseconds: nobody waits longer at a Tab. */
  readonly timeoutMs: number
}

type Source = (init: {
  place: Place
  current: string
  client: () => MeshClient
  timeoutMs: number
}) => Promise<string[]>

/** More on one screen helps nobody. */
const MOST = 50

const files = 'files'

const memoryKeys: Source = async ({ place, current, client, timeoutMs }) =>
  (await client().listMemory(queryOf(place, current), { timeoutMs })).map(({ key }) => key)

const skillNames: Source = async ({ place, current, client, timeoutMs }) =>
  (await client().listSkills(queryOf(place, current), { timeoutMs })).map(({ name }) => name)

const entryKeys: Source = (init) => (init.place.typed['skill'] === true ? skillNames(init) : memoryKeys(init))

const peerNames: Source = async ({ client, timeoutMs }) =>
  (await client().peers({ timeoutMs })).map(({ nodeId }) => nodeId)

const keyNames: Source = async ({ client, timeoutMs }) => (await client().keys({ timeoutMs })).map(({ name }) => name)

/** What the arguments of a command are; those of a command that is not here are nobody's to guess. */
const ARGUMENTS: Readonly<Record<string, readonly (Source | typeof files)[]>> = {
  put: [memoryKeys],
  get: [memoryKeys],
  ls: [memoryKeys],
  rm: [memoryKeys],
  history: [entryKeys],
  conflicts: [entryKeys],
  resolve: [entryKeys],
  import: [files],
  export: [files],
  backup: [files],
  restore: [files],
  'skill put': [files, files],
  'skill get': [skillNames],
  'skill ls': [skillNames],
  'skill rm': [skillNames],
  peers: [peerNames],
  'peers ls': [peerNames],
  'peers remove': [peerNames],
  'key revoke': [keyNames],
}

/** Scopes that every mesh has, and the beginnings of the others: the ids behind those are not to be listed. */
const SCOPES = ['mesh', 'node', 'federation', 'tenant:', 'user:']

const FILE_OPTIONS = new Set(['home', 'tokenFile'])
const SCOPE_OPTIONS = new Set(['scope', 'read', 'write'])

/** Finds what fits at the cursor. It rejects where the daemon does not answer; what needs no daemon is found without. */
export async function findCandidates(init: CandidatesInit): Promise<Candidates> {
  const { program, before, current } = init
  const place = findPlace(program, before)
  if (place.option !== undefined) return ofOption(place, current, '')
  if (!place.literal && current.startsWith('-')) return ofFlag(place, current)
  if (place.path === 'help') return fitting(commandsBelow(program, before.slice(1)), current)
  const commands = place.index === 0 && !place.literal ? namesOf(place.command) : []
  const choices = place.command.registeredArguments[place.index]?.argChoices ?? []
  const source = ARGUMENTS[place.path]?.[place.index]
  if (source === files) return { kind: 'files', words: [] }
  const { clientOf, timeoutMs } = init
  const client = () => clientOf(place.typed)
  const known = source === undefined ? [] : await source({ place, current, client, timeoutMs })
  // A word that begins with a dash would be taken for an option.
  const found = place.literal ? known : known.filter((word) => !word.startsWith('-'))
  return fitting([...commands, ...choices, ...found], current)
}

function ofFlag(place: Place, current: string): Candidates {
  const equals = current.indexOf('=')
  if (equals > 0) {
    const option = place.command.options.find(({ long }) => long === current.slice(0, equals))
    return ofOption({ ...place, option }, current.slice(equals + 1), current.slice(0, equals + 1))
  }
  const flags = place.command.createHelp().visibleOptions(place.command)
  return fitting(
    flags.flatMap(({ long }) => long ?? []),
    current,
  )
}

/** @param lead what stands before the value in the same word: `--scope=` */
function ofOption({ option }: Place, current: string, lead: string): Candidates {
  const name = option?.attributeName() ?? ''
  if (FILE_OPTIONS.has(name)) return { kind: 'files', words: [] }
  const values = SCOPE_OPTIONS.has(name) ? SCOPES : (option?.argChoices ?? [])
  return fitting(
    values.map((value) => lead + value),
    lead + current,
  )
}

/** Other commands than `ls` are about one scope, `mesh` unless said. */
function queryOf({ path, typed, command }: Place, prefix: string): ListQuery {
  const fallback = command.options.find((option) => option.attributeName() === 'scope')?.defaultValue as unknown
  const scope = typeof typed['scope'] === 'string' ? typed['scope'] : path.endsWith('ls') ? undefined : fallback
  return { prefix, limit: MOST + 1, ...(typeof scope === 'string' ? { scope } : {}) }
}

/** What begins with what was typed, each once. What a terminal would not show as it is cannot be chosen there. */
function fitting(found: readonly string[], current: string): Candidates {
  const words = [...new Set(found)].filter(
    (word) => word.startsWith(current) && word === escapeLine(word) && word !== '',
  )
  const kind = words.length > 0 && words.every((word) => word.endsWith(':')) ? 'partial' : 'words'
  if (words.length <= MOST) return { kind, words }
  // Shells complete as far as all words agree. There are more than these, so what was typed is one of them; and where
  // nothing was typed there is nothing to go by.
  return { kind: 'partial', words: current === '' ? [] : [current, ...words.slice(0, MOST)] }
}

function namesOf(command: Command): string[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((child) => child.name())
}

function commandsBelow(program: Command, names: readonly string[]): string[] {
  let command: Command | undefined = program
  for (const name of names) command = command === undefined ? undefined : childOf(command, name)
  if (command === undefined) return []
  return command === program ? [...namesOf(command), 'exit-codes', 'environment'] : namesOf(command)
}
