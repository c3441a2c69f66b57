/**
 * The store API's requests and answers: one schema each, which validates, serialises and types. Field names of rows
 * are those that mesh tools of every age know; `updated_at` and `ts` are Unix seconds, all other times milliseconds.
 */
import { type Static, Type } from 'typebox'
import type { JsonValue } from '../../crdt/entry/types.ts'

/** Request bodies above this many bytes are refused with 413. */
export const MAX_BODY_BYTES = 2 * 1024 * 1024
/** Most items, memory and skills together, that one import takes. */
export const MAX_IMPORT_ITEMS = 500
/** Most puts that one request takes. */
export const MAX_BULK_PUTS = 500
/** Most changes of an entry's history in one answer: each is read from a copy of the document. */
export const MAX_HISTORY_PAGE = 100

const NullableText = Type.Unsafe<string | null>({ type: ['string', 'null'] })
const NullableNumber = Type.Unsafe<number | null>({ type: ['number', 'null'] })
const Json = Type.Unsafe<JsonValue>({})
const Count = Type.Integer({ minimum: 0 })
const OptionalText = Type.Optional(Type.String())
/** Unix seconds. */
const OptionalTime = Type.Optional(Type.Number())

// Rows

export const MemoryRowSchema = Type.Object({
  scope: Type.String(),
  key: Type.String(),
  value: Json,
  node_id: Type.String(),
  updated_at: Type.Number(),
  expires_at: OptionalTime,
})
export type MemoryRow = Static<typeof MemoryRowSchema>

export const SkillRowSchema = Type.Object({
  name: Type.String(),
  source_node: Type.String(),
  content: NullableText,
  path: NullableText,
  updated_at: Type.Number(),
  scope: Type.String(),
  expires_at: OptionalTime,
})
export type SkillRow = Static<typeof SkillRowSchema>

/** A row of either kind. Sent as it is, whatever later versions add. */
const AnyRow = Type.Unsafe<MemoryRow | SkillRow>({ type: 'object', additionalProperties: true })

export const DeletedMemorySchema = Type.Object({
  deleted: Type.Literal(true),
  scope: Type.String(),
  key: Type.String(),
})
export type DeletedMemory = Static<typeof DeletedMemorySchema>

export const DeletedSkillSchema = Type.Object({
  deleted: Type.Literal(true),
  scope: Type.String(),
  name: Type.String(),
})
export type DeletedSkill = Static<typeof DeletedSkillSchema>

// Writes. Fields beyond these are ignored, for older tools send some.

/**
 * `node_id` is whom the row names as its author; this node where it is absent, null or empty. From `expires_at` on (Unix seconds) each
 * node hides the entry; it stays where that is absent.
 */
export const PutMemorySchema = Type.Object({
  scope: Type.String(),
  key: Type.String(),
  value: Json,
  node_id: Type.Optional(NullableText),
  expires_at: OptionalTime,
})
export type PutMemory = Static<typeof PutMemorySchema>

/** At least one of `content` and `path` is text; null counts as absent. `scope` is `mesh` where it is absent. */
export const PutSkillSchema = Type.Object({
  name: Type.String(),
  source_node: Type.Optional(NullableText),
  content: Type.Optional(NullableText),
  path: Type.Optional(NullableText),
  scope: OptionalText,
  expires_at: OptionalTime,
})
export type PutSkill = Static<typeof PutSkillSchema>

/** `updated_since` is in Unix seconds. */
export const ListQuerySchema = Type.Object({
  scope: OptionalText,
  prefix: OptionalText,
  limit: Type.Optional(Type.Integer({ minimum: 1 })),
  cursor: OptionalText,
  updated_since: Type.Optional(Type.Number({ minimum: 0 })),
  etags: Type.Optional(Type.Boolean()),
})

/** With `q` it is a search: `fts` unless `mode` says otherwise. */
export const ListMemoryQuerySchema = Type.Object({ ...ListQuerySchema.properties, q: OptionalText, mode: OptionalText })

const KindSchema = Type.Union([Type.Literal('memory'), Type.Literal('skill')])

/** As earlier tools ask; `q` is `query` by its other name. Null counts as absent: what a tool has no value for it sends so. */
export const QueryBodySchema = Type.Object({
  query: Type.Optional(NullableText),
  q: Type.Optional(NullableText),
  scope: Type.Optional(NullableText),
  prefix: Type.Optional(NullableText),
  limit: Type.Optional(Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: 1 })),
  mode: Type.Optional(NullableText),
})
export const SearchRowSchema = Type.Object({ scope: Type.String(), key: Type.String(), snippet: Type.String() })
export type SearchRow = Static<typeof SearchRowSchema>

export const SearchQuerySchema = Type.Object({
  q: Type.String(),
  kind: Type.Optional(KindSchema),
  scope: OptionalText,
  prefix: OptionalText,
  limit: Type.Optional(Type.Integer({ minimum: 1 })),
})

