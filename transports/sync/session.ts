import { MeshError } from '../../crdt/errors.ts'
import { equalDigests } from '../../crdt/summary/index.ts'
import { encodeAndTalk, findAndTalk, type Tried } from './difference.ts'
import type { Link } from './link.ts'
import { type Outcome, type Pass, type SessionComponents, talk } from './pass.ts'
import type { Manner, Message, Stand } from './wire.ts'

/**
 * The talk that makes two replicas equal. It goes in passes. In each both say where they stand; equal digests end it in
 * one round trip. Otherwise a step brings them closer:
 * - `roster`: rosters are made equal first;
 * - `everything`: one side has nothing;
 * - `symbols`: the exact difference, or filters first where so much differs that they are cheaper; see `difference.ts`.
 * After `everything`, or symbols that were decoded, each holds all that the other held when the pass began: that is
 * proof, and both keep the positions as their checkpoint.
 */
type Step = 'roster' | 'equal' | 'everything' | 'symbols'

/** Passes of one session: two filters, symbols in each of the four windows, and some for what changes meanwhile. */
const MAX_PASSES = 12

/** Begins a session. Resolves when both are proven equal. @throws {MeshError} `SYNC_INCOMPLETE`, `SYNC_UNDECIDED`, or the link's */
export async function initiate(components: SessionComponents, link: Link): Promise<void> {
  const tried: Tried = new Set()
  let manner: Manner = { window: 0, whole: false }
  let rostersTold = false
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const open = await standOf(components)
    await link.send({ type: 'open', ...open, ...components.presence.mine(), ...manner })
    const answer = await link.answer('answer')
    components.presence.heard(answer)
    const step = stepOf(open, answer, rostersTold)
    if (step === 'equal') return components.memory.proveEqual(open.at, answer.at)
    if (step === 'roster') {
      rostersTold = true
      await link.send(rosterMessage(components))
      await components.roster.merge((await link.answer('roster')).records)
      continue
    }
    const outcome = await take(step, { components, link, mine: open, theirs: answer, ...manner }, (symbols) =>
      findAndTalk(symbols, tried),
    )
    if (outcome === 'proven') return components.memory.proveEqual(open.at, answer.at)
    manner = next(manner, outcome)
  }
  throw new MeshError('SYNC_UNDECIDED', `not equal after ${MAX_PASSES} passes; the next attempt goes on from here`)
}

/** Serves the session that `first` begins, until equality is proven (true), or the initiator closes before that. */
export async function respond(components: SessionComponents, link: Link, first: Opening): Promise<boolean> {
  let rostersTold = false
  for (let [pass, open]: [number, Opening | undefined] = [0, first]; ; pass++, open = await link.receive('open')) {
    if (open === undefined) return false
    if (pass === MAX_PASSES) throw new MeshError('SYNC_UNDECIDED', `more than ${MAX_PASSES} passes were asked for`)
    components.presence.heard(open)
    const answer = await standOf(components)
    await link.send({ type: 'answer', ...answer, ...components.presence.mine() })
    const step = stepOf(open, answer, rostersTold)
    if (step === 'roster') {
      rostersTold = true
      const { records } = await link.expect('roster')
      await components.roster.merge(records)
      await link.send(rosterMessage(components))
      continue
    }
    const { window, whole } = open
    const isProven =
      step === 'equal' ||
      (await take(step, { components, link, mine: answer, theirs: open, window, whole }, encodeAndTalk)) === 'proven'
    if (!isProven) continue
    await components.memory.proveEqual(answer.at, open.at)
    return true
  }
}

type Opening = Extract<Message, { type: 'open' }>

/** Both sides come to the same step from the same two messages. */
function stepOf(open: Stand, answer: Stand, rostersTold: boolean): Step {
  // Once in a talk: rosters that cannot be made equal must not keep entries from being exchanged.
  if (open.roster !== answer.roster && !rostersTold) return 'roster'
  if (equalDigests(open.digest, answer.digest)) return 'equal'
  return open.items === 0 || answer.items === 0 ? 'everything' : 'symbols'
}

function take(
  step: 'everything' | 'symbols',
  pass: Pass,
  bySymbols: (pass: Pass) => Promise<Outcome>,
): Promise<Outcome> {
  if (step === 'symbols') return bySymbols(pass)
  const { replica, memory } = pass.components
  const expected = Math.max(pass.mine.items, pass.theirs.items)
  return talk(
    pass,
    replica.transfers((id) => !memory.isLeftOut(id)),
    { expected },
  )
}

function next(manner: Manner, outcome: Outcome): Manner {
  if (outcome === 'parts') return { ...manner, whole: true }
  if (outcome === 'undecodable') return { ...manner, window: ((manner.window + 1) % 4) as Manner['window'] }
  return manner
}

async function standOf({ memory, roster, onStand }: SessionComponents): Promise<Stand> {
  onStand()
  return memory.stand(roster.version)
}

function rosterMessage({ roster }: SessionComponents): Message {
  return { type: 'roster', records: roster.records.map(({ bytes }) => bytes) }
}
