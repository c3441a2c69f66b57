import type { FastifySchema } from 'fastify'
import { Type } from 'typebox'
import type { Right } from './access/index.ts'
import { BackupQuerySchema, RestoreReportSchema } from './backup-schemas.ts'
import type { RouteNotes } from './openapi.ts'
import { ConflictedQuerySchema, ConflictedSchema, ScopesSchema } from './overview-schemas.ts'
import {
  ApiKeySchema,
  ApiKeysSchema,
  BulkBodySchema,
  BulkReportSchema,
  ConfigViewSchema,
  ConflictsSchema,
  CreateKeySchema,
  DeletedMemorySchema,
  DeletedSkillSchema,
  DoctorSchema,
  ErrorSchema,
  EventSchema,
  EventsQuerySchema,
  HealthSchema,
  HistoryQuerySchema,
  HistorySchema,
  ImportBodySchema,
  ImportMemorySchema,
  ImportReportSchema,
  ImportSkillSchema,
  InvitationSchema,
  InviteBodySchema,
  JoinBodySchema,
  JoinReportSchema,
  LeaveReportSchema,
  ListMemoryQuerySchema,
  ListQuerySchema,
  MemoryRowSchema,
  NewApiKeySchema,
  PeerIdentitySchema,
  PeersSchema,
  PutMemorySchema,
  PutSkillSchema,
  QueryBodySchema,
  RebuiltSearchSchema,
  ResolveBodySchema,
  RotatedTokenSchema,
  RotateTokenSchema,
  SearchAnswerSchema,
  SearchQuerySchema,
  SearchRowSchema,
  SkillQuerySchema,
  SkillRowSchema,
  StatusSchema,
  SyncReportSchema,
} from './schemas.ts'

/** The key is the rest of the path: it may hold slashes, encoded or not. */
const MemoryParams = Type.Object({ scope: Type.String(), '*': Type.String() })
const MemoryKeyParams = Type.Object({ scope: Type.String(), key: Type.String() })
const SkillParams = Type.Object({ name: Type.String() })
const KeyParams = Type.Object({ key: Type.String() })
const PeerParams = Type.Object({ peer: Type.String() })

const failures = { '4xx': ErrorSchema, '5xx': ErrorSchema }
const answers = <Schema>(schema: Schema) => ({ 200: schema, ...failures })

const FILE = 'application/octet-stream'
/** What is made while it is sent, and for nobody who wants the head alone: there is no HEAD of it. */
const STREAMS: ReadonlySet<string | undefined> = new Set(['text/event-stream', FILE])

/** What `app.get` and the others take beside path and handler. */
const route = <Schema extends FastifySchema>(
  right: Right,
  summary: string,
  schema: Schema,
  notes: Omit<RouteNotes, 'summary'> = {},
) => ({ schema, exposeHeadRoute: !STREAMS.has(notes.answerType), config: { right, notes: { summary, ...notes } } })

const NDJSON = 'With `Accept: application/x-ndjson` it answers in lines, the first of them progress.'
const PAGES = 'With a limit of up to 1000 it is a page, whose `Link` leads to the next; else rows are streamed.'

/**
 * What each route takes and gives. Rows are sent as the JSON that is stored, lists and NDJSON as streams: their answers
 * have no schema.
 */
