/** Requests and answers about what there is as a whole: entries in conflict, scopes. */
import { type Static, Type } from 'typebox'

const Count = Type.Integer({ minimum: 0 })
const OptionalText = Type.Optional(Type.String())
const Kind = Type.Union([Type.Literal('memory'), Type.Literal('skill')])

export const ConflictedQuerySchema = Type.Object({
  kind: Type.Optional(Kind),
  scope: OptionalText,
  prefix: OptionalText,
  limit: Type.Optional(Type.Integer({ minimum: 1 })),
  cursor: OptionalText,
})

/** An entry whose writers disagree, and at how many places; `updated_at` and `etag` are those of its row. */
export const ConflictedSchema = Type.Object({
  kind: Kind,
  scope: Type.String(),
  key: Type.String(),
  conflicts: Count,
  updated_at: Type.Number(),
  etag: Type.String(),
})
export type Conflicted = Static<typeof ConflictedSchema>

/** A scope that holds something: how many live memories and skills, and how many of both are in conflict. */
export const ScopeSchema = Type.Object({ scope: Type.String(), memory: Count, skills: Count, conflicts: Count })
export type ScopeCounts = Static<typeof ScopeSchema>

export const ScopesSchema = Type.Object({ scopes: Type.Array(ScopeSchema) })
export type Scopes = Static<typeof ScopesSchema>
