/**
 * Entries: how a memory and a skill are held as Automerge documents, written, merged, deleted and read. Pure: no I/O,
 * clock, randomness or logging.
 */
export type { AddedChange, Authorship, EntryContent, EntryView } from './document.ts'
export { EntryDocument, firstChange, inspectChange, isFirstChange } from './document.ts'
export {
  describeEntry,
  entryName,
  MESH_SCOPE,
  NODE_SCOPE,
  parseEntryId,
  parseMemoryKey,
  parseNodeId,
  parseScope,
  parseSkillName,
  sameEntry,
} from './ids.ts'
export { canonicalJson, MAX_VALUE_LEVELS, parseJsonValue } from './json-value.ts'
export { MAX_TIME } from './state.ts'
export type * from './types.ts'
export { type Written, writtenBy } from './written.ts'
