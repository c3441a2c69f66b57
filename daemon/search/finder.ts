import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { EntryId, Kind, Scope } from '../../crdt/entry/types.ts'
import { indexable, wordsOf } from './words.ts'

/** A query as the index answers it. */
export interface FindInit {
  /** In the syntax of FTS5; made by `toExpression`. */
  readonly expression: string
  /** Whether it is worth ranking: not where so many words are asked for that this alone would take long. */
  readonly ranked: boolean
  readonly kind: Kind | undefined
  /** Only these; all where it is undefined. */
  readonly scopes: readonly Scope[] | undefined
  readonly prefix: string
  readonly limit: number
  /** Unix seconds: what has expired by then is not found. */
  readonly now: number
}

/** An entry that was found, and how well it fits. */
export interface Found extends EntryId {
  readonly score: number
}

export interface Finder {
  /** The best first. */
  find(init: FindInit): Found[]
  /** The number that stands for kind and scope; a new one where they are seen for the first time. */
  placeOf(kind: Kind, scope: Scope): number
  /** After a rollback: some of the numbers given may be gone. */
  forgetPlaces(): void
}

/**
 * So many entries are ranked: of those that fit, the ones that changed last, and as many again with all the words in
 * their key. Ranking takes a few microseconds each, and words that are everywhere are in every entry there is.
 */
const MAX_RANKED = 2_000
/** A word in the key or name counts for so many in the text. */
const KEY_WEIGHT = 10
/** So many words of a key's beginning narrow a search enough. */
const MAX_PREFIX_WORDS = 4

interface Candidate {
  readonly id: number
  readonly place: number
  readonly key: string
  readonly rank: number
}

interface Place {
  readonly number: number
  readonly kind: Kind
  readonly scope: Scope
}

/** Finds entries in the tables of `index-file.ts`. */
export function createFinder(database: DatabaseSync): Finder {
  const ranked = database.prepare(selectRanking(`bm25(words, 0.0, ${KEY_WEIGHT}.0, 1.0)`))
  const unranked = database.prepare(selectRanking('-1.0'))
  const insertPlace = database.prepare('INSERT INTO places (number, kind, scope) VALUES (?, ?, ?)')
  let places = readPlaces()

  function readPlaces(): Map<string, Place> {
    const rows = database.prepare('SELECT number, kind, scope FROM places').all() as unknown as Place[]
    return new Map(rows.map((place) => [placeName(place.kind, place.scope), place]))
  }

  function placeOf(kind: Kind, scope: Scope): number {
    const name = placeName(kind, scope)
    const known = places.get(name)
    if (known !== undefined) return known.number
    const number = places.size + 1
    insertPlace.run(number, kind, scope)
    places.set(name, { number, kind, scope })
    return number
  }

  function candidates(statement: StatementSync, expression: string, { prefix, now }: FindInit): Candidate[] {
    return statement.all(expression, prefix, now, MAX_RANKED) as unknown as Candidate[]
  }

  return {
    placeOf,
    forgetPlaces() {
      places = readPlaces()
    },
    find(init) {
      const scopes = init.scopes && new Set(init.scopes)
      const allowed = [...places.values()].filter(
        ({ kind, scope }) => (init.kind ?? kind) === kind && (scopes?.has(scope) ?? true),
      )
      if (allowed.length === 0) return []
      const filters = [
        ...(allowed.length === places.size
          ? []
          : [`(place : (${allowed.map(({ number }) => `"p${number}"`).join(' OR ')}))`]),
        ...beginningOf(init.prefix),
      ]
      const within = (expression: string) => [...filters, `({key body} : (${expression}))`].join(' AND ')
      const inKey = [...filters, `({key} : (${init.expression}))`].join(' AND ')
      const statement = init.ranked ? ranked : unranked
      const newest = candidates(statement, within(init.expression), init)
      const named = newest.length < MAX_RANKED ? [] : candidates(statement, inKey, init)
      const byId = new Map([...named, ...newest].map((candidate) => [candidate.id, candidate]))
      const best = [...byId.values()].sort((a, b) => a.rank - b.rank || b.id - a.id).slice(0, init.limit)
      const placesByNumber = new Map(allowed.map((place) => [place.number, place]))
      return best.flatMap(({ place, key, rank }) => {
        const { kind, scope } = placesByNumber.get(place) as Place
        return { kind, scope, key, score: -rank }
      })
    },
  }
}

/** Parameters: expression, beginning of the key, now, how many. The newest first: FTS5 goes by row number anyway. */
function selectRanking(rank: string): string {
  return `
    SELECT words.rowid AS id, entries.place, entries.key, ${rank} AS rank
    FROM words CROSS JOIN entries ON entries.id = words.rowid
    WHERE words MATCH ?1 AND substr(entries.key, 1, length(?2)) = ?2
      AND (entries.expires_at IS NULL OR entries.expires_at > ?3)
    ORDER BY words.rowid DESC LIMIT ?4`
}

/**
 * The words that a key with this beginning begins with, so that not all others are looked at; what they do not tell is
 * compared afterwards. The last word may go on, and is left out where that is too little to go by: with a letter outside
 * ASCII what follows may make another letter of it.
 */
function beginningOf(prefix: string): string[] {
  const words = wordsOf(indexable(prefix))
  const goesOn = /[^ -/:-@[-`{-~]$/.test(prefix)
  const last = words.at(-1) ?? ''
  const whole = (goesOn ? words.slice(0, -1) : words).slice(0, MAX_PREFIX_WORDS)
  const isUseful = goesOn && whole.length === words.length - 1 && /^[a-z0-9]{2,}$/i.test(last)
  if (isUseful) return [`(key : ^ "${[...whole, last].join(' ')}" *)`]
  return whole.length === 0 ? [] : [`(key : ^ "${whole.join(' ')}")`]
}

const placeName = (kind: Kind, scope: Scope) => `${kind} ${scope}`
