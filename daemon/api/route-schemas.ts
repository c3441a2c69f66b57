import { Type } from 'typebox'
import {
  BulkBodySchema,
  BulkReportSchema,
  ConfigViewSchema,
  ConflictsSchema,
  DeletedMemorySchema,
  DeletedSkillSchema,
  DoctorSchema,
  ErrorSchema,
  HealthSchema,
  HistoryQuerySchema,
  HistorySchema,
  ImportBodySchema,
  ImportReportSchema,
  InvitationSchema,
  InviteBodySchema,
  JoinBodySchema,
  JoinReportSchema,
  LeaveReportSchema,
  ListQuerySchema,
  MemoryRowSchema,
  PeerIdentitySchema,
  PeersSchema,
  PutMemorySchema,
  PutSkillSchema,
  ResolveBodySchema,
  RotatedTokenSchema,
  SkillQuerySchema,
  SkillRowSchema,
  StatusSchema,
  SyncReportSchema,
} from './schemas.ts'

/** The key is the rest of the path: it may hold slashes, encoded or not. */
const MemoryParams = Type.Object({ scope: Type.String(), '*': Type.String() })
const MemoryKeyParams = Type.Object({ scope: Type.String(), key: Type.String() })
const SkillParams = Type.Object({ name: Type.String() })
const PeerParams = Type.Object({ peer: Type.String() })

const failures = { '4xx': ErrorSchema, '5xx': ErrorSchema }
const answers = <Schema>(schema: Schema) => ({ 200: schema, ...failures })

/**
 * What each route takes and gives. Rows are sent as the JSON that is stored, lists and NDJSON as streams: their answers
 * have no schema.
 */
export const routes = {
  health: { response: answers(HealthSchema) },
  status: { response: answers(StatusSchema) },
  listMemory: { querystring: ListQuerySchema, response: failures },
  getMemory: { params: MemoryParams, response: failures },
  putMemory: { body: PutMemorySchema, response: answers(MemoryRowSchema) },
  deleteMemory: { params: MemoryParams, response: answers(DeletedMemorySchema) },
  memoryHistory: { params: MemoryKeyParams, querystring: HistoryQuerySchema, response: answers(HistorySchema) },
  memoryConflicts: { params: MemoryKeyParams, response: answers(ConflictsSchema) },
  resolveMemory: { params: MemoryKeyParams, body: ResolveBodySchema, response: answers(MemoryRowSchema) },
  query: { response: failures },
  listSkills: { querystring: ListQuerySchema, response: failures },
  getSkill: { params: SkillParams, querystring: SkillQuerySchema, response: failures },
  putSkill: { body: PutSkillSchema, response: answers(SkillRowSchema) },
  deleteSkill: { params: SkillParams, querystring: SkillQuerySchema, response: answers(DeletedSkillSchema) },
  skillHistory: { params: SkillParams, querystring: HistoryQuerySchema, response: answers(HistorySchema) },
  skillConflicts: { params: SkillParams, querystring: SkillQuerySchema, response: answers(ConflictsSchema) },
  resolveSkill: {
    params: SkillParams,
    querystring: SkillQuerySchema,
    body: ResolveBodySchema,
    response: answers(SkillRowSchema),
  },
  bulk: { body: BulkBodySchema, response: answers(BulkReportSchema) },
  import: { body: ImportBodySchema, response: answers(ImportReportSchema) },
  peers: { response: answers(PeersSchema) },
  removePeer: { params: PeerParams, response: answers(PeerIdentitySchema) },
  invite: { body: InviteBodySchema, response: answers(InvitationSchema) },
  join: { body: JoinBodySchema, response: answers(JoinReportSchema) },
  leave: { response: answers(LeaveReportSchema) },
  sync: { response: answers(SyncReportSchema) },
  doctor: { response: answers(DoctorSchema) },
  rotateToken: { response: answers(RotatedTokenSchema) },
  config: { response: answers(ConfigViewSchema) },
} as const
