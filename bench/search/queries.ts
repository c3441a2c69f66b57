import type { Scope } from '../../crdt/entry/index.ts'
import type { SearchQuery } from '../../daemon/search/index.ts'
import type { Texts } from './texts.ts'

/** Scopes of the entries: each has a tenth of those of the one before it. */
export const SCOPES = ['mesh', 'tenant:a', 'tenant:b'] as const

/** The scope of entry number `n`. */
export function scopeOf(n: number): Scope {
  return (n % 100 === 0 ? SCOPES[2] : n % 10 === 0 ? SCOPES[1] : SCOPES[0]) as Scope
}

/** Kinds of queries, with what each is in words. */
export const QUERY_KINDS = {
  rare: 'a rare word',
  usual: 'a word of one entry in a hundred',
  common: 'one of the 20 most common words',
  everywhere: 'a word of every entry',
  two: 'two common words',
  prefix: 'a beginning of three letters',
  phrase: 'a phrase of two common words',
  scoped: 'a word of every entry, in a scope with one entry in a hundred',
  long: 'eight of the 20 most common words, most of them in every fifth entry',
} as const
export type QueryKind = keyof typeof QUERY_KINDS

/** Kinds that people ask; the others show what the worst cost. */
export const MIX: readonly QueryKind[] = ['rare', 'usual', 'common', 'two', 'prefix', 'phrase', 'scoped']

export function queryOf(kind: QueryKind, { vocabulary, below }: Texts): SearchQuery {
  const among = (first: number, last: number) => vocabulary[first + below(last - first)] as string
  switch (kind) {
    case 'rare':
      return { text: among(5_000, 20_000) }
    case 'usual':
      return { text: among(200, 500) }
    case 'common':
      return { text: among(0, 20) }
    case 'everywhere':
      return { text: 'title' }
    case 'two':
      return { text: `${among(0, 20)} ${among(20, 100)}` }
    case 'prefix':
      return { text: `${among(0, 2_000).slice(0, 3)}*` }
    case 'phrase':
      return { text: `"${among(0, 20)} ${among(0, 20)}"` }
    case 'scoped':
      return { text: 'title', scopes: [SCOPES[2] as Scope] }
    case 'long':
      return { text: vocabulary.slice(0, 8).join(' ') }
  }
}
