/**
 * Full text search over keys, values and skills: an index that follows the replica's feed, in one file and one thread of
 * its own. It is derived: it can be deleted at any time and is made again.
 */
export { createSearch } from './create-search.ts'
export type * from './search.ts'
export type { Snippet } from './snippet.ts'
