import {
  canonicalJson,
  type EntryContent,
  type EntryView,
  type JsonValue,
  type MemoryRow,
  type SkillRow,
} from '../entry/index.ts'

/** How far ahead an earlier tool's time may be, in seconds, before it counts as now (INTEROP: 5 minutes). */
const MOST_AHEAD_S = 300

/**
 * Last write wins, as earlier tools expect: what is live and equal is passed over, and so is what is not later than the
 * entry's latest change, also where that was a delete.
 *
 * @param at Unix seconds, or undefined for now
 */
export function importDecision(
  view: EntryView | undefined,
  content: EntryContent,
  at: number | undefined,
  now: number,
): { outcome: 'taken' | 'equal' | 'older'; at: number } {
  const time = at === undefined || at > now + MOST_AHEAD_S ? now : Math.max(0, Math.floor(at))
  if (view?.row !== undefined && holds(view.row, content)) return { outcome: 'equal', at: time }
  // Without a time it is said now, by whoever imports it.
  if (at !== undefined && view !== undefined && time <= view.updatedAt) return { outcome: 'older', at: time }
  return { outcome: 'taken', at: time }
}

/** Older tools know no end of an entry: what says none has nothing against the one that is here. */
function holds(row: MemoryRow | SkillRow, content: EntryContent): boolean {
  if (content.expiresAt !== undefined && content.expiresAt !== row.expires_at) return false
  if (content.kind === 'memory') {
    return canonicalJson((row as MemoryRow).value) === canonicalJson(content.value as JsonValue)
  }
  const skill = row as SkillRow
  return skill.content === (content.content ?? null) && skill.path === (content.path ?? null)
}