/**
 * The best first. `marks` are where the words stand in the snippet: pairs of beginning and end, in UTF-16 code units.
 * `complete` is false while the index is being made.
 */
export const SearchAnswerSchema = Type.Object({
  results: Type.Array(
    Type.Object({
      kind: KindSchema,
      scope: Type.String(),
      key: Type.String(),
      snippet: Type.String(),
      marks: Type.Array(Type.Array(Type.Integer())),
      score: Type.Number(),
    }),
  ),
  complete: Type.Boolean(),
})
export type SearchAnswer = Static<typeof SearchAnswerSchema>

export const RebuiltSearchSchema = Type.Object({ entries: Count })
export type RebuiltSearch = Static<typeof RebuiltSearchSchema>

export const SkillQuerySchema = Type.Object({ scope: OptionalText })

/** `since` is a feed position: what was committed after it. From now on where neither it nor `Last-Event-ID` is there. */
export const EventsQuerySchema = Type.Object({
  since: Type.Optional(Type.Integer({ minimum: 0 })),
  kind: Type.Optional(KindSchema),
  scope: OptionalText,
  prefix: OptionalText,
})

/** What an event tells; `row` is the entry as it is now, null for a delete and what has expired. */
export const EventSchema = Type.Object({
  seq: Type.Integer(),
  kind: KindSchema,
  scope: Type.String(),
  key: Type.String(),
  etag: NullableText,
  row: Type.Union([AnyRow, Type.Null()]),
})
export type EventData = Static<typeof EventSchema>

/** `before` is the hash of a change: only what comes before it is given. */
export const HistoryQuerySchema = Type.Object({
  scope: OptionalText,
  before: OptionalText,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_HISTORY_PAGE })),
})
export type HistoryQuery = Static<typeof HistoryQuerySchema>

/** A member who signed a change; `node_id` is null for one whom the roster does not name any more. */
const SignerSchema = Type.Object({ peer_id: Type.String(), node_id: NullableText })

/**
 * A change of an entry. `node_id` is the name that its author gave; `signers` are those whose signatures hold: verified
 * now. `row` is what the entry showed to its author, null for a delete. `at` is in Unix seconds.
 */
export const RevisionSchema = Type.Object({
  hash: Type.String(),
  action: Type.Union([Type.Literal('put'), Type.Literal('delete')]),
  node_id: Type.String(),
  at: Type.Number(),
  signers: Type.Array(SignerSchema),
  row: Type.Union([AnyRow, Type.Null()]),
})
export type Revision = Static<typeof RevisionSchema>

/** Latest first. `next` goes into `before` for those that come before; null at the beginning of the entry. */
export const HistorySchema = Type.Object({ revisions: Type.Array(RevisionSchema), next: NullableText })
export type History = Static<typeof HistorySchema>

/** Where concurrent writes disagree, and all values that are live there, the one that the row shows first. */
export const ConflictsSchema = Type.Object({
  conflicts: Type.Array(
    Type.Object({
      path: Type.String(),
      values: Type.Array(Type.Object({ value: Json, node_id: Type.String(), at: Type.Number() })),
    }),
  ),
})
export type Conflicts = Static<typeof ConflictsSchema>

/** What is to stand alone at which paths; all conflicts end with what is shown where it is absent. */
export const ResolveBodySchema = Type.Object({
  resolutions: Type.Optional(Type.Array(Type.Object({ path: Type.String(), value: Json }), { maxItems: 10_000 })),
  node_id: OptionalText,
})
export type ResolveBody = Static<typeof ResolveBodySchema>

/** One put of many: that of a memory, or of a skill; `if_match` and `if_none_match` are as the headers, without quotes. */
export const BulkBodySchema = Type.Object({ puts: Type.Array(Type.Unsafe<unknown>({}), { maxItems: MAX_BULK_PUTS }) })
export type BulkPut = (({ readonly kind?: 'memory' } & PutMemory) | ({ readonly kind: 'skill' } & PutSkill)) & {
  readonly if_match?: string | readonly string[]
  readonly if_none_match?: string | readonly string[]
}

const Versions = Type.Optional(Type.Union([Type.String(), Type.Array(Type.String(), { maxItems: 100 })]))
const Preconditions = { if_match: Versions, if_none_match: Versions }
export const BulkMemorySchema = Type.Intersect([PutMemorySchema, Type.Object(Preconditions)])
export const BulkSkillSchema = Type.Intersect([PutSkillSchema, Type.Object(Preconditions)])

