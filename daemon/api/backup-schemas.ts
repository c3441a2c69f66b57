/** Backup and restore: the query of the one, the answer of the other. As in `schemas.ts`. */
import { type Static, Type } from 'typebox'

const Count = Type.Integer({ minimum: 0 })
const KindSchema = Type.Union([Type.Literal('memory'), Type.Literal('skill')])

/** `key=false` leaves the node's key out. */
export const BackupQuerySchema = Type.Object({ key: Type.Optional(Type.Boolean()) })

/**
 * Of the backup: which node made it, and when (Unix seconds). Of its entries how many were new here (at least in part),
 * known, left alone since they are of another node's scope `node`, refused by a rule, or not to be opened. `faults` tells
 * of the first 100 of these why; `key` is null where the key itself may be a secret.
 */
export const RestoreReportSchema = Type.Object({
  backup: Type.Object({
    nodeId: Type.String(),
    peerId: Type.String(),
    meshId: Type.String(),
    createdAt: Type.Number(),
    position: Count,
  }),
  entries: Count,
  applied: Count,
  known: Count,
  left: Count,
  refused: Count,
  incomplete: Count,
  faults: Type.Array(
    Type.Object({
      kind: KindSchema,
      scope: Type.String(),
      key: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
      code: Type.String(),
      message: Type.String(),
    }),
  ),
})
export type RestoreReport = Static<typeof RestoreReportSchema>
