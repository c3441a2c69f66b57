import { additions } from './additions/index.ts'
import { automergeHandle } from './automerge-handle/index.ts'
import { automergeRepo } from './automerge-repo/index.ts'
import { firstSync } from './first-sync/index.ts'
import { putGet } from './put-get/index.ts'
import { putGetHttp } from './put-get-http/index.ts'
import type { Question } from './question.ts'
import { reconcile } from './reconcile/index.ts'
import { search } from './search/index.ts'
import { secrets } from './secrets/index.ts'
import { start } from './start/index.ts'
import { visible } from './visible/index.ts'

/** Every question, in the order in which they are asked. */
export const QUESTIONS: readonly Question[] = [
  automergeHandle,
  putGet,
  putGetHttp,
  visible,
  reconcile,
  automergeRepo,
  firstSync,
  start,
  search,
  secrets,
  additions,
]