export const routes = {
  health: route('public', 'Whether it is there', { response: answers(HealthSchema) }),
  status: route('inspect', 'The node, its mesh, its peers', { response: answers(StatusSchema) }),
  listMemory: route(
    'read',
    'List memory',
    { querystring: ListMemoryQuerySchema, response: failures },
    {
      answer: Type.Array(MemoryRowSchema),
      description: `${PAGES} With q it is a search, of which each row is {scope, key, snippet}.`,
    },
  ),
  getMemory: route(
    'read',
    'One memory',
    { params: MemoryParams, response: failures },
    { answer: MemoryRowSchema, conditional: 'read' },
  ),
  putMemory: route(
    'write',
    'Put a memory',
    { body: PutMemorySchema, response: answers(MemoryRowSchema) },
    { conditional: 'write' },
  ),
  deleteMemory: route(
    'delete',
    'Delete a memory',
    { params: MemoryParams, response: answers(DeletedMemorySchema) },
    { conditional: 'write' },
  ),
  memoryHistory: route('read', 'Who wrote a memory, latest first', {
    params: MemoryKeyParams,
    querystring: HistoryQuerySchema,
    response: answers(HistorySchema),
  }),
  memoryConflicts: route('read', 'Where the writers of a memory disagree', {
    params: MemoryKeyParams,
    response: answers(ConflictsSchema),
  }),
  resolveMemory: route(
    'write',
    'End conflicts of a memory',
    {
      params: MemoryKeyParams,
      body: ResolveBodySchema,
      response: answers(MemoryRowSchema),
    },
    { conditional: 'write' },
  ),
  query: route('read', 'Search memory, as earlier tools ask', {
    body: QueryBodySchema,
    response: answers(Type.Array(SearchRowSchema)),
  }),
  search: route('read', 'Search', { querystring: SearchQuerySchema, response: answers(SearchAnswerSchema) }),
  events: route(
    'read',
    'What is committed, as it is committed',
    { querystring: EventsQuerySchema, response: failures },
    {
      answer: EventSchema,
      answerType: 'text/event-stream',
      description: 'Server-sent events: put, delete, expire; ready or reset comes first. Last-Event-ID goes on.',
    },
  ),
  rebuildSearch: route('operate', 'Make the search index anew', { response: answers(RebuiltSearchSchema) }),
  listSkills: route(
    'read',
    'List skills',
    { querystring: ListQuerySchema, response: failures },
    { answer: Type.Array(SkillRowSchema), description: PAGES },
  ),
  getSkill: route(
    'read',
    'One skill',
    { params: SkillParams, querystring: SkillQuerySchema, response: failures },
    { answer: SkillRowSchema, conditional: 'read' },
  ),
  putSkill: route(
    'write',
    'Put a skill',
    { body: PutSkillSchema, response: answers(SkillRowSchema) },
    { conditional: 'write' },
  ),
  deleteSkill: route(
    'delete',
    'Delete a skill',
    {
      params: SkillParams,
      querystring: SkillQuerySchema,
      response: answers(DeletedSkillSchema),
    },
    { conditional: 'write' },
  ),
  skillHistory: route('read', 'Who wrote a skill, latest first', {
    params: SkillParams,
    querystring: HistoryQuerySchema,
    response: answers(HistorySchema),
  }),
  skillConflicts: route('read', 'Where the writers of a skill disagree', {
    params: SkillParams,
    querystring: SkillQuerySchema,
    response: answers(ConflictsSchema),
  }),
  resolveSkill: route(
    'write',
    'End conflicts of a skill',
    {
      params: SkillParams,
      querystring: SkillQuerySchema,
      body: ResolveBodySchema,
      response: answers(SkillRowSchema),
    },
    { conditional: 'write' },
  ),
  conflicted: route(
    'read',
    'Entries whose writers disagree',
    { querystring: ConflictedQuerySchema, response: failures },
    { answer: Type.Array(ConflictedSchema), description: `Memory first. ${PAGES}` },
  ),
  scopes: route('read', 'Scopes, and how much is in each', { response: answers(ScopesSchema) }),
  bulk: route('write', 'Put many', { body: BulkBodySchema, response: answers(BulkReportSchema) }),
  import: route(
    'operate',
    'Take in an export, or what older tools kept',
    { body: ImportBodySchema, response: answers(ImportReportSchema) },
    {
      body: Type.Object({
        memory: Type.Optional(Type.Array(ImportMemorySchema)),
        skills: Type.Optional(Type.Array(ImportSkillSchema)),
      }),
      description: 'Each item is judged by itself: a bad one keeps none of the others out.',
    },
  ),
  peers: route('inspect', 'Members of the mesh', { response: answers(PeersSchema) }),
  removePeer: route('operate', 'Remove a member', { params: PeerParams, response: answers(PeerIdentitySchema) }),
  invite: route('operate', 'Make a ticket', { body: InviteBodySchema, response: answers(InvitationSchema) }),
  join: route(
    'operate',
    'Join the mesh of a ticket',
    { body: JoinBodySchema, response: answers(JoinReportSchema) },
    { description: NDJSON },
  ),
  leave: route('operate', 'Leave the mesh', { response: answers(LeaveReportSchema) }, { description: NDJSON }),
  sync: route(
    'operate',
    'Reconcile with all members',
    { response: answers(SyncReportSchema) },
    { description: NDJSON },
  ),
  backup: route(
    'operate',
    'A backup of the node, made while it runs',
    { querystring: BackupQuerySchema, response: failures },
    {
      answer: Type.Unsafe<unknown>({}),
      answerType: FILE,
      description:
        'Holds the key of the node, unless key is false, and all that was ever written: as secret as the node.',
    },
  ),
  restore: route(
    'operate',
    'Take in what a backup of this mesh has and this node lacks',
    { response: answers(RestoreReportSchema) },
    { bodyType: FILE, description: `${NDJSON} What is newer here stays, and what was deleted stays deleted.` },
  ),
  doctor: route('inspect', 'What an operator should know or mend', { response: answers(DoctorSchema) }),
  listKeys: route('operate', 'All keys', { response: answers(ApiKeysSchema) }),
  createKey: route('operate', 'Make a key', { body: CreateKeySchema, response: answers(NewApiKeySchema) }),
  revokeKey: route('operate', 'End a key', { params: KeyParams, response: answers(ApiKeySchema) }),
  rotateToken: route('operate', 'Replace a token', { body: RotateTokenSchema, response: answers(RotatedTokenSchema) }),
  config: route('operate', 'The configuration in force', { response: answers(ConfigViewSchema) }),
  metrics: route('inspect', 'What is counted, for Prometheus', {}, { answer: Type.String(), answerType: 'text/plain' }),
  openApi: route('public', 'This description', {}, { answer: Type.Object({}) }),
  docs: route('public', 'This description, to be read', {}, { answer: Type.String(), answerType: 'text/html' }),
} as const
