import { Worker } from 'node:worker_threads'
import type { IndexCall, IndexCalls, IndexReply } from './worker.ts'

/** The index in a thread of its own: SQLite blocks the one that it runs in, and a query over many entries takes a while. */
export interface IndexThread {
  /** Arguments and results are copied. @throws {IndexFailure} */
  call<M extends keyof IndexCalls>(method: M, ...args: Parameters<IndexCalls[M]>): Promise<ReturnType<IndexCalls[M]>>
  /** Whether it has ended, by itself or by {@link end}. */
  readonly hasEnded: boolean
  /** Ends the thread at once; what is open there is as after a crash. Idempotent. */
  end(): Promise<void>
}

/** What the index could not do. */
export class IndexFailure extends Error {
  /** Whether the file is damaged, so that nothing but a new one helps. */
  readonly isDamage: boolean

  constructor(message: string, isDamage: boolean) {
    super(message)
    this.name = 'IndexFailure'
    this.isDamage = isDamage
  }
}

/** JavaScript heap of the thread, in MB: ample for some batches of rows; what SQLite takes is beside it. */
const HEAP_MB = 128

export function startIndexThread(): IndexThread {
  // `.ts` when run from source, `.js` when built.
  const file = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)
  const worker = new Worker(file, { resourceLimits: { maxOldGenerationSizeMb: HEAP_MB } })
  const open = new Map<number, PromiseWithResolvers<unknown>>()
  let calls = 0
  let ended: IndexFailure | undefined

  function end(why: string): void {
    ended ??= new IndexFailure(why, false)
    for (const call of open.values()) call.reject(ended)
    open.clear()
  }

  worker.unref()
  worker.on('message', (reply: IndexReply) => {
    const call = open.get(reply.id)
    open.delete(reply.id)
    if (open.size === 0) worker.unref()
    if ('failure' in reply) call?.reject(new IndexFailure(reply.failure.message, reply.failure.isDamage))
    else call?.resolve(reply.result)
  })
  worker.on('error', (error: Error) => end(error.message))
  worker.on('exit', () => end('its thread has ended'))

  return {
    get hasEnded() {
      return ended !== undefined
    },
    call(method, ...args) {
      if (ended !== undefined) return Promise.reject(ended)
      const call = Promise.withResolvers<unknown>()
      const id = calls++
      open.set(id, call)
      // It keeps the process alive only while somebody waits for it.
      worker.ref()
      worker.postMessage({ id, method, args } satisfies IndexCall)
      return call.promise as never
    },
    async end() {
      end('its thread was ended')
      await worker.terminate()
    },
  }
}