/** What became of each put, in their order: `row` and `etag`, or `error` as that put alone would have been answered. */
export const BulkReportSchema = Type.Object({
  written: Count,
  refused: Count,
  results: Type.Array(
    Type.Object({
      status: Type.Integer(),
      etag: OptionalText,
      row: Type.Optional(AnyRow),
      error: Type.Optional(Type.Unsafe<ErrorAnswer>({})),
    }),
  ),
})
export type BulkReport = Static<typeof BulkReportSchema>
export type BulkResult = BulkReport['results'][0]

/** An item's `ts` is when it was written, in Unix seconds; now where it is absent. `expires_at` is as in a put. */
export const ImportMemorySchema = Type.Object({
  scope: Type.String(),
  key: Type.String(),
  value: Json,
  node_id: OptionalText,
  ts: Type.Optional(Type.Number({ minimum: 0 })),
  expires_at: OptionalTime,
})
export type ImportMemory = Static<typeof ImportMemorySchema>

/** At least one of `content` and `path` is text; null counts as absent. */
export const ImportSkillSchema = Type.Object({
  name: Type.String(),
  content: Type.Optional(NullableText),
  path: Type.Optional(NullableText),
  source_node: OptionalText,
  scope: OptionalText,
  ts: Type.Optional(Type.Number({ minimum: 0 })),
  expires_at: OptionalTime,
})
export type ImportSkill = Static<typeof ImportSkillSchema>

/** Items are checked one by one, so that a bad one is reported and the others are taken. */
export const ImportBodySchema = Type.Object({
  memory: Type.Optional(Type.Array(Type.Unsafe<unknown>({}))),
  skills: Type.Optional(Type.Array(Type.Unsafe<unknown>({}))),
})
/** At most {@link MAX_IMPORT_ITEMS} in both lists together. */
export interface ImportBatch {
  readonly memory?: readonly ImportMemory[]
  readonly skills?: readonly ImportSkill[]
}

/** How many were taken, held already, older than what is held, or over by their own time; which were refused, and why. */
export const ImportReportSchema = Type.Object({
  taken: Count,
  equal: Count,
  older: Count,
  expired: Count,
  refused: Type.Array(
    Type.Object({
      kind: Type.Union([Type.Literal('memory'), Type.Literal('skill')]),
      scope: Type.String(),
      key: Type.String(),
      code: Type.String(),
      message: Type.String(),
    }),
  ),
})
export type ImportReport = Static<typeof ImportReportSchema>

// The node and its mesh

export const HealthSchema = Type.Object({
  ok: Type.Literal(true),
  service: Type.String(),
  storeAvailable: Type.Boolean(),
  version: Type.String(),
})
export type Health = Static<typeof HealthSchema>

export const PeerSchema = Type.Object({
  nodeId: Type.String(),
  peerId: Type.String(),
  connected: Type.Boolean(),
  /** Proven equal at the last reconciliation, and nothing committed here since. */
  equal: Type.Boolean(),
  /** Unix milliseconds. */
  lastSync: NullableNumber,
  address: NullableText,
  incomplete: Count,
  refused: Count,
  error: NullableText,
})
export type Peer = Static<typeof PeerSchema>

export const PeersSchema = Type.Object({ peers: Type.Array(PeerSchema) })
export type Peers = Static<typeof PeersSchema>

export const PeerIdentitySchema = Type.Object({ nodeId: Type.String(), peerId: Type.String() })
export type PeerIdentity = Static<typeof PeerIdentitySchema>

export const StatusSchema = Type.Object({
  nodeId: Type.String(),
  peerId: Type.String(),
  meshId: Type.String(),
  version: Type.String(),
  /** Unix milliseconds. */
  startedAt: Type.Number(),
  /** Live entries: memory and skills. */
  entries: Count,
  memory: Count,
  skills: Count,
  /** Deleted, but known as such. */
  deleted: Count,
  /** Hidden since their time is over, but known. */
  expired: Count,
  conflicts: Count,
  /** Hex of 32 bytes over all scopes but `node`: equal digests mean equal meshes. */
  digest: Type.String(),
  /** Feed position of the latest commit. */
  position: Count,
  addresses: Type.Array(Type.String()),
  api: Type.Object({ socket: Type.String(), url: NullableText, auth: Type.Boolean() }),
  home: Type.String(),
  /** How far the search index is; null where search is off. */
  search: Type.Union([
    Type.Object({ state: Type.String(), position: Count, entries: Count, bytes: Count }),
    Type.Null(),
  ]),
  peers: Type.Array(PeerSchema),
})
export type Status = Static<typeof StatusSchema>

/** How long a ticket may be used, in seconds. */
export const InviteBodySchema = Type.Object({
  ttl_seconds: Type.Optional(Type.Integer({ minimum: 60, maximum: 604_800 })),
})
export type InviteBody = Static<typeof InviteBodySchema>

