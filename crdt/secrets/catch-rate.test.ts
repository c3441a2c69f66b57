import { describe, expect, test } from 'vitest'
import { CREDENTIAL_KINDS, createDice } from './corpus-suite.ts'
import { createSecretsGuard } from './index.ts'
import { fits, PLACES } from './places-suite.ts'
import { FIELD_RULES, NAMED_RULES, TOKEN_RULES } from './rules/index.ts'

const SAMPLES = 12
const guard = createSecretsGuard({ key: new Uint8Array(32), allowed: new Set() })

interface Tally {
  caught: number
  tried: number
}

const tallies = CREDENTIAL_KINDS.map(({ rule, kind, make }, index) => {
  const places = Object.entries(PLACES).map(([place, put], number) => {
    const dice = createDice(index * 101 + number + 1)
    const tally: Tally = { caught: 0, tried: 0 }
    for (let i = 0; i < SAMPLES; i++) {
      const credential = make(dice)
      if (!fits(place, credential)) continue
      tally.tried++
      if (guard.scan(put(credential, dice)) !== undefined) tally.caught++
    }
    return { place, tally }
  })
  return { rule, kind, places }
})
const sum = (list: readonly Tally[]): Tally => ({
  caught: list.reduce((total, { caught }) => total + caught, 0),
  tried: list.reduce((total, { tried }) => total + tried, 0),
})
const share = ({ caught, tried }: Tally) => caught / tried

describe('of credentials in their documented formats', () => {
  test('at least 95 % are caught, over all kinds and places', () => {
    const all = sum(tallies.flatMap(({ places }) => places.map(({ tally }) => tally)))
    expect(all.tried).toBeGreaterThan(25 * 7 * SAMPLES)
    expect(share(all)).toBeGreaterThanOrEqual(0.95)
  })

  test.each(Object.keys(PLACES))('at least 90 %% are caught where they stand in: %s', (place) => {
    const here = tallies.flatMap(({ places }) => places.filter((it) => it.place === place).map(({ tally }) => tally))
    expect(share(sum(here))).toBeGreaterThanOrEqual(0.9)
  })

  test.each(tallies)('most of kind $kind are caught, and some in every place', ({ places }) => {
    expect(share(sum(places.map(({ tally }) => tally)))).toBeGreaterThanOrEqual(0.8)
    expect(places.filter(({ tally }) => tally.tried > 0 && tally.caught === 0).map(({ place }) => place)).toEqual([])
  })

  test.each(CREDENTIAL_KINDS)('$kind is told by its own rule, $rule', ({ rule, kind, make }) => {
    const dice = createDice(kind.length * 7919)
    const told = Array.from({ length: 20 }, () => {
      const credential = make(dice)
      const name = credential.name ?? 'note'
      return guard.scan({ kind: 'memory', key: 'ops/notes', value: { [name]: credential.text } })?.rule
    })
    expect(told.filter((id) => id === rule).length).toBeGreaterThanOrEqual(18)
  })

  test('every rule is tried', () => {
    const tried = new Set(CREDENTIAL_KINDS.map(({ rule }) => rule))
    const rules = [...TOKEN_RULES, ...NAMED_RULES, ...Object.values(FIELD_RULES)].map(({ id }) => id)
    expect(rules.filter((id) => !tried.has(id))).toEqual([])
    expect(new Set(rules).size).toBe(rules.length)
  })
})
