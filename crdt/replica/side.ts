import type { Database } from './database.ts'
import { parseKeyTail, sideKey, sideRange } from './keys.ts'
import type { SideStore } from './replica.ts'

/** {@link SideStore} in the replica's own database, so that it is backed up, locked and recovered with it. */
export function createSideStore(database: Database): SideStore {
  return {
    get: (namespace, key) => database.get(sideKey(namespace, key)),
    async list(namespace) {
      const records: { key: string; value: Uint8Array }[] = []
      const prefix = sideKey(namespace, '')
      for await (const [key, value] of database.range(sideRange(namespace))) {
        records.push({ key: parseKeyTail(key, prefix), value })
      }
      return records
    },
    write: (writes) =>
      database.write(
        writes.map(({ namespace, key, value }) => ({
          key: sideKey(namespace, key),
          ...(value === undefined ? {} : { value }),
        })),
      ),
  }
}