/** `ticket` is a secret: whoever has it may join, once, until `expires_at` (Unix seconds). */
export const InvitationSchema = Type.Object({
  ticket: Type.String(),
  expires_at: Type.Number(),
  addresses: Type.Array(Type.String()),
})
export type Invitation = Static<typeof InvitationSchema>

export const JoinBodySchema = Type.Object({ ticket: Type.String() })
export type JoinBody = Static<typeof JoinBodySchema>

export const JoinReportSchema = Type.Object({
  meshId: Type.String(),
  members: Type.Immutable(Type.Array(Type.String())),
  vouched: Count,
})
export type JoinReport = Static<typeof JoinReportSchema>

export const LeaveReportSchema = Type.Object({ meshId: Type.String(), told: Count })
export type LeaveReport = Static<typeof LeaveReportSchema>

export const SyncReportSchema = Type.Object({
  equal: Type.Boolean(),
  peers: Type.Immutable(
    Type.Array(
      Type.Object({
        nodeId: Type.String(),
        peerId: Type.String(),
        equal: Type.Boolean(),
        entriesSent: Count,
        entriesReceived: Count,
        bytesSent: Count,
        bytesReceived: Count,
        roundTrips: Count,
        milliseconds: Type.Number(),
        error: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
      }),
    ),
  ),
})
export type SyncReport = Static<typeof SyncReportSchema>

/** One step of long work: `done` of `total` in a phase; `total` is absent while unknown. */
export const ProgressSchema = Type.Object({
  phase: Type.String(),
  peer: OptionalText,
  done: Type.Number(),
  total: Type.Optional(Type.Number()),
})
export type Progress = Static<typeof ProgressSchema>

export const FindingSchema = Type.Object({
  checkId: Type.String(),
  severity: Type.Union([Type.Literal('info'), Type.Literal('warning'), Type.Literal('error')]),
  message: Type.String(),
  path: OptionalText,
  fixHint: OptionalText,
})
export type Finding = Static<typeof FindingSchema>

/** `ok`: no error was found; warnings and infos may be. */
export const DoctorSchema = Type.Object({ ok: Type.Boolean(), findings: Type.Array(FindingSchema) })
export type Doctor = Static<typeof DoctorSchema>

/** Which token is replaced: the operator's unless it says `agent`. */
export const RotateTokenSchema = Type.Object({
  token: Type.Optional(Type.Union([Type.Literal('operator'), Type.Literal('agent')])),
})
export type RotateToken = Static<typeof RotateTokenSchema>

/** A key for some scopes, as far as it may be shown. `rate` is in requests a minute, `created_at` in Unix seconds. */
const apiKey = {
  name: Type.String(),
  id: Type.String(),
  read: Type.Array(Type.String()),
  write: Type.Array(Type.String()),
  tenant: NullableText,
  rate: NullableNumber,
  created_at: Type.Number(),
}
export const ApiKeySchema = Type.Object(apiKey)
export type ApiKey = Static<typeof ApiKeySchema>
export const ApiKeysSchema = Type.Object({ keys: Type.Array(ApiKeySchema) })
export type ApiKeys = Static<typeof ApiKeysSchema>

/** A new key: `key` is what its holder sends, and is never shown again. */
export const NewApiKeySchema = Type.Object({ ...apiKey, key: Type.String() })
export type NewApiKey = Static<typeof NewApiKeySchema>

/** Scopes are as they are, or with `*` for an id. A tenant's key without any may use all that the tenant has. */
export const CreateKeySchema = Type.Object({
  name: Type.String(),
  read: Type.Optional(Type.Array(Type.String())),
  write: Type.Optional(Type.Array(Type.String())),
  tenant: OptionalText,
  rate: Type.Optional(Type.Integer()),
})
export type CreateKey = Static<typeof CreateKeySchema>

/** The file that holds the new token; the token itself is never in an answer. */
export const RotatedTokenSchema = Type.Object({ path: Type.String() })
export type RotatedToken = Static<typeof RotatedTokenSchema>

/** Effective values, and for each key where it came from. */
export const ConfigViewSchema = Type.Object({
  config: Type.Unsafe<Readonly<Record<string, unknown>>>({}),
  sources: Type.Record(
    Type.String(),
    Type.Union([Type.Literal('default'), Type.Literal('file'), Type.Literal('environment')]),
  ),
  path: Type.String(),
})
export type ConfigView = Static<typeof ConfigViewSchema>

/**
 * Every error answer: problem details (RFC 9457), of which `detail` is `error` again. `code` is stable; `field` names
 * the input at fault; `hint` is the way out. `current` is what a write with `If-Match` or `If-None-Match` found: the
 * row, or null for none.
 */
export const ErrorSchema = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  error: Type.String(),
  code: Type.String(),
  field: OptionalText,
  hint: OptionalText,
  current: Type.Optional(Json),
})
export type ErrorAnswer = Static<typeof ErrorSchema>
