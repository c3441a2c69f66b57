import type { JsonValue } from '../../crdt/entry/index.ts'
import { CREDENTIAL_KINDS, createDice } from '../../crdt/secrets/corpus-suite.ts'
import { createSecretsGuard, type SecretsGuard } from '../../crdt/secrets/index.ts'
import { fits, PLACES } from '../../crdt/secrets/places-suite.ts'
import { rateOfSync } from '../measure.ts'
import type { Round, Subject } from '../question.ts'
import { benchValue, VALUE_BYTES } from '../values.ts'
import { realDocuments } from './documents.ts'

/** How many of each. */
export interface SecretsScale {
  readonly values: number
  /** Of each kind in each place. */
  readonly credentials: number
  readonly documents: number
}

const MIB = 1024 * 1024

export async function openSecrets(scale: SecretsScale): Promise<Subject> {
  const guard = createSecretsGuard({ key: Buffer.alloc(32, 7), allowed: new Set() })
  // The same in every round.
  const caught = shareCaught(guard, scale.credentials)
  const alarms = shareOfAlarms(guard, scale.documents)
  const prose = repeated('The service was moved to the other machine on Monday; its token is in the vault.\n')
  const hostile = repeated('eyJ\nsk-proj-\nghp_a1\ntoken=a1\n')

  return {
    close: async () => {},
    async round(): Promise<Round> {
      return {
        'values.200': rateOf(guard, 1, scale.values),
        'values.2000': rateOf(guard, 10, scale.values),
        'values.20000': rateOf(guard, 100, Math.ceil(scale.values / 10)),
        skill: timeOf(guard, prose),
        'skill.hostile': timeOf(guard, hostile),
        caught,
        alarms,
      }
    },
  }
}

const repeated = (text: string) => text.repeat(Math.ceil(MIB / text.length)).slice(0, MIB)

/** Values a second, each of so many times 200 bytes of JSON. */
function rateOf(guard: SecretsGuard, times: number, count: number): number {
  const values = Array.from({ length: Math.min(count, 100) }, (_, n): JsonValue => {
    const parts = Array.from({ length: times }, (_, i) => benchValue(n * times + i))
    return times === 1 ? (parts[0] as JsonValue) : parts
  })
  return rateOfSync(count, (i) => {
    const value = values[i % values.length] as JsonValue
    if (guard.scan({ kind: 'memory', key: `bench/${i}`, value }) !== undefined) {
      throw new Error(`a value of ${times * VALUE_BYTES} bytes that is no secret raised an alarm`)
    }
  })
}

function timeOf(guard: SecretsGuard, content: string): number {
  const began = performance.now()
  guard.scan({ kind: 'skill', key: 'bench', content, path: null })
  return performance.now() - began
}

/** In hundredths. */
function shareCaught(guard: SecretsGuard, each: number): number {
  let tried = 0
  let caught = 0
  for (const [index, { make }] of CREDENTIAL_KINDS.entries()) {
    for (const [place, put] of Object.entries(PLACES)) {
      const dice = createDice(1_000 + index)
      for (let i = 0; i < each; i++) {
        const credential = make(dice)
        if (!fits(place, credential)) continue
        tried++
        if (guard.scan(put(credential, dice)) !== undefined) caught++
      }
    }
  }
  return (100 * caught) / tried
}

/** In hundredths. */
function shareOfAlarms(guard: SecretsGuard, most: number): number {
  const documents = realDocuments(most)
  const alarms = documents.filter((entries) => entries.some((entry) => guard.scan(entry) !== undefined))
  return (100 * alarms.length) / documents.length
}
