import { setPriority } from 'node:os'
import { type MessagePort, parentPort } from 'node:worker_threads'
import type { Kind } from '../../crdt/entry/types.ts'
import {
  type IndexFile,
  type IndexFileInit,
  type IndexState,
  isDamage,
  openIndexFile,
  type Renewal,
} from './index-file.ts'
import type { Term } from './query.ts'
import { readableText } from './row-text.ts'
import { createMarker, type Snippet } from './snippet.ts'

/** What the thread that serves asks of this one, one call after the other. */
export interface IndexCalls extends Pick<IndexFile, 'apply' | 'find' | 'close'> {
  open(init: IndexFileInit): IndexState & { readonly renewed: Renewal | undefined }
  /** A snippet of each row. */
  snippets(terms: readonly Term[], rows: readonly { readonly kind: Kind; readonly json: string }[]): Snippet[]
}

export interface IndexCall {
  readonly id: number
  readonly method: keyof IndexCalls
  readonly args: readonly unknown[]
}

export type IndexReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: { readonly message: string; readonly isDamage: boolean } }

// The thread that serves goes first where all cores are busy. Elsewhere than on Linux this would be for the whole process.
if (process.platform === 'linux') setPriority(10)

if (parentPort !== null) serve(parentPort)

function serve(port: MessagePort): void {
  const calls = createCalls()
  port.on('message', ({ id, method, args }: IndexCall) => {
    port.postMessage(reply(id, () => (calls[method] as (...args: readonly unknown[]) => unknown)(...args)))
  })
}

function reply(id: number, call: () => unknown): IndexReply {
  try {
    return { id, result: call() }
  } catch (error) {
    // Only what SQLite says: other messages may quote what is in a row.
    return {
      id,
      failure: { message: messageOf(error), isDamage: isDamage(error) },
    }
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if ('errcode' in error) return error.message
  return 'code' in error ? String(error.code) : error.name
}

function createCalls(): IndexCalls {
  let index: IndexFile | undefined
  const opened = () => {
    if (index === undefined) throw new Error('the index is not open')
    return index
  }
  const close = () => {
    const closing = index
    index = undefined
    closing?.close()
  }
  return {
    open(init) {
      // One that is damaged may not close well either; it is thrown away.
      try {
        close()
      } catch (error) {
        if (!init.fresh) throw error
      }
      index = openIndexFile(init)
      return { ...index.state(), renewed: index.renewed }
    },
    apply: (changes, position) => opened().apply(changes, position),
    find: (init) => opened().find(init),
    snippets(terms, rows) {
      const marker = createMarker(terms)
      return rows.map(({ kind, json }) => marker.snippetOf(readableText(kind, json)))
    },
    close,
  }
}
